"""Examples as places in their notes: the features of the recipe `context`.

A note is tokenized once; an example is then two ranges of its word pieces and the typed markers of its two mentions.
What the model reads of it, and which examples it reads together, is decided by `packing`.
"""
import bisect
from typing import NamedTuple

import numpy as np

import mentions
from features import Digest, cached, label_ids
from labels import LABELS
from sentences import headings, sentence_starts
from tokenization import CLS, PAD, SEP

# Raised whenever the same documents would give other arrays, so that no older cache is taken for a new one.
FORMAT = 3

NOWHERE = (-1, -1)  # the range of a mention without a place in the text

SIDES, ENDS = 2, 2  # of a TLINK: from, to; of a mention: what opens and what closes it


class NotePlaces(NamedTuple):
    """Notes, and one row an example; all int32."""

    pieces: np.ndarray      # [pieces of all notes] word-piece ids
    notes: np.ndarray       # [notes + 1] where each note begins in `pieces`, and the end of the last
    special: np.ndarray     # [3] ids of [CLS], [SEP], [PAD]
    markers: np.ndarray     # [2 sides, KINDS, 2 ends] ids of the pieces that open and close a mention
    note: np.ndarray        # [examples] number of the note
    ranges: np.ndarray      # [examples, 2, 2] of `from` and `to`: first piece and the one after the last, in the note
    kinds: np.ndarray       # [examples, 2] of `from` and `to`: index into mentions.KINDS
    headings: np.ndarray    # [examples, 2, 2] of the headings above `from` and `to`: as `ranges`
    sentences: np.ndarray   # [examples, 2] of `from` and `to`: number of the sentence in the note; -1 without a place
    orders: np.ndarray      # [examples, 2] of `from` and `to`: how many mentions of the note begin before; -1 likewise
    label_ids: np.ndarray   # [examples] index into LABELS

    def rows(self, chosen):
        """The features of some examples (a slice or an array of row numbers), in that order, with all the notes."""
        return self._replace(**{name: getattr(self, name)[chosen] for name in self._fields[self._fields.index("note"):]})

    def keys(self):
        """What the model's input depends on, a row an example: int32 [examples, 11]."""
        return np.concatenate([self.note[:, None], self.ranges.reshape(-1, 4), self.kinds, self.sentences, self.orders], axis=1)


def make_features(documents, examples, tokenizer):
    """Features of `examples`.

    Parameters
    ----------
    documents : list of data_process_i2b2.Document, those of the examples among them.
    examples : list of data_process_i2b2.Example.
    tokenizer : tokenization.WordPieceTokenizer

    Returns
    -------
    NotePlaces
    """
    encoded, numbers, found, spans, counters = [], {}, {}, {}, {}
    for document in documents:
        numbers[document.name] = len(encoded)
        ids, spans[document.name] = tokenizer.spans(document.text)
        encoded.append(ids)
        found[document.name] = mentions.places(document)
        begins = sorted(begin for begin, _ in mentions.spans(document).values())
        counters[document.name] = (sentence_starts(document.text), begins, headings(document.text))
    note, ranges, kinds, above, sentences, orders = [], [], [], [], [], []
    for example in examples:
        sides = [mentions.place_of(identifier, found[example.document]) for identifier in (example.from_id, example.to_id)]
        note.append(numbers[example.document])
        ranges.append([piece_range(side.span, spans[example.document]) for side in sides])
        kinds.append([side.kind for side in sides])
        starts, begins, of_note = counters[example.document]
        above.append([piece_range(heading_above(side.span, of_note), spans[example.document])
                      for side in sides])
        sentences.append([bisect.bisect_right(starts, side.span[0]) if side.span else -1 for side in sides])
        orders.append([bisect.bisect_left(begins, side.span[0]) if side.span else -1 for side in sides])
    return NotePlaces(
        pieces=np.concatenate(encoded + [np.zeros(0, np.int32)]),
        notes=np.cumsum([0] + [len(ids) for ids in encoded]).astype(np.int32),
        special=np.array([tokenizer.vocab[piece] for piece in (CLS, SEP, PAD)], np.int32), markers=marker_ids(tokenizer.vocab),
        note=np.array(note, np.int32), label_ids=label_ids(examples),
        **{name: np.array(values, np.int32).reshape(-1, SIDES, 2) for name, values in (("ranges", ranges), ("headings", above))},
        **{name: np.array(values, np.int32).reshape(-1, SIDES)
           for name, values in (("kinds", kinds), ("sentences", sentences), ("orders", orders))})


def cached_features(documents, examples, tokenizer, settings, folder, split):
    """`make_features`, through the cache in `folder`; see features.cached."""
    return cached(NotePlaces, fingerprint(documents, examples, tokenizer, settings.do_lower_case),
                  lambda: make_features(documents, examples, tokenizer), folder, split)


def fingerprint(documents, examples, tokenizer, do_lower_case):
    """Hexadecimal digest of everything the features depend on: notes, mentions, examples, vocabulary, options, format."""
    digest = Digest()
    digest.add(str(FORMAT), str(do_lower_case), *LABELS)
    digest.add(*("/".join(kind) for kind in mentions.KINDS))
    digest.add(*sorted(tokenizer.vocab, key=tokenizer.vocab.get))
    digest.add(*(part for document in documents for part in (document.name, document.text, *mention_texts(document))))
    digest.add(*(part for example in examples for part in (example.document, example.from_id, example.to_id, example.label)))
    return digest.hexadecimal()


def mention_texts(document):
    """All that the features take from a document's mentions, as texts."""
    return [str(part) for mention in document.mentions
            for part in (mention.tag, mention.type, mention.id, mention.start, mention.end, mention.text)]


def heading_above(span, of_note):
    """The last of a note's headings that ends before a span, or None; spans in characters."""
    if span is None:
        return None
    number = bisect.bisect_right([end for _, end in of_note], span[0])
    return of_note[number - 1] if number else None


def piece_range(span, pieces):
    """The word pieces that a span of the text touches: (first, one after the last).

    span : (begin, end) in characters, or None.
    pieces : int32 [pieces, 2], the spans of the note's pieces.
    """
    if span is None:
        return NOWHERE
    begin = int(np.searchsorted(pieces[:, 1], span[0], side="right"))
    end = int(np.searchsorted(pieces[:, 0], span[1], side="left"))
    # A mention of nothing but characters the tokenizer drops touches no piece.
    return (begin, end) if begin < end else NOWHERE


def marker_ids(vocab):
    """Ids of the typed markers: int32 [2 sides, KINDS, 2 ends].

    They are the vocabulary's unused pieces, in their order; where it has too few of them (multilingual BERT has 99),
    its last pieces besides, which are the rarest.
    """
    count = SIDES * len(mentions.KINDS) * ENDS
    unused = [number for piece, number in vocab.items() if piece.startswith("[unused")]
    others = [number for piece, number in vocab.items() if piece[0] != "["]
    chosen = sorted(unused)[:count] + sorted(others, reverse=True)
    # A toy vocabulary may be smaller than that; its markers then share pieces.
    return np.resize(np.array(chosen[:count], np.int32), (SIDES, len(mentions.KINDS), ENDS))
