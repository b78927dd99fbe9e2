"""From the command line to the function that does the work."""
import importlib

from commands.common import require_libraries
from commands.options import parse_arguments
from support import console, interrupts
from tasks.i2b2 import I2B2

# Command -> the module that has the function of that name; it is imported when the command is given.
COMMANDS = {"check": "commands.check", "train": "commands.train", "test": "commands.test", "demo": "commands.demo",
            "predict": "commands.use", "export": "commands.use", "compare": "commands.use"}
# A terminal or a reader that goes away must not cost the hours of these.
LASTING = ("train", "test", "demo")


def main(words=None, task=I2B2):
    """Do what the command line, or a list of its words, says, for a task.Task."""
    arguments = parse_arguments(words, task)
    require_libraries(task.program)
    if arguments.command in LASTING:
        console.outlast_readers()
        interrupts.outlast_terminal()
    command = function_of(arguments.command)
    if getattr(arguments, "seeds", None) and arguments.command != "check":
        from commands.repeat import repeat
        repeat(command, arguments)
    else:
        command(arguments)


def function_of(name):
    """The function that does a command."""
    return getattr(importlib.import_module(COMMANDS[name]), name)
