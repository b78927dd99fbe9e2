"""The configuration of a BERT: its sizes and rates, read from its folder and checked. Needs no TensorFlow."""
import copy
import json

from support import schema
from support.errors import InputError
from support.files import open_regular


class BertConfig:
    """Sizes and rates of a BERT, under the names of `bert_config.json`, with the interface of Google's release.

    Parameters
    ----------
    vocab_size : word pieces.
    hidden_size, num_hidden_layers, num_attention_heads, intermediate_size : width of the hidden states, layers, heads of each,
        width of the feed-forward networks.
    hidden_act : their activation, a name (see modeling.get_activation) or a function.
    hidden_dropout_prob, attention_probs_dropout_prob : shares dropped in training, of hidden states and of attention weights.
    max_position_embeddings, type_vocab_size : positions, token types.
    initializer_range : standard deviation of the start values.

    Attributes
    ----------
    layer_norm_eps : added to the variances of layer normalization; the release's, unless it is set or a dictionary has it.
    """

    layer_norm_eps = 1e-12

    def __init__(self, vocab_size, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
                 hidden_act="gelu", hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, max_position_embeddings=512,
                 type_vocab_size=16, initializer_range=0.02):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range

    @classmethod
    def from_dict(cls, json_object):
        """The configuration of a dict; further keys become attributes, too. Nothing is checked; `load_config` does that."""
        config = cls(vocab_size=None)
        vars(config).update(json_object)
        return config

    @classmethod
    def from_json_file(cls, json_file):
        """`from_dict` of a JSON file. OSError, ValueError : it cannot be read, is not JSON."""
        with open(json_file, encoding="utf-8") as source:
            return cls.from_dict(json.load(source))

    def to_dict(self):
        """A copy of all attributes: dict."""
        return copy.deepcopy(vars(self))

    def to_json_string(self):
        """`to_dict` as JSON, sorted, indented by two spaces, with a line end."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


# Largest values; beyond them a file is damaged, whatever it says.
SIZES = {"vocab_size": 10 ** 7, "hidden_size": 10 ** 5, "num_hidden_layers": 100, "num_attention_heads": 1000,
         "intermediate_size": 10 ** 6, "max_position_embeddings": 10 ** 6, "type_vocab_size": 1000}
# Smallest and largest values, and the ones of BERT's release where the file says nothing.
NUMBERS = {"hidden_dropout_prob": (0.0, 0.999, 0.1), "attention_probs_dropout_prob": (0.0, 0.999, 0.1),
           "initializer_range": (0.0, 1.0, 0.02), "layer_norm_eps": (1e-15, 1e-3, 1e-12)}
# All of them are computed in the tanh form, as in BERT's release.
ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh")
# Keys that would make another model of a BERT, and the value under which they do not.
PLAIN = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}

# model_type -> what such a model is.
OTHER_MODELS = {
    "distilbert": "a DistilBERT, which has no token type embeddings and names its layers otherwise",
    "roberta": "a RoBERTa, whose vocabulary is of byte pairs and whose positions are counted otherwise",
    "modernbert": "a ModernBERT, whose layers, positions and vocabulary are other than BERT's"}
NAME_A_BERT = ("Name a BERT with --bert DIR: Google's, BioBERT, Bio_ClinicalBERT, BlueBERT, SciBERT, PubMedBERT or another with "
               "\"model_type\": \"bert\".")


def read_json(path):
    """The object in a JSON file, as a dict; InputError for anything else."""
    try:
        with open_regular(path) as source:
            entries = schema.parse(source.read(schema.MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); the BERT folder needs its configuration.")
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file ({error}); copy it again from the model's release.")
    if not isinstance(entries, dict):
        raise InputError(f"{path}: not a JSON object; copy it again from the model's release.")
    return entries


def load_config(path):
    """Read `bert_config.json` (Google) or `config.json` (Hugging Face); keys this model does not use are passed over.

    Returns
    -------
    BertConfig

    Raises
    ------
    InputError : not JSON, another model than BERT, a size missing, a value of another type or out of its range, or a variant
        that this model does not compute.
    """
    entries = read_json(path)
    check_model_type(path, entries)
    check_variant(path, entries)
    config = BertConfig.from_dict(dict({key: size(path, entries, key) for key in SIZES}, hidden_act="gelu",
                                       **{key: number(path, entries, key) for key in NUMBERS}))
    if config.hidden_size % config.num_attention_heads:
        raise InputError(f"{path}: hidden_size {config.hidden_size} is not a multiple of "
                         f"num_attention_heads {config.num_attention_heads}.")
    return config


def check_model_type(path, entries):
    """Raise an InputError where a configuration is that of another model than BERT; it says of which."""
    kind = entries.get("model_type")
    if kind is None:
        # The oldest files of Hugging Face name the model by its class alone.
        classes = entries.get("architectures")
        name = str(classes[0]).lower() if isinstance(classes, list) and classes else "bert"
        kind = next((kind for kind in OTHER_MODELS if name.startswith(kind)), "bert")
    if kind != "bert":
        what = OTHER_MODELS.get(kind) if isinstance(kind, str) else None
        raise InputError(f"{path}: this is {what or 'not a BERT'} (model_type {shown(kind)}); the model here is built on BERT. "
                         f"{NAME_A_BERT}")


def size(path, entries, key):
    """A whole number from 1 to its largest value."""
    if key not in entries:
        raise InputError(f"{path}: not the configuration of a BERT: it lacks {key}. Copy it again from the model's release.")
    value, highest = entries[key], SIZES[key]
    # True is an int to Python.
    if type(value) is not int or not 1 <= value <= highest:
        raise InputError(f"{path}: {key} is {shown(value)}; it must be a whole number from 1 to {highest}.")
    return value


def number(path, entries, key):
    """A number in its range."""
    lowest, highest, default = NUMBERS[key]
    value = entries.get(key, default)
    # NaN, which Python reads from JSON, fails the comparison.
    if type(value) not in (int, float) or not lowest <= value <= highest:
        raise InputError(f"{path}: {key} is {shown(value)}; it must be a number from {lowest:g} to {highest:g}.")
    return float(value)


def check_variant(path, entries):
    """Raise an InputError for a BERT whose activation, positions or attention are not those that the model here computes."""
    value = entries.get("hidden_act", "gelu")
    if not isinstance(value, str) or value.lower() not in ACTIVATIONS:
        raise InputError(f"{path}: hidden_act is {shown(value)}; this BERT computes {', '.join(ACTIVATIONS)} (all in the tanh "
                         f"form of BERT's release). {NAME_A_BERT}")
    for key, plain in PLAIN.items():
        if key in entries and entries[key] != plain:
            raise InputError(f"{path}: {key} is {shown(entries[key])}, with which BERT is another model than the one here; only "
                             f"{json.dumps(plain)} can be computed. {NAME_A_BERT}")


def shown(value):
    """A value of the file as a message shows it: as JSON, short."""
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
