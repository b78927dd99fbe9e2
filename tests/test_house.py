"""The structure of the repository: what stands where, and what may import what."""
import ast
import subprocess
import sys

import pytest

from helpers import modules

# From the bottom. A module imports only what stands on its own level or below, and no modules import each other in a circle.
LEVELS = (
    ("support",),
    ("settings",),
    ("network", "modeling", "optimization", "tokenization"),
    ("inputs", "data_process_i2b2", "data_process_BC5CDR"),
    ("text_model",),
    ("evaluation", "scoring"),
    ("training",),
    ("tasks",),
    ("notes",),
    ("predict",),
    ("commands",),
    ("benchmarks",),
    ("run_i2b2", "run_BC5CDR", "benchmark", "data_process_E3C", "tools"))
FRONT = {"benchmark", "data_process_BC5CDR", "data_process_E3C", "data_process_i2b2", "modeling", "optimization", "predict",
         "run_BC5CDR", "run_i2b2", "scoring", "settings", "text_model", "tokenization"}
LEVEL_OF = {name: number for number, level in enumerate(LEVELS) for name in level}
# Folders whose modules may import TensorFlow, and the other modules that build a graph.
GRAPHS = ("network", "training", "benchmarks", "modeling", "optimization", "text_model", "predict", "notes.export",
          "inputs.tiny_bert")
# What must start in milliseconds and work without TensorFlow: (words of the command, exit status).
LIGHT = (("run_i2b2.py --help", 0), ("run_BC5CDR.py --help", 0), ("scoring.py --help", 0), ("data_process_i2b2.py --help", 0),
         ("benchmark.py --help", 0),
         ("-c 'import evaluation.report, evaluation.compare, notes.answering, inputs.reading, training.runs'", 0))


def name_of(path, project):
    """A module's dotted name."""
    parts = path.relative_to(project).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, known):
    """[(module, whether at the top of the file)] that a file imports, of the project's and TensorFlow."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in whole]
        else:
            continue
        found += [(name, id(node) in top) for name in names if name in known or name.split(".")[0] == "tensorflow"]
    return found


@pytest.fixture(scope="module")
def graph(project):
    """{module: [(imported module, whether at the top)]}."""
    known = {name_of(path, project): path for path in modules()}
    return {name: imports_of(path, known) for name, path in known.items()}


def test_the_front_is_what_a_user_runs_or_names(project):
    assert {path.stem for path in project.glob("*.py")} == FRONT


def test_every_module_has_a_level_and_imports_run_one_way(graph):
    upwards = [f"{name} imports {other}" for name, found in graph.items() for other, _ in found
               if other in graph and LEVEL_OF[other.split(".")[0]] > LEVEL_OF[name.split(".")[0]]]
    assert not upwards


def test_no_modules_import_each_other_in_a_circle(graph):
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join(path[path.index(name):] + [name])
        if name not in done:
            path.append(name)
            for other, _ in graph[name]:
                if other in graph and other != name:
                    visit(other)
            done.add(path.pop())

    for name in graph:
        visit(name)


def test_tensorflow_is_imported_only_where_a_graph_is_built(graph):
    for name, found in graph.items():
        if any(other.split(".")[0] == "tensorflow" for other, _ in found):
            assert name.split(".")[0] in ("network", "training"), f"{name} imports TensorFlow past network.runtime"
        heavy = [other for other, top in found if other == "network.runtime" and top]
        assert not heavy or name.startswith(GRAPHS), f"{name} imports TensorFlow and builds no graph"


@pytest.mark.parametrize("words, status", LIGHT)
def test_what_reads_and_reports_does_without_tensorflow(project, tmp_path, words, status):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    import os
    import shlex
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(project)]))
    finished = subprocess.run([sys.executable] + shlex.split(words), cwd=str(project), env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert finished.returncode == status, finished.stdout


def test_every_folder_says_what_is_in_it(project):
    for path in modules():
        if path.name == "__init__.py":
            assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 80, path
    folders = {path.parent for path in modules()} - {project}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_the_tests_stand_as_the_modules_do(project):
    folders = {path.parent.name for path in modules() if path.parent != project}
    assert {path.parent.name for path in (project / "tests").glob("*/test_*.py")} <= folders
