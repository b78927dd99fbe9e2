"""Everything a run reads: corpus and BERT, checked before anything slow starts, and the features made of them."""
import functools
import hashlib
import json
import math
import os
from typing import NamedTuple

import numpy as np

import context
import data_process_i2b2
import features as feature_maker
import files
import modeling
import pretrained
from console import say
from errors import InputError
from settings import Settings
from tokenization import WordPieceTokenizer, load_vocab


class Bert(NamedTuple):
    """A pre-trained BERT that has been checked; its weights are still on the disk."""

    folder: object       # paths.BertFolder; None where only a trained model's weights are wanted
    config: modeling.BertConfig
    vocab: dict          # word piece -> id
    fingerprint: dict    # file name -> SHA-256


class Corpus(NamedTuple):
    """Both splits of a corpus."""

    folder: object       # paths.CorpusFolder
    train: data_process_i2b2.Split
    test: data_process_i2b2.Split
    fingerprint: dict    # "train", "test" -> SHA-256 of the split's TSV


def check_folders(corpus, bert):
    """Check that both folders are there, before anything is read; one InputError tells all that is missing.

    Parameters
    ----------
    corpus : paths.CorpusFolder
    bert : paths.BertFolder
    """
    problems = []
    for check, folder in ((data_process_i2b2.check_corpus_folder, corpus), (pretrained.check_bert_folder, bert)):
        try:
            check(folder)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(" Besides, ".join(problems))


def read_bert(folder, settings):
    """Check a BERT folder against its own files and the settings.

    Parameters
    ----------
    folder : paths.BertFolder
    settings : settings.Settings

    Raises
    ------
    InputError : files missing or unreadable, or as `config_and_vocab`.
    """
    config, vocab = config_and_vocab(pretrained.check_bert_folder(folder).config, folder.vocab, settings)
    return Bert(folder, config, vocab, pretrained.fingerprint(folder))


def config_and_vocab(config_path, vocab_path, settings):
    """Read a BERT's configuration and vocabulary: (modeling.BertConfig, {word piece: id}).

    Raises
    ------
    InputError : a file unreadable, a vocabulary larger than the word embeddings, seq_length longer than BERT's positions or too
        short for the convolutions.
    """
    config, vocab = modeling.load_config(config_path), load_vocab(vocab_path)
    # Fewer are fine: some releases have rows of embeddings to spare, for the sake of their number.
    if len(vocab) > config.vocab_size:
        raise InputError(f"{vocab_path} has {len(vocab)} word pieces, but {config_path} says vocab_size "
                         f"{config.vocab_size}: the two are of different models. Copy the whole folder again.")
    if settings.seq_length > config.max_position_embeddings:
        raise InputError(f"seq_length {settings.seq_length} is longer than the {config.max_position_embeddings} positions "
                         f"of the BERT of {config_path}; use --set seq_length={config.max_position_embeddings} or less.")
    if settings.seq_length < max(settings.filter_sizes):
        raise InputError(f"seq_length {settings.seq_length} is shorter than the widest of filter_sizes "
                         f"{settings.filter_sizes}; use a longer seq_length.")
    return config, vocab


def write_config_and_vocab(bert, config_path, vocab_path):
    """Write what a trained model needs of its BERT besides the weights, in the form of Google's releases.

    Parameters
    ----------
    bert : Bert
    config_path, vocab_path : files to write.
    """
    files.write_atomically(config_path, json.dumps(bert.config._asdict(), indent=1) + "\n")
    files.write_atomically(vocab_path, "".join(f"{piece}\n" for piece in sorted(bert.vocab, key=bert.vocab.get)))


def bert_of_model(result, record, settings, folder=None):
    """The BERT of a trained model, as far as using the model needs it.

    Parameters
    ----------
    result : paths.ResultFolder, of a run; those of `train` hold configuration and vocabulary.
    record : the content of its run.json, {} without one.
    settings : settings.Settings of the model.
    folder : paths.BertFolder to take them from instead, as for a checkpoint of upstream's.

    Returns
    -------
    Bert

    Raises
    ------
    InputError : neither has them, another vocabulary than the model's, or as `config_and_vocab`.
    """
    if folder is None and os.path.isfile(result.vocab) and os.path.isfile(result.bert_config):
        config, vocab = config_and_vocab(result.bert_config, result.vocab, settings)
        return Bert(None, config, vocab, {})
    if folder is None:
        raise InputError(f"{result.checkpoints} holds no vocab.txt and bert_config.json, as that of a model trained here does; "
                         "name the folder of the BERT that the model was made from with --bert DIR.")
    bert = read_bert(folder, settings)
    name = os.path.basename(folder.vocab)
    if record.get("bert", bert.fingerprint).get(name) != bert.fingerprint[name]:
        raise InputError(f"{folder.vocab} is not the vocabulary that the model in {result.root} was trained with; name the "
                         "folder of the same BERT with --bert DIR.")
    return bert


def read_corpus(folder, settings=Settings(), write=True):
    """Read both splits, write train.txt and test.txt beside them, print a line on each.

    Parameters
    ----------
    folder : paths.CorpusFolder
    settings : settings.Settings
    write : False only reads.

    Raises
    ------
    InputError : a document or folder is missing or unusable, or a split has no TLINK of a known label.
    """
    if write:
        train, test = data_process_i2b2.process_corpus(folder, settings.entities)
    else:
        train, test = (data_process_i2b2.read_split(path, settings.entities) for path in (folder.train_xml, folder.test_xml))
        for name, split in (("train", train), ("test", test)):
            say(data_process_i2b2.summary(name, split))
    for split, path in ((train, folder.train_xml), (test, folder.test_xml)):
        if not split.examples:
            raise InputError(f"{path} has no TLINK with a type: there is nothing to learn from or to score.")
    both = in_both(train.documents, test.documents)
    if both:
        more = " ..." if len(both) > 5 else ""
        say(f"warning: test documents that are in training too: {len(both)} ({', '.join(both[:5])}{more}); "
            "scores on them say little about new notes")
    digest = {name: hashlib.sha256(data_process_i2b2.to_tsv(split.examples).encode("utf-8")).hexdigest()
              for name, split in (("train", train), ("test", test))}
    if settings.context:
        # What the recipe reads besides: the offsets, types and words of the mentions.
        digest.update({f"{name} mentions": mentions_digest(split.documents)
                       for name, split in (("train", train), ("test", test))})
    return Corpus(folder, train, test, digest)


def in_both(train, test):
    """Names of the test documents that have the name or the text of a training document, sorted."""
    names, texts = {document.name for document in train}, {document.text for document in train}
    return sorted(document.name for document in test if document.name in names or document.text in texts)


def mentions_digest(documents):
    """SHA-256 of the mentions of documents, hexadecimal."""
    digest = feature_maker.Digest()
    for document in documents:
        digest.add(document.name, *context.mention_texts(document))
    return digest.hexadecimal()


def features_of(documents, examples, bert, settings):
    """Features of examples of any documents; nothing is kept on the disk.

    Parameters
    ----------
    documents : list of data_process_i2b2.Document, those of the examples among them.
    examples : list of data_process_i2b2.Example.
    bert : Bert
    settings : settings.Settings

    Returns
    -------
    context.NotePlaces or, where the settings say to read the head of the note, features.Features
    """
    # Making a tokenizer takes as long as classifying a few links; the next document uses the same one.
    tokenizer = kept_tokenizer(tuple(bert.vocab), settings.do_lower_case)
    if settings.context:
        return context.make_features(documents, examples, tokenizer)
    return feature_maker.make_features(examples, tokenizer, settings.seq_length)


@functools.lru_cache(maxsize=1)
def kept_tokenizer(pieces, do_lower_case):
    """The WordPieceTokenizer of a vocabulary's word pieces in the order of their ids."""
    return WordPieceTokenizer({piece: number for number, piece in enumerate(pieces)}, do_lower_case)


def split_features(corpus, bert, settings, name):
    """Features of one split ("train" or "test"), from the cache beside the corpus where it has them."""
    documents, examples = getattr(corpus, name)
    tokenizer = WordPieceTokenizer(bert.vocab, settings.do_lower_case)
    where = (corpus.folder.features, name)
    if settings.context:
        made, cached = context.cached_features(documents, examples, tokenizer, settings, *where)
    else:
        made, cached = feature_maker.cached_features(examples, tokenizer, settings, *where)
    say(f"{name}: features of {len(examples)} examples {'from' if cached else 'made and kept in'} {corpus.folder.features}")
    return made


def train_and_dev(corpus, bert, settings):
    """Training features, and the dev features that the best model is chosen on; see `held_out`."""
    train = split_features(corpus, bert, settings, "train")
    if settings.dev == "test":
        return train, split_features(corpus, bert, settings, "test")
    is_dev = held_out(corpus, settings)
    documents = {example.document for example, chosen in zip(corpus.train.examples, is_dev) if chosen}
    say(f"dev: {is_dev.sum()} examples of {len(documents)} training documents, held out")
    return train.rows(~is_dev), train.rows(is_dev)


def held_out(corpus, settings):
    """Which training examples are held out as dev examples: bool [examples].

    None with `dev` = `test` (the paper's code), where dev is the test split; otherwise that share of the training
    documents, drawn with the seed, at least one of them, is held out whole.
    """
    examples = corpus.train.examples
    if settings.dev == "test":
        return np.zeros(len(examples), bool)
    names = sorted({example.document for example in examples})
    count = min(math.ceil(float(settings.dev) * len(names)), len(names) - 1)
    if count < 1:
        raise InputError(f"dev={settings.dev}: with one training document none can be held out; use --set dev=test.")
    chosen = {names[number] for number in np.random.RandomState(settings.seed).permutation(len(names))[:count]}
    return np.array([example.document in chosen for example in examples])
