"""Where commands may write: text of notes never into a result folder, nothing through a link, nothing beside the user's choice."""
import glob
import os

from support.errors import InputError
from support.paths import DEFAULT_RESULT

ADVICE = "which holds no text of any note so that it may be zipped and sent"
# What the folder of a run, or of several, holds: patterns of paths in it.
SIGNS_OF_A_RUN = ("run.json", "seeds.json", "checkpoints/*/vocab.txt", "checkpoints/*/best_validation.index",
                  "seed-0/checkpoints/*/vocab.txt", "seed-0/checkpoints/*/best_validation.index")


def check_run(result, corpus=None):
    """Refuse folders in which a run's files would go astray; nothing is written.

    Parameters
    ----------
    result : paths.ResultFolder
    corpus : paths.CorpusFolder that the run's text is kept in, or None.

    Raises
    ------
    InputError : --result is a link that leads nowhere, one of its folders or of those that the corpus folder gets is a link, or
        one of the two folders is in the other.
    """
    if os.path.islink(result.root) and not os.path.exists(result.root):
        raise InputError(f"--result {result.root} is a link that leads nowhere; make the folder that it leads to, or name another.")
    check_no_link(result.all_checkpoints, result.checkpoints, result.all_curves, result.tensorboard, result.figures,
                  result.system_xml)
    if corpus is not None:
        check_no_link(*corpus.outputs(result))
        check_text(corpus.root, "--corpus")
        if is_within(corpus.root, result.root) or is_within(result.root, corpus.root):
            raise InputError(f"--corpus {corpus.root} and --result {result.root} are in each other: text of notes would get into "
                             f"the result folder, {ADVICE}. Name a result folder elsewhere.")


def check_text(folder, option):
    """Refuse a folder for text of notes that is a link to nowhere or in the result folder of any run; InputError says so.

    option : what the user named it with, such as "--out".
    """
    if os.path.islink(folder) and not os.path.exists(folder):
        raise InputError(f"{option} {folder} is a link that leads nowhere; make the folder that it leads to, or name another.")
    result = result_folder_around(folder)
    if result is not None:
        raise InputError(f"{option} {folder} is in the result folder {result}, {ADVICE}; choose a folder beside it.")


def check_no_link(*folders):
    """InputError where an output folder is a link: what is written and removed there would be somebody else's."""
    for folder in folders:
        if os.path.islink(folder):
            raise InputError(f"{folder} is a link: what is written there, and what is removed, would be in {os.readlink(folder)}. "
                             "Remove the link; to have it all on another disk, name a folder there.")


def result_folder_around(path):
    """The result folder that a path is, or leads into; None where there is none."""
    path = os.path.realpath(path)
    while True:
        if is_result(path):
            return path
        parent = os.path.dirname(path)
        if parent == path:
            return None
        path = parent


def is_result(folder):
    """Whether a folder is the project's result folder, or that of a run, or of several runs that differ in the seed."""
    return (is_same(folder, DEFAULT_RESULT)
            or any(glob.glob(os.path.join(glob.escape(folder), pattern)) for pattern in SIGNS_OF_A_RUN))


def is_same(path, other):
    """Whether two paths lead to the same place."""
    return os.path.realpath(path) == os.path.realpath(other)


def is_within(path, folder):
    """Whether a path is a folder or leads into it."""
    path, folder = (os.path.join(os.path.realpath(each), "") for each in (path, folder))
    return path.startswith(folder)
