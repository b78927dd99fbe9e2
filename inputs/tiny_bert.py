"""A tiny BERT with random weights, for the sample corpus: what the demo and the tests run on."""
import collections
import json
import os
import re
import string
import tempfile

from inputs import sample_corpus
from support.files import write_atomically
from support.paths import BertFolder

TINY_CONFIG = {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 256, "max_position_embeddings": 512,
    "num_attention_heads": 2, "num_hidden_layers": 2, "type_vocab_size": 2,
}
MAX_PIECES = 2500


def make_tiny_bert(folder, seed=0, sizes=None):
    """Write a small BERT with random weights, in the layout of Google's releases.

    Its vocabulary is learned from the sample corpus' training documents, nothing from the test documents.
    Writes `vocab.txt`, `bert_config.json` and `bert_model.ckpt.*`; needs TensorFlow.

    Parameters
    ----------
    folder : str or path, made where missing.
    seed : int, of the weights.
    sizes : dict of what differs from TINY_CONFIG, or None.
    """
    vocabulary = tiny_vocabulary([sample_corpus.document(name).text for name in sample_corpus.TRAIN_DOCUMENTS])
    config = dict(TINY_CONFIG, **(sizes or {}), vocab_size=len(vocabulary))
    bert = BertFolder(folder)
    os.makedirs(bert.root, exist_ok=True)
    save_checkpoint(tiny_variables(config, seed), bert.google_checkpoint)
    write_atomically(bert.vocab, "\n".join(vocabulary) + "\n")
    write_atomically(bert.google_config, json.dumps(config, indent=2, sort_keys=True) + "\n")


def tiny_vocabulary(notes):
    """The vocabulary: BERT's special pieces, single characters (alone and as `##` continuations), and the
    words that these notes have more than once, the commonest first; at most MAX_PIECES.
    """
    counts = collections.Counter(word for note in notes for word in re.findall(r"[^\W_]+", note))
    letters = string.digits + string.ascii_letters
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += list(string.punctuation) + list(letters) + ["##" + letter for letter in letters]
    known = set(pieces)
    words = sorted((word for word in counts if counts[word] > 1 and word not in known),
                   key=lambda word: (-counts[word], word))
    return pieces + words[:MAX_PIECES - len(pieces)]


def tiny_variables(config, seed):
    """Start values under the names of Google's checkpoints, drawn as BERT's: normal, cut at two deviations.

    Parameters
    ----------
    config : dict, the content of bert_config.json.
    seed : int

    Returns
    -------
    dict of name -> float32 array; `kernel`s are [inputs, outputs].
    """
    import numpy as np
    random_state = np.random.RandomState(seed)

    def normal(*shape):
        values = random_state.normal(size=shape)
        while (abs(values) > 2).any():
            outside = abs(values) > 2
            values[outside] = random_state.normal(size=outside.sum())
        return (values * config["initializer_range"]).astype(np.float32)

    width, variables = config["hidden_size"], {}

    def dense(name, inputs, outputs):
        variables[name + "/kernel"] = normal(inputs, outputs)
        variables[name + "/bias"] = np.zeros(outputs, np.float32)

    def layer_norm(name):
        variables[name + "/LayerNorm/gamma"] = np.ones(width, np.float32)
        variables[name + "/LayerNorm/beta"] = np.zeros(width, np.float32)

    for name, rows in (("word", "vocab_size"), ("token_type", "type_vocab_size"),
                       ("position", "max_position_embeddings")):
        variables[f"bert/embeddings/{name}_embeddings"] = normal(config[rows], width)
    layer_norm("bert/embeddings")
    for number in range(config["num_hidden_layers"]):
        layer = f"bert/encoder/layer_{number}"
        for part in ("query", "key", "value"):
            dense(f"{layer}/attention/self/{part}", width, width)
        dense(f"{layer}/attention/output/dense", width, width)
        layer_norm(f"{layer}/attention/output")
        dense(f"{layer}/intermediate/dense", width, config["intermediate_size"])
        dense(f"{layer}/output/dense", config["intermediate_size"], width)
        layer_norm(f"{layer}/output")
    dense("bert/pooler/dense", width, width)
    return variables


def save_checkpoint(variables, path):
    """Save arrays as a TensorFlow checkpoint, `path`.index and `path`.data-*.

    Without the text file `checkpoint`, which would hold the machine's own path.

    Parameters
    ----------
    variables : dict of name -> array.
    path : str, the checkpoint's prefix; its folder exists.
    """
    from network.runtime import session_config, tf
    folder, prefix = os.path.split(path)
    with tempfile.TemporaryDirectory(prefix=".tiny_bert.", dir=folder) as temporary:
        with tf.Graph().as_default(), tf.Session(config=session_config()) as session:
            # Fed rather than constants, so that the graph stays small.
            holders = {tf.placeholder(value.dtype, value.shape): value for value in variables.values()}
            targets = [tf.Variable(holder, name=name) for name, holder in zip(variables, holders)]
            session.run(tf.global_variables_initializer(), holders)
            tf.train.Saver(targets).save(session, os.path.join(temporary, prefix),
                                         write_meta_graph=False, write_state=False)
        # The data before the index: only what has an index is taken for a checkpoint.
        for name in sorted(os.listdir(temporary)):
            os.replace(os.path.join(temporary, name), os.path.join(folder, name))
