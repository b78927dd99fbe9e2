"""What the values of times say of their order.

A value is a year, a month, a day or a time of a day, as TIMEX3 writes them (TimeML 1.2.1, after ISO 8601): 2001,
2001-03, 2001-03-02, 2001-03-02T14:30, 2001-03-02TMO. Each is taken as an interval, and one time is before another if
its interval ends before the other's begins. So two times of which one is within the other are in no order.
"""
import calendar
import datetime
import re
from typing import NamedTuple, Optional

from evaluation.temporal_graph import AFTER, BEFORE, OVERLAP

DAY, HOUR, MINUTE = 24 * 3600, 3600, 60

VALUE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(T\s*\S*)?)?)?\Z")
CLOCK = re.compile(r"T\s*([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?\Z")

# TIMEX3's parts of a day: the first and the last of the five that they cover, and the hours that they may cover. Their
# limits are nobody's definition, so they are wide. Where they do not matter, among parts, the order is that of the five.
# A part that is later also begins and ends later (or at the same hour): otherwise the order would not be transitive.
PARTS = {"TMO": (0, 0, 0, 12), "TMI": (1, 1, 11, 14), "TAF": (2, 2, 12, 18), "TEV": (3, 3, 17, 24), "TNI": (4, 4, 18, 24),
         "TDT": (0, 2, 0, 18)}

# Clocks of two zones differ by at most this, and so may one without a zone.
ZONES = 26 * HOUR


class Moment(NamedTuple):
    """A value as an interval. `start` and `end` are seconds from the calendar's beginning, end exclusive."""
    start: int
    end: int
    first_day: int         # number of the first day it touches
    last_day: int          # of the day after the last one
    zone: str              # "" where none is stated
    part: Optional[tuple]  # (first, last) of the five parts of a day that it covers; None for anything else
    of_day: bool           # it is a time of a day, not a whole day, month or year
    exact: bool            # equal values are the same time; not so for a time of a day that cannot be read


def parse(value):
    """The Moment of a TIMEX3's val or a SECTIME's dvalue, None where that is no date.

    A time of a day that cannot be read counts as some time of its day.
    """
    match = VALUE.match(value.strip().upper())
    if not match:
        return None
    year, month, day, clock = match.groups()
    try:
        first = datetime.date(int(year), int(month or 1), int(day or 1)).toordinal()
    except ValueError:
        return None
    if not day:
        days = calendar.monthrange(int(year), int(month))[1] if month else 365 + calendar.isleap(int(year))
        return Moment(first * DAY, (first + days) * DAY, first, first + days, "", None, False, True)
    whole = Moment(first * DAY, (first + 1) * DAY, first, first + 1, "", None, False, True)
    return time_of_day(whole, clock) if clock else whole


def time_of_day(day, clock):
    """The Moment of a time of a day.

    Parameters
    ----------
    day : Moment of the whole day.
    clock : str, "T14:30", "TMO"; in capitals.
    """
    if clock in PARTS:
        first, last, begin, end = PARTS[clock]
        return day._replace(start=day.start + begin * HOUR, end=day.start + end * HOUR, part=(first, last), of_day=True)
    match = CLOCK.match(clock)
    hour, minute, second = (int(number or 0) for number in match.groups()[:3]) if match else (24, 60, 60)
    if hour > 24 or minute > 59 or second > 59 or hour == 24 and (minute or second):
        return day._replace(of_day=True, exact=False)
    start = day.start + hour * HOUR + minute * MINUTE + second
    length = 1 if match.group(3) else MINUTE if match.group(2) else HOUR
    # 24:00 is the next day's start, and of both days.
    return Moment(start, start + length, day.first_day, day.last_day + hour // 24, zone_of(match.group(4)), None, True, True)


def zone_of(text):
    """A time zone in one spelling: "" for None, "+0000" for "Z", "+0100" for "+01" and "+01:00"."""
    if not text:
        return ""
    digits = text.replace(":", "").replace("Z", "+00").ljust(5, "0")
    return "+0000" if digits == "-0000" else digits


def relation(one, other):
    """BEFORE, AFTER or OVERLAP (they are the same time) for two Moments, None where their order is not certain."""
    if is_before(one, other):
        return BEFORE
    if is_before(other, one):
        return AFTER
    return OVERLAP if is_same(one, other) else None


def is_same(one, other):
    """Whether two Moments are certainly the same time. 24:00 and 00:00 of the next day are."""
    return (one.start, one.end, one.zone, one.part) == (other.start, other.end, other.zone, other.part) and (
        one.exact and other.exact)


def is_before(one, other):
    """Whether a Moment is certainly before another: a strict partial order."""
    if one.zone != other.zone:
        return one.end + ZONES <= other.start
    if one.part and other.part and one.first_day == other.first_day:
        return one.part[1] < other.part[0]
    return one.end <= other.start


def relation_by_days(one, other):
    """`relation` as far as the days tell it, without times of a day; None where they do not."""
    apart = 0 if one.zone == other.zone else ZONES
    if one.last_day * DAY + apart <= other.first_day * DAY:
        return BEFORE
    if other.last_day * DAY + apart <= one.first_day * DAY:
        return AFTER
    return OVERLAP if is_same(one, other) and not (one.of_day or other.of_day) else None
