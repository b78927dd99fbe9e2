"""Everything a run reads: corpus and BERT, checked before anything slow starts, and the features made of them."""
import functools
import hashlib
import math
import os
from typing import NamedTuple

import numpy as np

import data_process_i2b2
from inputs import identity
from inputs.features import cached
from inputs.labels import LABELS
from inputs.views import view_of
from inputs.vocabulary import read_vocab
from network import pretrained
from network.config import BertConfig, load_config
from settings import Settings, as_text
from support import files
from support.console import say
from support.errors import InputError
from tokenization import UNK, FullTokenizer


class Bert(NamedTuple):
    """A pre-trained BERT that has been checked; its weights are still on the disk."""

    folder: object       # paths.BertFolder; None where only a trained model's weights are wanted
    config: BertConfig
    vocab: dict          # word piece -> id
    fingerprint: dict    # file name -> SHA-256
    do_lower_case: bool  # whether text is lower-cased before word pieces


class Corpus(NamedTuple):
    """The splits of a corpus. A split has `documents`, each with `name` and `text`, and `examples`."""

    folder: object       # of the corpus, such as paths.CorpusFolder
    train: data_process_i2b2.Split
    test: data_process_i2b2.Split
    fingerprint: dict    # "train", "test" -> SHA-256 of the split's TSV; "train documents", "test documents" -> of all of them
    dev: data_process_i2b2.Split = None  # of a corpus that has a development set
    labels: tuple = LABELS  # in the order of the classifier's outputs

    def splits(self):
        """{name: split} of all there are."""
        found = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}


def check_folders(corpus, bert, check_corpus=data_process_i2b2.check_corpus_folder):
    """Check that both folders are there, before anything is read; one InputError tells all that is missing.

    Parameters
    ----------
    corpus : paths.CorpusFolder, or that of another corpus.
    bert : paths.BertFolder, or None where a trained model brings what is needed.
    check_corpus : function that raises an InputError for a corpus folder that lacks something.
    """
    problems = []
    for check, folder in ((check_corpus, corpus), (pretrained.check_bert_folder, bert)):
        try:
            if folder is not None:
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
    own = pretrained.lower_cases(folder, vocab)
    lower = own if settings.do_lower_case == "auto" else settings.do_lower_case == "true"
    if lower == own:
        # Otherwise the text does not fit the vocabulary anyway, which `tell_case` tells.
        pretrained.check_accents(folder, lower)
    return Bert(folder, config, vocab, pretrained.fingerprint(folder), lower)


def config_and_vocab(config_path, vocab_path, settings):
    """Read a BERT's configuration and vocabulary: (BertConfig, {word piece: id}).

    Raises
    ------
    InputError : a file unreadable, a vocabulary larger than the word embeddings, seq_length longer than BERT's positions or too
        short for the convolutions.
    """
    config, vocab = load_config(config_path), read_vocab(vocab_path)
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
    if settings.marker_states and settings.marker_layers > config.num_hidden_layers:
        raise InputError(f"marker_layers={settings.marker_layers}: the BERT of {config_path} has fewer layers; use "
                         f"--set marker_layers={config.num_hidden_layers} or less.")
    return config, vocab


def write_config_and_vocab(bert, config_path, vocab_path):
    """Write what a trained model needs of its BERT besides the weights, in the form of Google's releases.

    Parameters
    ----------
    bert : Bert
    config_path, vocab_path : files to write.
    """
    files.write_atomically(config_path, bert.config.to_json_string())
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
    InputError : neither has them, others than the model's, or as `config_and_vocab`.
    """
    if folder is not None:
        bert = read_bert(folder, settings)
        where = [folder.vocab, pretrained.check_bert_folder(folder).config]
    elif has_bert(result):
        config, vocab = config_and_vocab(result.bert_config, result.vocab, settings)
        told = settings.do_lower_case if settings.do_lower_case != "auto" else record.get("model", {}).get("do_lower_case")
        bert = Bert(None, config, vocab, {}, not pretrained.is_cased(vocab) if told is None else told == "true")
        where = [result.vocab, result.bert_config]
    else:
        raise without_bert(result)
    check_bert_of_model(result, record, settings, bert, where)
    return bert


def without_bert(result):
    """The InputError for a model whose BERT is not known."""
    return InputError(f"{result.checkpoints} holds no vocab.txt and bert_config.json, as that of a model trained here does; "
                      "name the folder of the BERT that the model was made from with --bert DIR.")


def has_bert(result):
    """Whether a paths.ResultFolder holds the vocabulary and the configuration of its model."""
    return os.path.isfile(result.vocab) and os.path.isfile(result.bert_config)


def check_bert_of_model(result, record, settings, bert, where):
    """Refuse a vocabulary, a configuration or a rule of case that is not the model's.

    Parameters
    ----------
    result, record, settings : as for `bert_of_model`.
    bert : Bert
    where : files that vocabulary and configuration come from.

    Raises
    ------
    InputError : one of them is not what run.json says of the model.
    """
    trained, found = record.get("model"), identity.of_model(bert.config, bert.vocab, bert.do_lower_case)
    if trained is None:
        recorded = record.get("bert", {}).get("vocab.txt")
        if recorded is None:
            if record:
                say(f"{result.run} does not tell which vocabulary, configuration and rule of case the model was trained with: they "
                    "cannot be checked")
            return
        if recorded != fingerprint_of(bert, where[0]):
            raise another_bert(result, "vocabulary", where[0])
        say(f"{result.run} does not tell which configuration and rule of case the model was trained with: they cannot be checked")
        return
    for part, path in (("vocabulary", where[0]), ("configuration", where[1])):
        if trained.get(part) != found[part]:
            raise another_bert(result, part, path)
    if trained.get("do_lower_case") != found["do_lower_case"]:
        raise InputError(f"the model in {result.root} was trained with do_lower_case={trained.get('do_lower_case')}; leave that "
                         "setting out.")


def fingerprint_of(bert, vocab_path):
    """SHA-256 of a vocabulary as a file of Google's has it, whatever line ends the file itself has."""
    return bert.fingerprint.get(os.path.basename(vocab_path)) or files.fingerprint_file(vocab_path)


def another_bert(result, part, path):
    """The InputError for a file that is not of the model's BERT."""
    return InputError(f"{path} is not the {part} that the model in {result.root} was trained with ({result.run} tells which): it "
                      "is another BERT's, or damaged. Name the folder of the model's own BERT with --bert DIR, or leave --bert "
                      "out where the result folder is whole.")


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
    if folder.test_gold != "merged":
        say(f"test_gold={folder.test_gold}: the test documents are those of {folder.test_xml}")
    for split, path in ((train, folder.train_xml), (test, folder.test_xml)):
        if not split.examples:
            raise InputError(f"{path} has no TLINK with a type: there is nothing to learn from or to score.")
    return checked(Corpus(folder, train, test, {}), identity.of_documents)


def checked(corpus, digest):
    """A Corpus that was read, with its fingerprint; says where documents are copies of each other.

    Parameters
    ----------
    corpus : Corpus, without a fingerprint.
    digest : function that gives the SHA-256, hexadecimal, of everything in some documents that is read, as text.
    """
    splits = corpus.splits()
    for name, other, words in LEAKS:
        if name in splits and other in splits:
            tell_leaks(splits[other].documents, splits[name].documents, words)
    tell_copies(corpus.train.documents)
    digests = {}
    for name, split in splits.items():
        # What upstream's files hold, and all of the documents, of which more is read.
        digests[name] = digest_of_lines(data_process_i2b2.tsv_lines(split.examples))
        digests[f"{name} documents"] = digest(split.documents)
    return corpus._replace(fingerprint=digests)


def digest_of_lines(lines):
    """SHA-256 of a file that has these lines, hexadecimal."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8"))
    return digest.hexdigest()


NOT_NEW = "scores on them say little about new notes"
# (split, one that it should share no document with, what to say of those that it does share, with a gap for their names).
LEAKS = (("test", "train", f"test documents that are in training too: {{}}; {NOT_NEW}"),
         ("test", "dev", f"test documents that are in the development set too: {{}}; {NOT_NEW}"),
         ("dev", "train", "development documents that are in training too: {}; the best model is chosen on them"))


def tell_leaks(others, documents, words):
    """Say which documents of a split have the name or the text of one of another split, and of which.

    Parameters
    ----------
    others, documents : the documents of the two splits, those named are of the second.
    words : what to say, with a gap for how many they are and their names.
    """
    named, of_text = {document.name for document in others}, {}
    for document in others:
        of_text.setdefault(bare_text(document), document.name)
    found = {document.name: document.name if document.name in named else of_text[bare_text(document)] for document in documents
             if document.name in named or bare_text(document) in of_text}
    if found:
        shown = [one if one == twin else f"{one} = {twin}" for one, twin in sorted(found.items())]
        names = f"{len(found)} ({', '.join(shown[:5])}{' ...' if len(found) > 5 else ''})"
        say(f"warning: {words.format(names)}")


def bare_text(document):
    """A document's text, of whose white space nothing matters."""
    return " ".join(document.text.split())


def copies(documents):
    """Groups of documents with the same text, white space aside: list of lists of names, each of two or more."""
    by_text = {}
    for document in documents:
        by_text.setdefault(bare_text(document), []).append(document.name)
    return [sorted(names) for names in by_text.values() if len(names) > 1]


def tell_copies(documents):
    """Say which training documents have the same text."""
    found = sorted(copies(documents))
    if found:
        groups = "; ".join(" = ".join(names) for names in found[:5]) + (" ..." if len(found) > 5 else "")
        say(f"warning: training documents with the same text: {groups}; where documents are held out, copies stay together")


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
    the Features of the settings' view
    """
    # The next document uses the same tokenizer, which knows the words it has met.
    tokenizer = kept_tokenizer(tuple(bert.vocab), bert.do_lower_case)
    return view_of(settings).make(documents, examples, tokenizer, LABELS)


@functools.lru_cache(maxsize=1)
def kept_tokenizer(pieces, do_lower_case):
    """The FullTokenizer of a vocabulary's word pieces in the order of their ids."""
    return FullTokenizer({piece: number for number, piece in enumerate(pieces)}, do_lower_case)


def tell_case(corpus, bert, settings):
    """Say, in one line, where text is lower-cased against the BERT's own case, and what that does to the corpus.

    corpus, bert, settings : what a run is about to train on, with and by.
    """
    cased = pretrained.is_cased(bert.vocab)
    if bert.do_lower_case != cased:
        return
    texts = list({document.text for document in corpus.train.documents})
    if all(text == text.lower() for text in texts):
        return  # as the corpus' own rules have it
    tokenizer = kept_tokenizer(tuple(bert.vocab), bert.do_lower_case)
    words = unknown = 0
    for text, pieces in zip(texts, tokenizer.encode(texts)):
        words += len(text.split())
        unknown += pieces.count(bert.vocab[UNK])
    what = "lower-cases text for a cased BERT" if cased else "keeps capital letters, which the uncased BERT does not know"
    say(f"do_lower_case={as_text(bert.do_lower_case)} {what}: {100 * unknown / max(words, 1):.1f} % of the training words become "
        f"{UNK}" + ("; upstream does the same. " if not cased else ". ") + "--set do_lower_case=auto follows the BERT.")


def split_features(corpus, bert, settings, name):
    """Features of one split ("train", "dev" or "test"), from the cache beside the corpus where it has them."""
    documents, examples = corpus.splits()[name]
    tokenizer = FullTokenizer(bert.vocab, bert.do_lower_case)
    view = view_of(settings)
    made, from_cache = cached(view, view.fingerprint(documents, examples, tokenizer, corpus.labels),
                              lambda: view.make(documents, examples, tokenizer, corpus.labels), corpus.folder.features, name)
    say(f"{name}: features of {len(examples)} examples {'from' if from_cache else 'made and kept in'} {corpus.folder.features}")
    return made


# The values of the setting `dev` that name a split of the corpus.
DEV_SPLITS = {"test": "test", "development": "dev"}


def train_and_dev(corpus, bert, settings):
    """Training features, and the dev features that the best model is chosen on; see `held_out`."""
    train = split_features(corpus, bert, settings, "train")
    if settings.dev in DEV_SPLITS:
        return train, split_features(corpus, bert, settings, DEV_SPLITS[settings.dev])
    is_dev = held_out(corpus, settings)
    documents = {example.document for example, chosen in zip(corpus.train.examples, is_dev) if chosen}
    say(f"dev: {is_dev.sum()} examples of {len(documents)} training documents, held out")
    return train.rows(~is_dev), train.rows(is_dev)


def held_out(corpus, settings):
    """Which training examples are held out as dev examples: bool [examples].

    None where `dev` names a split (`test` in the paper's code); otherwise that share of the training
    documents, drawn with the seed, at least one of them, is held out whole. Documents of the same text go together.
    """
    examples = corpus.train.examples
    if settings.dev in DEV_SPLITS:
        return np.zeros(len(examples), bool)
    names = sorted({example.document for example in examples})
    count = min(math.ceil(float(settings.dev) * len(names)), len(names) - 1)
    if count < 1:
        raise InputError(f"dev={settings.dev}: with one training document none can be held out; use --set dev=test.")
    chosen = {names[number] for number in np.random.RandomState(settings.seed).permutation(len(names))[:count]}
    for group in copies(corpus.train.documents):
        # With the first of them, whichever of the others was drawn.
        chosen = chosen | set(group) if group[0] in chosen else chosen - set(group)
    held = np.array([example.document in chosen for example in examples])
    if held.all() or not held.any():
        raise InputError(f"dev={settings.dev}: too many of the training documents are copies of each other for some to be held "
                         "out; use --set dev=test.")
    return held


def dev_examples(corpus, settings):
    """The dev examples, those that `train_and_dev` makes features of: list."""
    if settings.dev in DEV_SPLITS:
        return corpus.splits()[DEV_SPLITS[settings.dev]].examples
    return [example for example, chosen in zip(corpus.train.examples, held_out(corpus, settings)) if chosen]
