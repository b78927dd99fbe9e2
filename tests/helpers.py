"""What several test files share: running the real commands, and folders to run them on."""
import os
import shutil
import subprocess
import sys

from conftest import PROJECT


def run(script, *arguments, cwd=None, check=True, timeout=600):
    """Run one of the project's scripts; returns the finished process with its output as text."""
    command = [sys.executable, str(PROJECT / script)] + [str(argument) for argument in arguments]
    finished = subprocess.run(command, cwd=str(cwd or PROJECT), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=timeout, stdin=subprocess.DEVNULL)
    if check:
        assert finished.returncode == 0, f"{script} {arguments}\n{finished.stdout}\n{finished.stderr}"
    return finished


def corpus_of(folder, train, test):
    """A corpus folder in the i2b2 layout from two folders of XML (or iterables of files)."""
    for source, place in ((train, "2012-07-15.original-annotation.release"), (test, "ground_truth/merged_xml")):
        target = folder / place
        target.mkdir(parents=True)
        for path in sorted(source.glob("*.xml")) if hasattr(source, "glob") else source:
            shutil.copyfile(str(path), str(target / path.name))
    return folder


def settings(**changes):
    """`--set` arguments."""
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def files_below(folder):
    """Every file below a folder."""
    return [os.path.join(place, name) for place, _, names in os.walk(str(folder)) for name in names]
