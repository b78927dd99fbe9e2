"""The set-up: which Python it takes, what it says without one, and that the requirements are complete."""
import ast
import importlib.machinery
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig

import pytest

from helpers import modules

RUNTIMES = {"3.6": "1.14.0", "3.7": "1.14.0", "3.10": "2.21.0", "3.11": "2.21.0", "3.12": "2.21.0", "3.13": "2.21.0"}
DISTRIBUTIONS = {"sklearn": "scikit-learn", "google": "protobuf", "PIL": "pillow"}


@pytest.fixture
def machine(tmp_path):
    """A machine with the shell's tools and no Python; `machine.which` asks what the set-up would take."""
    return Machine(tmp_path)


class Machine:
    """A folder of commands to be the whole PATH, and a folder to be pyenv's root."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        self.pyenv = folder / "pyenv"
        self.bin.mkdir()
        for tool in ("bash", "dirname", "env"):
            os.symlink(shutil.which(tool), str(self.bin / tool))
        self.script("uname", "echo x86_64")

    def script(self, path, body):
        """An executable shell script at `path`, relative to the PATH folder."""
        target = self.bin / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"#!/bin/sh\n{body}\n")
        target.chmod(target.stat().st_mode | stat.S_IXUSR)
        return target

    def python(self, path, version, can_make_venv=True):
        """A command that answers the set-up's two questions as a Python of this version would."""
        ensurepip = "exit 0" if can_make_venv else "exit 1"
        return self.script(path, f'case "$2" in *ensurepip*) {ensurepip} ;; esac\necho "{version} $0"')

    def pyenv_python(self, version):
        """The same, in pyenv's versions."""
        minor = version.rpartition(".")[0]
        return self.python(self.pyenv / "versions" / version / "bin" / f"python{minor}", version)

    def uv(self, python):
        """uv, which has no Python until it gets one: `python`."""
        self.script("uv", f"""case "$2 $3" in
            "install 3.13") [ -x {python}.not-yet ] && mv {python}.not-yet {python} ;;
            "find 3.13") [ "$UV_PYTHON_PREFERENCE" = only-managed ] && [ -x {python} ] && echo {python} ;;
            *) exit 2 ;;
        esac""")

    def which(self, project, *options, **environment):
        """What the set-up would take: its exit status, standard output and standard error."""
        return self.setup(project, "--which", *options, **environment)

    def setup(self, project, *options, **environment):
        """Run the set-up; results as `which`."""
        run = subprocess.run(
            [str(self.bin / "bash"), str(project / "tools" / "setup.sh")] + list(options),
            env=dict(environment, PATH=str(self.bin), PYENV_ROOT=str(self.pyenv), HOME=str(self.bin)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        return run.returncode, run.stdout.strip(), run.stderr.strip()


def test_an_unknown_runtime_is_refused_with_the_choices(machine, project):
    status, _, error = machine.setup(project, "--only", "tf3")
    assert status == 2 and "--only tf3: choose tf1" in error and "tf2" in error


def test_the_reference_python_comes_first(machine, project):
    machine.python("python3.11", "3.11.7")
    machine.python("python3.6", "3.6.15")
    expected = machine.python("python3.7", "3.7.16")
    assert machine.which(project) == (0, f"3.7.16 {expected}", "")


def test_a_shim_that_fails_is_passed_over_for_pyenvs_own(machine, project):
    machine.script("python3.7", "echo 'pyenv: python3.7: command not found' >&2; exit 127")
    expected = machine.pyenv_python("3.7.16")
    assert machine.which(project) == (0, f"3.7.16 {expected}", "")
    assert machine.which(project, PYTHON="python3.7") == (0, f"3.7.16 {expected}", "")


def test_python36_goes_before_newer_ones(machine, project):
    machine.python("python3.11", "3.11.7")
    expected = machine.pyenv_python("3.6.15")
    assert machine.which(project) == (0, f"3.6.15 {expected}", "")


def test_without_a_reference_python_the_newest_supported_one(machine, project):
    for version in ("3.8.18", "3.9.18", "3.10.13", "3.12.1", "3.14.0"):
        machine.python("python" + version.rpartition(".")[0], version)
    assert machine.which(project) == (0, f"3.12.1 {machine.bin / 'python3.12'}", "")
    expected = machine.python("python3.13", "3.13.0")
    assert machine.which(project) == (0, f"3.13.0 {expected}", "")


def test_a_command_named_only_python3_is_found(machine, project):
    expected = machine.python("python3", "3.11.7")
    assert machine.which(project) == (0, f"3.11.7 {expected}", "")


def test_each_tensorflow_can_be_asked_for(machine, project):
    machine.python("python3.7", "3.7.16")
    machine.python("python3.10", "3.10.13")
    assert machine.which(project, "--only", "tf2")[1].startswith("3.10.13 ")
    assert machine.which(project, "--only", "tf1")[1].startswith("3.7.16 ")
    (machine.bin / "python3.10").unlink()
    assert machine.which(project, "--only", "tf2")[0] == 1


@pytest.mark.parametrize("options", [("--only", "tf3"), ("--only",), ("--only", "")])
def test_another_tensorflow_is_refused_with_the_choices(machine, project, options):
    machine.python("python3.7", "3.7.16")
    status, output, message = machine.which(project, *options)
    assert (status, output) == (2, "")
    assert message.endswith("choose tf1 (TensorFlow 1.14, the reference) or tf2 (TensorFlow 2.21)") and "\n" not in message


def test_tensorflow_1_is_not_tried_where_it_was_never_built(machine, project):
    machine.script("uname", "echo aarch64")
    machine.python("python3.7", "3.7.16")
    status, _, message = machine.which(project, PYTHON="python3.7")
    assert status == 1 and "which cannot be used" in message and "TensorFlow 1.14" not in message
    machine.python("python3.12", "3.12.1")
    assert machine.which(project)[1].startswith("3.12.1 ")


def test_python_decides(machine, project):
    machine.python("python3.7", "3.7.16")
    asked = machine.python("a folder with spaces/python3.11", "3.11.7")
    assert machine.which(project, PYTHON=str(asked)) == (0, f"3.11.7 {asked}", "")


@pytest.mark.parametrize("version", ["2.7.18", "3.5.10", "3.8.18", "3.9.18", "3.14.0"])
def test_an_unsupported_python_is_refused_with_the_ways_out(machine, project, version):
    machine.python("mine", version)
    status, output, message = machine.which(project, PYTHON="mine")
    assert (status, output) == (1, "")
    assert message.startswith(f"error: PYTHON=mine is Python {version}, which cannot be used.")
    for remedy in ("3.7", "3.10", "3.11", "3.12", "3.13", "uv", "pyenv install", "conda create", "apt-get install"):
        assert remedy in message


def test_no_python_at_all_is_one_message_with_the_ways_out(machine, project):
    machine.python("python3.14", "3.14.0")
    status, output, message = machine.which(project)
    assert (status, output) == (1, "")
    assert message.count("error:") == 1
    assert "pyenv install 3.7" in message and "make setup PYTHON=" in message
    assert message.splitlines()[1].lstrip().startswith("uv "), "the simplest way comes first"


def test_without_a_python_uv_gets_one(machine, project, tmp_path):
    """A whole set-up, with a Python that installs whatever it is asked to."""
    for tool in ("cat", "cksum", "cut", "grep", "ln", "mkdir", "mv", "rm", "tee", "tr"):
        os.symlink(shutil.which(tool), str(machine.bin / tool))
    machine.script(tmp_path / "uv's.not-yet", 'case "$1 $2" in "-m venv") mkdir -p "$3/bin" && ln -s "$0" "$3/bin/python" ;; '
                   '*) case "$2" in *version_info*) echo "3.13.0 $0" ;; esac ;; esac')
    machine.uv(f"\"{tmp_path}/uv's\"")
    assert machine.which(project)[0] == 1, "nothing is fetched where only asked"
    status, output, message = machine.setup(project, "--venv", str(tmp_path / "venv"))
    assert (status, message) == (0, "")
    assert "uv gets Python 3.13" in output and "TensorFlow 2.21: uv's" in output and "ready after" in output
    assert machine.which(project)[1] == f"3.13.0 {tmp_path}/uv's"
    machine.python("python3.7", "3.7.16")
    assert machine.which(project)[1].startswith("3.7.16 "), "what is there goes before"


def test_uv_that_cannot_get_a_python_is_told(machine, project, tmp_path):
    machine.script("uv", "echo 'no network' >&2; exit 1")
    status, _, message = machine.setup(project, "--venv", str(tmp_path / "venv"))
    assert status == 1 and message.startswith("no network\nerror: uv could not get Python 3.13") and "pyenv" in message


def test_an_environment_of_a_python_no_longer_supported_is_replaced(machine, project, tmp_path):
    old = machine.python(tmp_path / "venv" / "bin" / "python", "3.9.18")
    expected = machine.python("python3.12", "3.12.1")
    (tmp_path / "tools").mkdir()
    for name in ("tools/setup.sh", "requirements.txt"):
        shutil.copy(str(project / name), str(tmp_path / name))
    machine.script("python3.12", f'case "$1 $2" in "-m venv") echo making; exit 1 ;; esac; echo "3.12.1 {expected}"')
    machine.script("rm", "exit 0")
    status, output, _ = machine.setup(tmp_path, "--venv", str(old.parent.parent))
    assert status == 1 and "Python 3.12.1" in output and output.endswith("making")


@pytest.mark.parametrize("name", ["thesis.txt", ".hidden"])
def test_a_folder_that_is_no_environment_is_never_removed(machine, project, tmp_path, name):
    machine.python("python3.12", "3.12.1")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("years of work")
    machine.script("rm", "echo removed; exit 1")
    status, output, message = machine.setup(project, "--venv", str(tmp_path / "mine"))
    assert status == 1 and "mine is there and is no virtual environment" in message and "removed" not in output


def test_a_python_asked_for_that_does_not_run(machine, project):
    status, _, message = machine.which(project, PYTHON="/nowhere/python3.7")
    assert status == 1 and message.startswith("error: PYTHON=/nowhere/python3.7 does not run.")


def test_a_python_without_venv_is_passed_over_and_named_when_it_is_the_only_one(machine, project):
    machine.python("python3.11", "3.11.2", can_make_venv=False)
    status, _, message = machine.which(project)
    assert status == 1 and "apt-get install python3.11-venv" in message
    machine.python("python3.10", "3.10.13")
    assert machine.which(project)[1].startswith("3.10.13 ")


def pins(path, python_version, sys_platform="linux", machine="x86_64"):
    """{distribution: version} that a requirements file holds for a Python, e.g. "3.10", on a system and its processor."""
    def release(text):
        return tuple(int(part) for part in text.split("."))

    known = {"python_version": python_version, "sys_platform": sys_platform, "platform_machine": machine}
    compare = {"<": lambda a, b: release(a) < release(b), ">=": lambda a, b: release(a) >= release(b),
               "==": lambda a, b: a == b, "!=": lambda a, b: a != b}

    def holds(marker):
        marker = marker.strip().strip("()")
        for joint, combine in ((" and ", all), (" or ", any)):
            if joint in marker:
                return combine(holds(part) for part in marker.split(joint))
        name, operator, value = re.match(r'(\w+) (\S+) "([^"]*)"$', marker).groups()
        return compare[operator](known[name], value)

    pinned = {}
    for line in path.read_text().splitlines():
        if line.startswith(("#", "-r")) or not line.strip():
            continue
        requirement, _, marker = line.partition(";")
        name, version = requirement.strip().split("==")
        if holds(marker):
            assert name.lower() not in pinned, f"{name} is pinned twice for Python {python_version}"
            pinned[name.lower()] = version
    return pinned


@pytest.mark.parametrize("python_version", sorted(RUNTIMES))
def test_each_supported_python_gets_its_tensorflow_once(project, python_version):
    pinned = pins(project / "requirements.txt", python_version)
    tensorflows = [pinned[name] for name in ("tensorflow", "tensorflow-cpu") if name in pinned]
    assert tensorflows == [RUNTIMES[python_version]]


@pytest.mark.parametrize("python_version", ["3.8", "3.9"])
def test_a_python_in_between_gets_a_tensorflow_that_pip_cannot_find_and_nothing_else(project, python_version):
    assert pins(project / "requirements.txt", python_version) == {"tensorflow": "1.14.0"}


@pytest.mark.parametrize("python_version", sorted(RUNTIMES))
@pytest.mark.parametrize("sys_platform, machine, build", [
    ("linux", "x86_64", "tensorflow-cpu"), ("linux", "aarch64", "tensorflow"), ("darwin", "arm64", "tensorflow")])
def test_each_system_gets_the_build_that_there_is_for_it(project, python_version, sys_platform, machine, build):
    if RUNTIMES[python_version].startswith("1."):
        build = "tensorflow"
    pinned = pins(project / "requirements.txt", python_version, sys_platform, machine)
    assert [name for name in pinned if name in ("tensorflow", "tensorflow-cpu")] == [build]


def third_party_imports(paths, local):
    """Top-level names of the modules these files import that are neither Python's own nor the project's."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    return {name for name in names - local if not is_standard(name)}


def is_standard(name):
    """Whether a module came with Python, be it only where Python runs on another system."""
    if name in sys.builtin_module_names or name == "msvcrt":
        return True
    # Not importlib.util: what TensorFlow 1.14 leaves in sys.modules makes that fail.
    spec = importlib.machinery.PathFinder.find_spec(name)
    if spec is None or not spec.origin:
        return False
    standard = os.path.realpath(sysconfig.get_paths()["stdlib"]) + os.sep
    origin = os.path.realpath(spec.origin)
    return origin.startswith(standard) and "site-packages" not in origin


@pytest.mark.parametrize("python_version", sorted(RUNTIMES))
def test_all_that_is_imported_is_pinned(project, python_version):
    tests = sorted((project / "tests").glob("**/*.py"))
    local = {path.stem for path in modules() + tests} | {path.parent.name for path in modules()}
    runtime = set(pins(project / "requirements.txt", python_version)) | {"tensorflow"}
    development = runtime | set(pins(project / "requirements-dev.txt", python_version))
    for files, pinned in ((modules(), runtime), (tests, development)):
        imported = {DISTRIBUTIONS.get(name, name).lower() for name in third_party_imports(files, local)}
        assert imported <= pinned, f"not in the requirements for Python {python_version}"
    assert "numpy" in runtime and "pytest" in development


def ignored(project, path):
    """Whether git leaves a path alone by the project's .gitignore."""
    run = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", path], cwd=str(project),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if run.returncode not in (0, 1):
        pytest.skip("needs git and a clone")
    return run.returncode == 0


@pytest.mark.parametrize("path", [
    "corpus/i2b2/train.txt", "corpus/i2b2/2012-07-15.original-annotation.release/1.xml", "corpus/note.xml",
    "corpus/sample/train.txt", "corpus/sample/features/train.npz",
    "pretrained bert model/uncased_L-12_H-768_A-12/vocab.txt", "pretrained_bert_model/vocab.txt",
    "result/predictions.tsv", "result/checkpoints/i2b2/best_validation.index", ".venv/bin/python",
    ".venv-tf2/bin/python"])
def test_what_users_put_here_is_ignored(project, path):
    assert ignored(project, path)


@pytest.mark.parametrize("path", [
    "corpus/README.md", "corpus/sample/2012-07-15.original-annotation.release/1.xml",
    "corpus/sample/ground_truth/merged_xml/1.xml", "pretrained bert model/README.md", "result/README.md"])
def test_what_belongs_to_the_project_is_not(project, path):
    assert not ignored(project, path)
