"""Reading the JSON files that commands wrote, with the types and ranges that their values may have.

A schema is a function of a value that raises a ValueError with what is wrong; `record`, `mapped` and `listed` make one of others.
"""
import json
import math

from support.errors import InputError
from support.files import open_regular

# None of these files comes near; beyond, it is not the file it is named after.
MAX_BYTES = 10 * 1000 * 1000
MAX_DIGITS = 300  # of a whole number: Python takes quadratic time for them


def parse(text):
    """What JSON text says, with numbers of every size but no endless ones; ValueError where it is not JSON."""
    try:
        return json.loads(text, parse_int=whole_number)
    except RecursionError:
        raise ValueError("it is too deeply nested") from None


def whole_number(digits):
    """The digits of a JSON number as an int."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def read_json(path, schema, remedy):
    """The content of a JSON file.

    Parameters
    ----------
    path : the file.
    schema : what it may hold.
    remedy : what helps where it holds something else, as the end of a sentence.

    Raises
    ------
    FileNotFoundError : there is none.
    InputError : it cannot be read or holds something else.
    """
    try:
        with open_regular(path) as source:
            data = source.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES // 10**6} MB")
        content = parse(data.decode("utf-8"))
        schema(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: damaged (not UTF-8); {remedy}.") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {remedy}.") from None
    return content


# ----------------------------------------------------------------------------------------------------------- schemas

def anything(value):
    """What later versions may have added; only numbers that JSON does not have are refused."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            anything(part)


def text(value):
    """A string."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a string")


def flag(value):
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")


def number(low=-math.inf, high=math.inf, whole=False):
    """A finite number in a range."""
    def check(value):
        # True is an int to Python, and NaN fails the comparison.
        if type(value) not in ((int,) if whole else (int, float)) or not low <= value <= high or not math.isfinite(value):
            raise ValueError(f"{shown(value)} is not a {'whole ' if whole else ''}number from {low} to {high}")
    return check


def one_of(*values):
    """One of a few values of one type."""
    def check(value):
        if not any(type(value) is type(known) and value == known for known in values):
            raise ValueError(f"{shown(value)} is none of {', '.join(map(shown, values))}")
    return check


def either(*schemas):
    """What one of the schemas allows."""
    def check(value):
        problems = []
        for schema in schemas:
            try:
                return schema(value)
            except ValueError as error:
                problems.append(str(error))
        raise ValueError(problems[-1])
    return check


def listed(item):
    """A list."""
    def check(value):
        if not isinstance(value, list):
            raise ValueError(f"{shown(value)} is not a list")
        for part in value:
            item(part)
    return check


def mapped(item):
    """An object with any keys."""
    return record({}, item)


def record(keys, others=anything, required=()):
    """An object; `keys` are dict of key -> schema, `others` is that of all other keys."""
    def check(value):
        if not isinstance(value, dict):
            raise ValueError(f"{shown(value)} is not a JSON object")
        missing = [key for key in required if key not in value]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        for key, part in value.items():
            try:
                keys.get(key, others)(part)
            except ValueError as error:
                raise ValueError(f"{shown(key)}: {error}") from None
    return check


def shown(value):
    """A value as a message shows it: as JSON, short."""
    shortened = json.dumps(value)
    return shortened if len(shortened) <= 40 else shortened[:37] + "..."
