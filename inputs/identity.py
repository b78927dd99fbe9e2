"""What makes two models or two corpora the same: digests of all that an answer depends on.

They are compared wherever a run goes on, a model is tested or a note is labelled. Another vocabulary of the same size, or the
two ends of every TLINK exchanged, would otherwise go unnoticed.
"""
import json

from inputs.features import Digest


def of_model(config, vocab, do_lower_case):
    """What a trained model needs besides its weights, as digests: dict of str.

    Parameters
    ----------
    config : BertConfig
    vocab : dict of word piece -> id.
    do_lower_case : whether text is lower-cased before word pieces.
    """
    pieces, values = Digest(), Digest()
    pieces.add(*sorted(vocab, key=vocab.get))
    values.add(json.dumps(config.to_dict(), sort_keys=True))
    return {"vocabulary": pieces.hexadecimal(), "configuration": values.hexadecimal(),
            "do_lower_case": str(bool(do_lower_case)).lower()}


def of_documents(documents):
    """SHA-256, hexadecimal, of everything that examples and features of any view are made of.

    documents : list of data_process_i2b2.Document.
    """
    digest = Digest()
    for document in documents:
        digest.add(document.name, document.text, str(len(document.mentions)), str(len(document.tlinks)))
        for mention in document.mentions:
            digest.add(*(str(field) for field in mention._replace(attributes="")))
        for tlink in document.tlinks:
            digest.add(*tlink)
    return digest.hexadecimal()
