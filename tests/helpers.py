"""What several test files share: running the real commands, and folders to run them on."""
import array
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import numpy as np

from conftest import PROJECT
from data_process_i2b2 import Example
from inputs.labels import LABELS

# As the tests began with it: some change it for a while, and the fork server lasts.
ENVIRONMENT = dict(os.environ)

NOTE = """<?xml version="1.0" encoding="UTF-8" ?>
<ClinicalNarrativeTemporalAnnotation>
<TEXT><![CDATA[
Admission Date :
03/02/2001
The patient had a fall , then {word} , then surgery .
]]></TEXT>
<TAGS>
<TLINK id="TL0" fromID="E0" fromText="fall" toID="E1" toText="{word}" type="Before" />
<TLINK id="TL1" fromID="E1" fromText="{word}" toID="E2" toText="surgery" type="{label}" />
<TLINK id="TL2" fromID="E0" fromText="fall" toID="E2" toText="surgery" type="" />
<TLINK id="SECTIME3" fromID="E2" fromText="surgery" toID="Admission" toText="Admission" type="AFTER" />
<TLINK id="SECTIME3" fromID="E2" fromText="surgery" toID="Admission" toText="Admission" type="AFTER" />
</TAGS>
</ClinicalNarrativeTemporalAnnotation>
"""


def write_notes(folder, words, label):
    """One note for each word, and `label` as the type of one of its TLINKs."""
    folder.mkdir(parents=True)
    for number, word in enumerate(words):
        (folder / f"{number}.xml").write_text(NOTE.format(word=word, label=label), encoding="utf-8")


def write_corpus(folder):
    """A corpus folder of six training and two test notes, all made up."""
    words = ("fracture", "pain", "fever", "rash", "stroke", "cough")
    write_notes(folder / "2012-07-15.original-annotation.release", words, "OVERLAP")
    write_notes(folder / "ground_truth" / "merged_xml", ("angina", "syncope"), "DURING")
    return folder


def i2b2_xml(text, tags):
    """A document of i2b2."""
    return f"<r><TEXT><![CDATA[{text}]]></TEXT><TAGS>{tags}</TAGS></r>"


def tlinks(count):
    """So many TLINKs, as XML."""
    return "".join(f'<TLINK id="TL{number}" fromID="E0" fromText="fall" toID="E1" toText="pain" type="AFTER"/>'
                   for number in range(count))


BIOC = "<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE collection SYSTEM 'BioC.dtd'>\n<collection>{documents}</collection>\n"
ABSTRACT = """<document><id>{id}</id>
<passage><infon key="type">title</infon><offset>0</offset><text>Zyxodine and {disease}, a study.</text>
<annotation id="0"><infon key="type">Chemical</infon><infon key="MESH">D1</infon><text>Zyxodine</text></annotation>
<annotation id="1"><infon key="type">Disease</infon><infon key="MESH">D3</infon><text>{disease}</text></annotation></passage>
<passage><infon key="type">abstract</infon><offset>30</offset><text>Gold did not cause {disease} (or fever) in {id}: 50%.</text>
<annotation id="2"><infon key="type">Chemical</infon><infon key="MESH">D2</infon><text>Gold</text></annotation>
<annotation id="3"><infon key="type">Disease</infon><infon key="MESH">D4</infon><text>fever</text></annotation></passage>
<relation id="R0"><infon key="relation">CID</infon><infon key="Chemical">D1</infon><infon key="Disease">D3</infon></relation>
</document>
"""
BC5CDR_FILES = {"train": "CDR_TrainingSet.BioC.xml", "dev": "CDR_DevelopmentSet.BioC.xml", "test": "CDR_TestSet.BioC.xml"}


def write_bc5cdr(folder):
    """A made-up corpus in BC5CDR's layout: 12 training, 4 development and 7 test abstracts, of one relation in four pairs."""
    folder.mkdir(parents=True)
    diseases = ("rash", "cough", "pain", "stroke", "fracture", "angina", "syncope", "nausea", "anemia", "tremor", "ulcer", "edema")
    for number, (split, count) in enumerate((("train", 12), ("dev", 4), ("test", 7))):
        documents = "".join(ABSTRACT.format(id=100 * (number + 1) + place, disease=diseases[place]) for place in range(count))
        (folder / BC5CDR_FILES[split]).write_text(BIOC.format(documents=documents), encoding="utf-8")
    return folder


def cut_bc5cdr(shared, folder, **counts):
    """A corpus folder with the first abstracts of each file of the real corpus; `counts` by split, None for all of them."""
    folder.mkdir(parents=True)
    for split, name in BC5CDR_FILES.items():
        head, *documents = (shared / "bc5cdr" / name).read_text(encoding="utf-8").split("<document>")
        documents[-1] = documents[-1].split("</collection>")[0]
        cut = head + "".join("<document>" + document for document in documents[:counts[split]]) + "</collection>\n"
        (folder / name).write_text(cut, encoding="utf-8")
    return folder


def run(script, *arguments, cwd=None, check=True, timeout=600, fresh=False):
    """Run one of the project's scripts or modules ("notes.consistency"); returns the finished process with its output as text.

    fresh : start a process; otherwise one is forked that has imported TensorFlow already (see fork_server).
    """
    folder = str(cwd or PROJECT)
    if fresh:
        finished = subprocess.run(command_of(script, *arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  universal_newlines=True, timeout=timeout, stdin=subprocess.DEVNULL)
    else:
        finished = forked(script, arguments, folder, timeout)
    if check:
        assert finished.returncode == 0, f"{script} {arguments}\n{finished.stdout}\n{finished.stderr}"
    return finished


def forked(script, arguments, folder, timeout):
    """`run` in a process forked by the fork server."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        with Background(script, *arguments, out=out, errors=errors, folder=folder) as process:
            process.wait(timeout)
        texts = []
        for written in (out, errors):
            written.seek(0)
            texts.append(written.read().decode("utf-8").replace("\r\n", "\n"))
        return subprocess.CompletedProcess([process.program, *arguments], process.returncode, *texts)


class Background:
    """A script or module at work in a process forked by the fork server; used as a subprocess.Popen, which is killed at the end.

    Parameters
    ----------
    script, arguments : as for `run`.
    out, errors : open files for what it prints; `errors` may be the same.
    folder : the working directory.
    environment : variables besides those of this process.
    """

    def __init__(self, script, *arguments, out, errors, folder=PROJECT, environment=None):
        self.program, self.returncode = str(PROJECT / script) if script.endswith(".py") else script, None
        request = json.dumps({"program": self.program, "arguments": [str(argument) for argument in arguments],
                              "folder": str(folder), "environment": dict(os.environ, **environment or {})}).encode("utf-8") + b"\n"
        self._answers, its = socket.socketpair()
        with its:
            connection = fork_server()
            descriptors = array.array("i", [out.fileno(), errors.fileno(), its.fileno()])
            sent = connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            connection.sendall(request[sent:])
        self.pid = int(self._line(60))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.wait()
        self._answers.close()

    def _line(self, timeout):
        """The next line from the fork server."""
        self._answers.settimeout(timeout)
        line = b""
        while not line.endswith(b"\n"):
            byte = self._answers.recv(1)
            assert byte, "the fork server has ended"
            line += byte
        return line

    def poll(self):
        """Exit status, or None while it is at work."""
        with contextlib.suppress(BlockingIOError):
            return self.wait(0)
        return None

    def wait(self, timeout=None):
        """Exit status; an OSError after so many seconds."""
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
        return self.returncode

    def send_signal(self, number):
        """Send a signal, if it is still at work."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@functools.lru_cache(maxsize=None)
def fork_server():
    """The connection to the fork server, which ends with this process."""
    ours, its = socket.socketpair()
    with its:
        subprocess.Popen([sys.executable, str(PROJECT / "tests" / "fork_server.py"), str(its.fileno())], pass_fds=[its.fileno()],
                         stdin=subprocess.DEVNULL, cwd=str(PROJECT), env=ENVIRONMENT)
    return ours


def command_of(script, *arguments):
    """The words of the command that runs one of the project's scripts or, from the project's folder, modules."""
    program = [str(PROJECT / script)] if script.endswith(".py") else ["-m", script]
    return [sys.executable] + program + [str(argument) for argument in arguments]


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


def made_up(rows, documents=7, seed=0, skill=1.5, labels=range(8)):
    """Examples and log probabilities of a classifier of some skill."""
    random = np.random.RandomState(seed)
    examples = [
        Example(f"D{row * documents // rows}_TL{row}", "a b", "a b c", LABELS[random.choice(labels)],
                f"D{row * documents // rows}", f"TL{row}", f"E{random.randint(30)}",
                f"E{random.randint(30, 60)}") for row in range(rows)
    ]
    logits = random.normal(size=(rows, 8))
    logits[np.arange(rows), [LABELS.index(example.label) for example in examples]] += skill
    return examples, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def modules():
    """Every module of the project but its tests: list of paths."""
    return sorted(PROJECT.glob("*.py")) + [path for path in sorted(PROJECT.glob("*/*.py")) + sorted(PROJECT.glob("*/*/*.py"))
                                           if path.relative_to(PROJECT).parts[0] != "tests"
                                           and not path.relative_to(PROJECT).parts[0].startswith(".")]
