"""A reader of pickles that runs nothing, for the pickles in PyTorch's files.

A pickle is a program for a small stack machine; Python's own reader lets it import and call whatever it likes. This one
knows the instructions that PyTorch's files are made of, makes plain data of them, and calls only what it is given by name.
"""
import pickletools
import struct

# Bounds for damaged and hostile files. BERT-large has some 400 tensors, of 30 instructions each.
MOST_INSTRUCTIONS = 500000
LONGEST_TEXT = 10 ** 5


class Refused(Exception):
    """A pickle that is damaged, or wants what is not allowed; the message says what is wrong with it."""


MARK = object()  # where a list of values begins on the stack


class Callable:
    """What the name of a global may stand for: a function of ours, of the tuple of arguments that the pickle gives it."""

    def __init__(self, function):
        self.function = function


def load(source, allowed, persistent):
    """Read one pickle.

    Parameters
    ----------
    source : binary file, at the pickle's beginning; afterwards at its end.
    allowed : dict of (module, name) -> what stands for that global: a Callable, or any other value, which cannot be called.
    persistent : function of the tuple that names an object outside of the pickle; returns what stands for it.

    Returns
    -------
    None, bool, int, float, str, list, tuple, dict, or what `allowed` and `persistent` gave.

    Raises
    ------
    Refused : another global, another instruction, or a damaged pickle.
    """
    return Machine(source, allowed, persistent).run()


class Machine:
    """The stack machine; each method that INSTRUCTIONS names carries out one instruction."""

    def __init__(self, source, allowed, persistent):
        self.source, self.allowed, self.persistent = source, allowed, persistent
        self.stack, self.memo = [], {}

    def run(self):
        for _ in range(MOST_INSTRUCTIONS):
            code = self.source.read(1)
            if code == b".":
                result = self.pop()
                if self.stack:
                    raise Refused("its pickle is damaged: it ends with values left over")
                return result
            if code not in INSTRUCTIONS:
                raise Refused("its pickle is cut off" if not code else
                              f"its pickle has the instruction {instruction_name(code)}, which PyTorch's files do not use")
            INSTRUCTIONS[code](self)
        raise Refused("its pickle does not end")

    # ------------------------------------------------------------------------------------------ reading and stack

    def take(self, count):
        data = self.source.read(count)
        if len(data) != count:
            raise Refused("its pickle is cut off")
        return data

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, length, encoding):
        if not 0 <= length <= LONGEST_TEXT:
            raise Refused(f"its pickle has a text of {length} bytes")
        try:
            return self.take(length).decode(encoding)
        except UnicodeDecodeError:
            raise Refused("its pickle has a text that is not UTF-8")

    def line(self):
        data = self.source.readline(LONGEST_TEXT)
        if not data.endswith(b"\n"):
            raise Refused("its pickle is cut off")
        return data[:-1].decode("utf-8", "backslashreplace")

    def push(self, value):
        self.stack.append(value)

    def pop(self, kind=object):
        if not self.stack or self.stack[-1] is MARK or not isinstance(self.stack[-1], kind):
            raise Refused("its pickle is damaged: an instruction finds another value than it needs")
        return self.stack.pop()

    def pop_marked(self):
        """The values since the last mark."""
        values = []
        while self.stack and self.stack[-1] is not MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise Refused("its pickle is damaged: a list of values has no beginning")
        self.stack.pop()
        return values[::-1]

    # ----------------------------------------------------------------------------------------------- instructions

    def protocol(self):
        version = self.number("<B")
        if version > 5:
            raise Refused(f"its pickle is of protocol {version}")

    def small_tuple(self, count):
        self.push(tuple([self.pop() for _ in range(count)][::-1]))

    def put(self, number):
        self.memo[number] = self.peek()

    def get(self, form):
        number = self.number(form)
        if number not in self.memo:
            raise Refused("its pickle is damaged: it asks for a value that it has not kept")
        self.push(self.memo[number])

    def peek(self, kind=object):
        value = self.pop(kind)
        self.push(value)
        return value

    def find_global(self, module, name):
        if (module, name) not in self.allowed:
            raise Refused(f"it wants to use {printable(module)}.{printable(name)}, and may hold a program; only tensors are "
                          "read from such a file, nothing is run")
        self.push(self.allowed[module, name])

    def find_global_on_stack(self):
        name, module = self.pop(str), self.pop(str)
        self.find_global(module, name)

    def persistent_object(self):
        self.push(self.persistent(self.pop(tuple)))

    def call(self):
        arguments = self.pop(tuple)
        self.push(self.pop(Callable).function(arguments))

    def build(self):
        # PyTorch keeps versions of a model's parts as an attribute of the dict of its tensors.
        self.pop(dict)
        self.peek(dict)

    def set_items(self, values):
        target = self.peek(dict)
        if len(values) % 2:
            raise Refused("its pickle is damaged: a name without a value")
        for name, value in zip(values[::2], values[1::2]):
            add_item(target, name, value)

    def append(self, values):
        self.peek(list).extend(values)

    def append_one(self):
        value = self.pop()
        self.append([value])

    def set_item(self):
        value, name = self.pop(), self.pop()
        self.set_items([name, value])


INSTRUCTIONS = {
    b"\x80": Machine.protocol,
    b"(": lambda machine: machine.push(MARK),
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": lambda machine: machine.push(machine.number("<B")),
    b"M": lambda machine: machine.push(machine.number("<H")),
    b"J": lambda machine: machine.push(machine.number("<i")),
    b"\x8a": lambda machine: machine.push(int.from_bytes(machine.take(machine.number("<B")), "little", signed=True)),
    b"G": lambda machine: machine.push(machine.number(">d")),
    b"X": lambda machine: machine.push(machine.text(machine.number("<I"), "utf-8")),
    # Texts of Python 2.
    b"U": lambda machine: machine.push(machine.text(machine.number("<B"), "latin-1")),
    b"T": lambda machine: machine.push(machine.text(machine.number("<i"), "latin-1")),
    b")": lambda machine: machine.push(()),
    b"\x85": lambda machine: machine.small_tuple(1),
    b"\x86": lambda machine: machine.small_tuple(2),
    b"\x87": lambda machine: machine.small_tuple(3),
    b"t": lambda machine: machine.push(tuple(machine.pop_marked())),
    b"]": lambda machine: machine.push([]),
    b"a": Machine.append_one,
    b"e": lambda machine: machine.append(machine.pop_marked()),
    b"}": lambda machine: machine.push({}),
    b"s": Machine.set_item,
    b"u": lambda machine: machine.set_items(machine.pop_marked()),
    b"b": Machine.build,
    b"q": lambda machine: machine.put(machine.number("<B")),
    b"r": lambda machine: machine.put(machine.number("<I")),
    b"h": lambda machine: machine.get("<B"),
    b"j": lambda machine: machine.get("<I"),
    b"c": lambda machine: machine.find_global(machine.line(), machine.line()),
    b"Q": Machine.persistent_object,
    b"R": Machine.call,
    # Protocol 4, which PyTorch uses where it is told to.
    b"\x95": lambda machine: machine.take(8),
    b"\x94": lambda machine: machine.put(len(machine.memo)),
    b"\x8c": lambda machine: machine.push(machine.text(machine.number("<B"), "utf-8")),
    b"\x93": Machine.find_global_on_stack}


def add_item(target, name, value):
    """Set an item of a dict whose keys are texts and whole numbers; a nested tuple could take for ever to hash."""
    if not isinstance(name, (str, int)):
        raise Refused(f"its pickle has a {type(name).__name__} as a name")
    target[name] = value


def instruction_name(code):
    """The name of an instruction, as `python3 -m pickletools` shows it."""
    known = pickletools.code2op.get(code.decode("latin-1"))
    return known.name if known else f"0x{code.hex()}"


def printable(text):
    """A name out of a pickle, safe to show."""
    return ascii(text[:60])[1:-1]
