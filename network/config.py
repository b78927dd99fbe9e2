"""The configuration of a BERT: its sizes and rates, read from its folder. Needs no TensorFlow."""
import json
from typing import NamedTuple

from support.errors import InputError


class BertConfig(NamedTuple):
    """Sizes and rates of a BERT, under the names of `bert_config.json`."""

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02


def load_config(path):
    """Read `bert_config.json` (Google) or `config.json` (Hugging Face); keys this model does not use are passed over.

    Raises
    ------
    InputError : not JSON, not a BERT, a size missing or impossible, an activation other than gelu.
    """
    try:
        with open(path, encoding="utf-8") as source:
            entries = json.load(source)
        config = BertConfig(**{key: entries[key] for key in BertConfig._fields if key in entries})
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); the BERT folder needs its configuration.")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the configuration of a BERT ({error}).")
    if entries.get("model_type", "bert") != "bert":
        raise InputError(f"{path}: model_type is {entries['model_type']}; only BERT models fit (BERT, BioBERT, "
                         "ClinicalBERT ...).")
    if not str(entries.get("hidden_act", "gelu")).startswith("gelu"):
        raise InputError(f"{path}: hidden_act is {entries['hidden_act']}; this BERT uses gelu.")
    sizes = [key for key, value in config._asdict().items()
             if not key.endswith(("prob", "range")) and not (isinstance(value, int) and value > 0)]
    if sizes:
        raise InputError(f"{path}: {', '.join(sizes)} must be whole numbers above 0.")
    if config.hidden_size % config.num_attention_heads:
        raise InputError(f"{path}: hidden_size {config.hidden_size} is not a multiple of "
                         f"num_attention_heads {config.num_attention_heads}.")
    return config
