"""The documents tell what is there: links, files, functions, commands and their options, numbers, pictures."""
import ast
import contextlib
import functools
import io
import os
import re
import shlex
import subprocess
import sys
import urllib.parse

import pytest

from commands.options import parse_arguments
from conftest import PROJECT
from helpers import modules, run
from settings import RECIPES, Settings, parse_value

DOCUMENTS = sorted(path.relative_to(PROJECT).as_posix() for path in (
    *PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *(PROJECT / name / "README.md" for name in (
        "corpus", "pretrained bert model", "result"))))
COMMANDS = ("check", "train", "test", "demo", "predict", "export", "compare")
# Everything that can be run, as `python3 scoring.py` or `python3 -m notes.consistency`.
PROGRAMS = {path.name if path.parent == PROJECT else f"{path.parent.name}.{path.stem}" for path in modules()
            if "__main__" in path.read_text(encoding="utf-8")} | {"tests/fuzz_reader.py"}
# Programs of others that the documents run with `python3 -m`.
OTHERS = ("venv", "tensorboard.main", "pip", "pytest")
# What stands for something that a user fills in.
PLACEHOLDER = re.compile(r"[A-Z]+$")


def read(name):
    return (PROJECT / name).read_text(encoding="utf-8")


def code_of(text):
    """Lines of the code blocks of a document, those that go on joined, and its code spans: list of str."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return lines + [" ".join(span.split()) for span in spans]


def commands_of(text):
    """The commands of the project that a document gives: list of lists of words, without `python3`."""
    found = []
    for line in code_of(text):
        for part in re.findall(r"(?:python3?|[\w.]+/bin/python) (.*)", line):
            # A remark may stand behind a command, three spaces away or behind a #.
            words = [word for word in shlex.split(re.split(" {3,}", part)[0], comments=True) if word != "..."]
            found.append(words[1:] if words[0] == "-m" else words)
    return found


@functools.lru_cache(maxsize=None)
def options_of(program, *command):
    """The options that a program, or a command of it, names when it is asked for --help."""
    if program != "run_i2b2.py":
        text = run(program, *command, "--help").stdout
    else:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            parse_arguments([*command, "--help"])
        text = said.getvalue()
    return set(re.findall(r"--[a-z][a-z0-9-]*", text))


def check_words(words, known):
    """Options exist, and what follows --set and --recipe does; words as shlex gives them."""
    for word, value in zip(words, words[1:] + [""]):
        if word.startswith("--"):
            assert word in known, f"no option {word}"
        key, _, text = value.partition("=")
        if word == "--set" and key and not PLACEHOLDER.match(key):
            assert key in Settings._fields, f"no setting {key}"
            assert not text or PLACEHOLDER.match(text) or text.startswith("$") or parse_value(key, text) is not None
        if word == "--recipe":
            assert value in RECIPES or PLACEHOLDER.match(value), f"no recipe {value}"


def anchors(text):
    """The fragments that GitHub gives the headings of a document."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    folder = (PROJECT / name).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if re.match(r"[a-z]+:", target):
            assert target.startswith(("https://", "http://localhost")), target
            continue
        path, _, fragment = urllib.parse.unquote(target).partition("#")
        found = folder / path if path else PROJECT / name
        assert found.exists(), f"{name}: {target}"
        assert not fragment or fragment in anchors(found.read_text(encoding="utf-8")), f"{name}: {target}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name):
    text = read(name)
    named = re.findall(r"(?<![\w./*-])(?:[\w-]+/)*[\w-]+\.(?:py|sh|toml|cff)\b", text.replace("../", ""))
    named += re.findall(r"\brequirements[\w-]*\.txt", text)
    named += [span for span in re.findall(r"`([\w ./-]+/)`", text)
              if span.split("/")[0] in ("docs", "tests", "tools") or re.match(r"[a-z]+/$", span)]
    not_files = {"figures/", "features/", "race/", "__init__.py"}  # what runs write, and what every folder of the code has
    missing = [path for path in named if path not in not_files
               and not any((folder / path).exists() for folder in (PROJECT, (PROJECT / name).parent))]
    assert not missing, f"{name}: {missing}"


def defined(path):
    """The names at the top of a module and the methods of its classes, "Class.method"."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            names |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


@pytest.mark.parametrize("name", DOCUMENTS)
def test_functions_that_are_named_exist(name):
    known = {".".join(path.relative_to(PROJECT).with_suffix("").parts): path for path in modules()}
    tops = {module.split(".")[0] for module in known}
    for dotted in re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)`", read(name)):
        parts = dotted.split(".")
        if parts[0] not in tops or parts[-1] in ("py", "txt", "json", "html", "md"):
            continue
        module = next((number for number in (2, 1) if ".".join(parts[:number]) in known), None)
        assert module, f"{name}: {dotted}: no such module"
        rest = ".".join(parts[module:])
        assert not rest or rest in defined(known[".".join(parts[:module])]), f"{name}: {dotted}"


def test_the_way_of_a_document_and_the_table_of_changes_are_long_enough():
    text = read("docs/design.md")
    steps, changes = (re.search(rf"\| {head} \|.*?\n\n|\| {head} \|.*\Z", text, re.DOTALL).group(0) for head in
                      ("step \\| function \\| gives", "to change \\| go to"))
    assert steps.count("\n") > 12 and changes.count("\n") > 17 and "```mermaid" in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_their_options_exist(name):
    for words in commands_of(read(name)):
        program, rest = words[0], words[1:]
        if program in OTHERS or program.startswith("-"):
            continue
        assert program in PROGRAMS, f"{name}: {words}"
        # run_*.py have commands of their own; one that does not exist has no help.
        command = rest[:1] if program.startswith("run_") and rest and not rest[0].startswith("-") else []
        check_words(rest[len(command):], options_of(program, *command))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_options_exist_that_stand_alone(name):
    """As in `--set smoothing=0`, or `train --recipe context`."""
    known = {option for words in [("run_i2b2.py", command) for command in COMMANDS] + [(program,) for program in PROGRAMS]
             for option in options_of(*words)}
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", read(name)):
        words = span.split()
        if words and (words[0].startswith("--") or words[0] in COMMANDS):
            check_words(words, known)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_knows_its_targets(name):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for line in code_of(read(name)):
        named = re.match(r"(?:(?:cloud|laptop)\$ +)?make ([a-z]+)", line)
        assert not named or named.group(1) in targets, f"{name}: {line}"


def numbers(line):
    return re.findall(r"\d[\d,.]*", line)


@pytest.mark.parametrize("head, name", [("**How good.**", "docs/recipes.md"), ("**How fast.**", "docs/speed.md")])
def test_the_numbers_of_the_readme_are_those_of_the_documents(head, name):
    text = read("README.md")
    table = re.search(r"(?:^\|.*\n)+", text[text.index(head):], re.MULTILINE).group(0).splitlines()[2:]
    assert len(table) > 3
    lines = [numbers(line) for line in read(name).splitlines() if line.startswith("|")]

    def stands_in(wanted, line):
        rest = iter(line)
        return all(number in rest for number in wanted)

    for row in table:
        wanted = numbers(row.split("|", 2)[2])
        assert wanted and any(stands_in(wanted, line) for line in lines), row


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


def test_every_document_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", read("README.md")))
    assert linked == {name for name in DOCUMENTS if name.startswith("docs/")}


def test_the_pictures_are_small():
    named = re.findall(r"!\[[^\]]{20,}\]\((docs/images/[\w-]+\.png)\)", read("README.md"))
    assert len(named) == 2
    for name in named:
        png = (PROJECT / name).read_bytes()
        assert png.startswith(b"\x89PNG") and len(png) < 300 * 1000, name


def test_a_picture_is_drawn(chromium, tmp_path):
    from tools import make_images
    page = tmp_path / "timeline page.html"
    page.write_text(make_images.sample_timeline(), encoding="utf-8")
    png = make_images.picture(chromium, str(page), str(tmp_path))
    width, height = (int.from_bytes(png[begin:begin + 4], "big") for begin in (16, 20))
    assert (width, height) == (make_images.WIDTH, make_images.HEIGHT) and len(png) > 20 * 1000
    page.write_text("<p>nothing much</p>", encoding="utf-8")
    assert len(make_images.picture(chromium, str(page), str(tmp_path))) < len(png)


def test_without_a_report_no_picture_is_drawn(tmp_path):
    finished = run("tools.make_images", "--result", tmp_path / "nowhere", "--out", tmp_path / "images", check=False)
    assert finished.returncode == 1 and "run_i2b2.py demo" in finished.stderr and not (tmp_path / "images").exists()


@pytest.mark.trains
def test_the_classifier_of_the_document_learns(bert, tmp_path):
    """On the TensorFlow that runs the tests, from another folder, by PYTHONPATH alone."""
    code = re.search(r"```python\n(.*?)```", read("docs/as-a-library.md"), re.DOTALL).group(1)
    (tmp_path / "classifier.py").write_text(code, encoding="utf-8")
    finished = subprocess.run([sys.executable, "classifier.py", str(bert)], cwd=str(tmp_path), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, PYTHONPATH=str(PROJECT)))
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "right: 4 of 4\n"


def test_the_pins_with_known_vulnerabilities_are_those_of_the_requirements():
    told = re.search(r"vulnerabilities are known of(.*?)Most concern", read("docs/reliability.md"), re.DOTALL).group(1)
    named = re.findall(r"([A-Za-z][\w-]+) (\d+(?:\.\d+)?)", told.replace("TensorFlow 1.14", ""))
    pins = dict(re.findall(r'^([\w-]+)==(\d\S*) *; python_version < "3.8"', read("requirements.txt").lower(), re.MULTILINE))
    assert len(named) == 8, named
    for name, version in named:
        assert f"{pins[name.lower()]}.".startswith(f"{version}."), name


def test_the_exit_statuses_are_those_that_commands_end_with():
    from support import main
    told = re.search(r"^Exit status: .*?\n\n", read("README.md"), re.DOTALL | re.MULTILINE).group(0)
    known = set(re.findall(r"\b([01]|1[0-9]{2}):", main.run_main.__doc__)) | {"2"}  # 2 is argparse's own
    assert set(re.findall(r"\b(?:[012]|1[0-9]{2})\b", told)) == known and "141" in known


def test_what_tensorflows_own_ports_leave_open_is_told():
    assert ("The ports in TF_CONFIG are TensorFlow's (gRPC). It opens them at every address of the machine, asks nobody who they "
            "are") in " ".join(read("docs/several-machines.md").split())
