"""A BERT's `bert_config.json` or `config.json`: what this project's model needs of it, checked. Needs no TensorFlow."""
import json

from errors import InputError

# Largest values; beyond them a file is damaged, whatever it says.
SIZES = {"vocab_size": 10 ** 7, "hidden_size": 10 ** 5, "num_hidden_layers": 100, "num_attention_heads": 1000,
         "intermediate_size": 10 ** 6, "max_position_embeddings": 10 ** 6, "type_vocab_size": 1000}
# Smallest and largest values, and the ones of BERT's release where the file says nothing.
NUMBERS = {"hidden_dropout_prob": (0.0, 0.999, 0.1), "attention_probs_dropout_prob": (0.0, 0.999, 0.1),
           "initializer_range": (0.0, 1.0, 0.02), "layer_norm_eps": (1e-15, 1e-3, 1e-12)}
# All of them are computed in the tanh form, as in BERT's release.
ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh")
# Keys that would make another model of a BERT, and the values under which they do not.
PLAIN = {"position_embedding_type": ("absolute",), "is_decoder": (False,), "add_cross_attention": (False,)}

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
        with open(path, encoding="utf-8") as source:
            entries = json.load(source)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); the BERT folder needs its configuration.")
    except (ValueError, RecursionError) as error:
        what = "too deeply nested" if isinstance(error, RecursionError) else error
        raise InputError(f"{path}: not a JSON file ({what}); copy it again from the model's release.")
    if not isinstance(entries, dict):
        raise InputError(f"{path}: not a JSON object; copy it again from the model's release.")
    return entries


def read_config(path):
    """Read and check the configuration of a BERT; keys that the model does not use are passed over.

    Parameters
    ----------
    path : `bert_config.json` (Google) or `config.json` (Hugging Face).

    Returns
    -------
    dict of the keys of SIZES (int), of NUMBERS (float) and `hidden_act` (str).

    Raises
    ------
    InputError : not JSON, another model than BERT, a size missing, a value of another type or out of its range, or a variant
        that this model does not compute.
    """
    entries = read_json(path)
    check_model_type(path, entries)
    config = {key: size(path, entries, key) for key in SIZES}
    config.update({key: number(path, entries, key) for key in NUMBERS})
    if config["hidden_size"] % config["num_attention_heads"]:
        raise InputError(f"{path}: hidden_size {config['hidden_size']} is not a multiple of num_attention_heads "
                         f"{config['num_attention_heads']}.")
    config["hidden_act"] = activation(path, entries)
    for key, plain in PLAIN.items():
        if key in entries and entries[key] not in plain:
            raise InputError(f"{path}: {key} is {shown(entries[key])}, with which BERT is another model than the one here; only "
                             f"{json.dumps(plain[0])} can be computed. {NAME_A_BERT}")
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


def activation(path, entries):
    """The name of the activation, in lower case."""
    value = entries.get("hidden_act", "gelu")
    if not isinstance(value, str) or value.lower() not in ACTIVATIONS:
        raise InputError(f"{path}: hidden_act is {shown(value)}; this BERT computes {', '.join(ACTIVATIONS)} (all in the tanh "
                         f"form of BERT's release). {NAME_A_BERT}")
    return value.lower()


def shown(value):
    """A value of the file as a message shows it: as JSON, short."""
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
