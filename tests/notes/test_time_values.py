"""The order of two values of times: every rule, and that it is a strict partial order."""
import itertools

import pytest
from hypothesis import given, settings, strategies

from notes.time_values import PARTS, parse, relation, relation_by_days

OPPOSITE = {"BEFORE": "AFTER", "AFTER": "BEFORE", "OVERLAP": "OVERLAP", None: None}


def order(one, other):
    return relation(parse(one), parse(other))


def test_values_that_are_dates():
    dates = ("2001", "2001-03", "2001-03-02", "2001-03-02T14:00", "2001-03-02TMO", "2001-03-02T9:30", "2001-03-02T14:00:10",
             "2001-03-02T14:00Z", "2001-03-02t14:00-05:00", " 2001-03-02 ", "2013-03-25T 24:00", "2000-02-29", "9999-12-31T24:00")
    assert all(map(parse, dates))
    # The corpus has slips such as the ones in the second line.
    assert not any(map(parse, ("P3D", "R2", "", "2001-3-2", "20010302", "2001-13", "2001-02-29", "2001-00-10", "0000",
                               "1993-0907T14:30", "2017-07-012", "210-08-26", "rpt1h", "2001-03-02 14:00")))


@pytest.mark.parametrize("one, other, wanted", [
    ("2001-03-02", "2001-03-03", "BEFORE"), ("2001", "2001-03", None), ("2001-03", "2001-03-31", None), ("2001", "2001", "OVERLAP"),
    ("2001-02", "2001-03-01", "BEFORE"), ("2001-03-02", "2001-03-02T14:00", None),
    # Hours and minutes are numbers, and one of them may be left out.
    ("2001-03-02T9:30", "2001-03-02T10:00", "BEFORE"), ("2001-03-02T9:30", "2001-03-02T09:30", "OVERLAP"),
    ("2001-03-02T14", "2001-03-02T14:30", None), ("2001-03-02T14", "2001-03-02T15:00", "BEFORE"),
    ("2001-03-02T14:30", "2001-03-02T14:30:20", None), ("2001-03-02T14:30:20", "2001-03-02T14:31", "BEFORE"),
    # 24:00 is the next day's start.
    ("2001-03-02T24:00", "2001-03-03T00:00", "OVERLAP"), ("2001-03-02T24:00", "2001-03-02T23:59", "AFTER"),
    ("2001-03-02T24:00", "2001-03-03", None), ("2001-03-02T24:00", "2001-03-02", "AFTER"),
    ("2001-12-31T24:00", "2002-01-01T00:10", "BEFORE"), ("2013-03-25T 24:00", "2013-03-26T1:00", "BEFORE"),
    # Parts of a day, and hours that are certainly outside of them.
    ("2001-03-02TMO", "2001-03-02TAF", "BEFORE"), ("2001-03-02TAF", "2001-03-02TEV", "BEFORE"),
    ("2001-03-02TNI", "2001-03-02TEV", "AFTER"), ("2001-03-02TMI", "2001-03-02TMO", "AFTER"),
    ("2001-03-02TDT", "2001-03-02TMO", None), ("2001-03-02TDT", "2001-03-02TNI", "BEFORE"),
    ("2001-03-02TMO", "2001-03-02TMO", "OVERLAP"), ("2001-03-02TMO", "2001-03-02", None),
    ("2001-03-02TMO", "2001-03-02T09:30", None), ("2001-03-02TMO", "2001-03-02T20:00", "BEFORE"),
    ("2001-03-02TAF", "2001-03-02T9:00", "AFTER"), ("2001-03-02TNI", "2001-03-03TMO", "BEFORE"),
    # A zone only against the same zone, unless no two zones are that far apart.
    ("2001-03-02T10:00Z", "2001-03-02T11:00+00:00", "BEFORE"), ("2001-03-02T10:00Z", "2001-03-02T11:00-05:00", None),
    ("2001-03-02T10:00Z", "2001-03-02T11:00", None), ("2001-03-02T10:00+01", "2001-03-02T11:00+0100", "BEFORE"),
    ("2001-03-02T10:00Z", "2001-03-02T10:00", None), ("2001-03-02T23:00-05:00", "2001-03-03T01:00Z", None),
    ("2001-03-02T10:00Z", "2001-03-05", "BEFORE"), ("2001-03-02T10:00-00:00", "2001-03-02T10:00Z", "OVERLAP"),
    # What cannot be read is some time of its day.
    ("2001-03-02TXX", "2001-03-02T10:00", None), ("2001-03-02TXX", "2001-03-02TXX", None), ("2001-03-02T25:00", "2001-03-02", None),
    ("2001-03-02T10:75", "2001-03-03", "BEFORE"), ("2001-03-02T24:30", "2001-03-02T09:00", None)])
def test_the_order_of_two_values(one, other, wanted):
    assert order(one, other) == wanted and order(other, one) == OPPOSITE[wanted]


@pytest.mark.parametrize("one, other, wanted", [
    ("2001-03-02T14:00", "2001-03-03TMO", "BEFORE"), ("2001-03-02T9:00", "2001-03-02T10:00", None),
    ("2001-03-02TMO", "2001-03-02TAF", None), ("2001-03-02T9:00", "2001-03-02T9:00", None), ("2001-03-02", "2001-03-02", "OVERLAP"),
    ("2001-03-02", "2001-03-02T24:00", None), ("2001-03-02T24:00", "2001-03-04", "BEFORE"),
    ("2001-03-02T24:00", "2001-03-03T10:00", None)])
def test_what_the_days_alone_tell(one, other, wanted):
    assert relation_by_days(parse(one), parse(other)) == wanted
    assert relation_by_days(parse(other), parse(one)) == OPPOSITE[wanted]


CLOCKS = strategies.one_of(
    strategies.sampled_from(sorted(PARTS)), strategies.sampled_from(["", "T24:00", "TXX", "T"]),
    strategies.builds("T{}:{:02d}{}".format, strategies.integers(0, 23), strategies.sampled_from([0, 1, 30, 59]),
                      strategies.sampled_from(["", "", "Z", "-05:00", "+14:00"])),
    strategies.builds("T{}".format, strategies.integers(0, 24)))
VALUES = strategies.one_of(strategies.builds("2001-03-{:02d}{}".format, strategies.integers(1, 6), CLOCKS),
                           strategies.sampled_from(["2001", "2001-03", "2001-02", "2001-02-28", "2001-02-28T24:00", "2002"]))


def check(a, b, c):
    """Irreflexive, antisymmetric, transitive; and equal times have the same order with any other."""
    assert relation(a, a) in ("OVERLAP", None)
    assert relation(b, a) == OPPOSITE[relation(a, b)]
    if relation(a, b) == relation(b, c) == "BEFORE":
        assert relation(a, c) == "BEFORE"
    if relation(a, b) == "OVERLAP":
        assert relation(a, c) == relation(b, c)
    assert relation_by_days(a, b) in (None, relation(a, b))
    if relation_by_days(a, b) == relation_by_days(b, c) == "BEFORE":
        assert relation_by_days(a, c) == "BEFORE"


@settings(max_examples=400, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_it_is_a_strict_partial_order(a, b, c):
    check(*map(parse, (a, b, c)))


def test_it_is_a_strict_partial_order_of_every_hour_and_part_of_a_day():
    clocks = [f"T{hour}:00" for hour in range(25)] + ["T11:59", "T17:59", "", *PARTS]
    values = [parse(f"2001-03-02{clock}") for clock in clocks] + [parse("2001-03-03TMO")]
    for a, b, c in itertools.product(values, repeat=3):
        check(a, b, c)
