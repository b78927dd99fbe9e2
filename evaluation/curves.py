"""Reading the training and validation curves of a run from its event files; needs no TensorFlow."""
import collections
import glob
import os
import struct
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from support.console import say
from support.files import open_regular

# An event with a picture is longer; it holds none of the curves.
LONGEST_EVENT = 4096


class Place(NamedTuple):
    """Where an event is in a file."""
    begin: int
    length: int


def read_curves(folder):
    """The scalar curves of a run.

    Parameters
    ----------
    folder : paths.ResultFolder.tensorboard, with a folder of event files for each set.

    Returns
    -------
    dict
        {"training" or "validation": {tag: (steps int [points], values float [points])}}, by step.
        {} where there are no event files. What of them is damaged is told and left out.
    """
    return {name: curves for name, curves in ((name, _read_folder(os.path.join(folder, name)))
                                              for name in ("training", "validation")) if curves}


def _read_folder(folder):
    """Curves of one set.

    A later event of the same step replaces an earlier one, and what a cut-off run wrote after the state that
    the next one continued from is dropped, as TensorBoard does.
    """
    curves = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*"))):
        for event in _events(path):
            if event.HasField("session_log"):
                for points in curves.values():
                    for step in [step for step in points if step > event.step]:
                        del points[step]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return {tag: (np.array(sorted(points)), np.array([points[step] for step in sorted(points)]))
            for tag, points in curves.items() if points}


def _events(path):
    """The events of a file that are whole and hold no picture, in order; a record cut off at the end is passed over.

    A record is its length (uint64), a checksum of that, the event, a checksum of it.
    """
    try:
        with open_regular(path) as source:
            content = source.read()
    except OSError as error:
        say(f"{path}: cannot be read ({error.strerror}); the curves lack what is in it")
        return
    places, lost = _places(content)
    whole = _whole_records(content, [place for place in places if place.length <= LONGEST_EVENT])
    wrong = lost + sum(place.length <= LONGEST_EVENT for place in places) - len(whole)
    for record in whole:
        try:
            yield Event.FromString(record)
        except DecodeError:
            wrong += 1
    if wrong:
        say(f"{path}: damaged (bytes of it are altered); the curves lack {wrong} or more of its records")


def _places(content):
    """Where the records of a file are: (list of Place, 1 if those after them are lost, 0 if there are no others)."""
    places, begin = [], 0
    while begin + 12 <= len(content):
        length, = struct.unpack_from("<Q", content, begin)
        if begin + 12 + length + 4 > len(content):
            break
        places.append(Place(begin + 12, length))
        begin += 12 + length + 4
    heads = [place.begin - 12 for place in places] + [begin] * (begin + 12 <= len(content))
    right = _are_right(content, heads, 8)
    # Behind a length that is altered no record begins where it seems to.
    return (places, 0) if right.all() else (places[:int(right.argmin())], 1)


def _whole_records(content, places):
    """The records at some places whose checksums are right, in order: list of bytes."""
    of_length = collections.defaultdict(list)
    for place in places:
        of_length[place.length].append(place.begin)
    whole = []
    for length, begins in of_length.items():
        right = _are_right(content, begins, length)
        whole += [(begin, content[begin:begin + length]) for begin, is_right in zip(begins, right) if is_right]
    return [record for _, record in sorted(whole)]


def _are_right(content, begins, length):
    """Whether the bytes of a length at some places are followed by their checksums: bool [places]."""
    checks = [struct.unpack_from("<I", content, begin + length)[0] for begin in begins]
    return masked_crc32c([content[begin:begin + length] for begin in begins]) == np.array(checks, np.uint32)


def _crc_table():
    """CRC-32C of each byte: uint32 [256] (Castagnoli's polynomial, reflected)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    return table


CRC_TABLE = _crc_table()


def masked_crc32c(records):
    """The checksums that event files have of records of one length, list of bytes: uint32 [records].

    They are CRC-32C, rotated by 15 bits to the right, plus a constant. All records go through it together.
    """
    columns = np.frombuffer(b"".join(records), np.uint8).reshape(len(records), len(records[0]) if records else 0).T
    crc = np.full(len(records), 0xFFFFFFFF, np.uint32)
    for column in columns:
        crc = CRC_TABLE[(crc ^ column) & 0xFF] ^ (crc >> 8)
    crc = ~crc
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
