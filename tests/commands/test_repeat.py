"""`--seeds N`: which runs go together, and what a restart of all of them sets aside, and when."""
import json
import os

import pytest

from commands import repeat
from commands.options import parse_arguments
from commands.train import continued_without_restart, set_aside
from settings import Settings
from support import locks
from support.errors import InputError, Interrupted
from support.paths import ResultFolder
from training import runs
from training.outcome import Outcome


def write_run(result, **changes):
    """A run with a stand-in for its best model, and its record."""
    os.makedirs(result.checkpoints)
    for suffix in (".index", ".data-00000-of-00001"):
        with open(result.best + suffix, "w") as out:
            out.write("old")
    with open(result.run, "w", encoding="utf-8") as out:
        json.dump({"task": "i2b2", "recipe": "paper", "settings": dict(Settings()._asdict(), **changes)}, out)


@pytest.fixture
def folders(tmp_path):
    """The result folders of three seeds."""
    return [ResultFolder(str(tmp_path / "result")).of_seed(seed) for seed in range(3)]


def arguments_of(command, folders, *more):
    return parse_arguments([command, "--result", os.path.dirname(folders[0].root), "--seeds", str(len(folders)), *more])


def test_a_seed_without_a_model_is_told_before_any_is_tested(folders):
    for seed in (0, 2):
        write_run(folders[seed], seed=seed)
    with pytest.raises(InputError, match=r"no trained model: .*seed-1.*`python3 run_i2b2.py train --seeds 3` makes"):
        repeat.repeat(pytest.fail, arguments_of("test", folders))


@pytest.mark.parametrize("changes, words", [
    ({"batch_size": 8}, "setting batch_size is 8, was 26"),
    ({"test_gold": "unmerged", "dev": "0.15"}, "setting test_gold is unmerged")])
def test_runs_that_differ_in_more_than_the_seed_are_not_mixed(changes, words, folders):
    for seed, folder in enumerate(folders):
        write_run(folder, **dict({"seed": seed, "dev": changes.get("dev", "test")}, **(changes if seed == 2 else {})))
    with pytest.raises(InputError, match=f"seed-2 holds another run than .*seed-0, .*more than the seed: {words}"):
        repeat.repeat(pytest.fail, arguments_of("test", folders))


def test_runs_that_differ_in_the_seed_are_tested(folders):
    for seed, folder in enumerate(folders):
        write_run(folder, seed=seed, threads=seed)

    def tested(arguments):
        raise InputError(f"seed {arguments.seed} is tested")
    with pytest.raises(InputError, match="seed 0 is tested"):
        repeat.repeat(tested, arguments_of("test", folders))


class Training:
    """Stands in for `train`: notes the seeds, sets aside as it does, and fails at a seed."""

    def __init__(self, fails=None, error=InputError("The disk is full. Make room, then give the same command again."), begun=True):
        self.seeds, self._fails, self._error, self._begun = [], fails, error, begun

    def __call__(self, arguments, others=()):
        result = ResultFolder(arguments.result)
        if arguments.seed == self._fails and not self._begun:
            raise self._error
        if arguments.restart:
            set_aside(result, others)
        self.seeds.append((arguments.seed, arguments.restart))
        with continued_without_restart(arguments.restart):
            if arguments.seed == self._fails:
                raise self._error
        write_run(result, seed=arguments.seed)
        return Outcome("epochs", 9, 3, 0.5)


@pytest.fixture
def restart(folders, monkeypatch):
    """`train --seeds 3 --restart` with a Training in place of `train`, where three runs are."""
    for seed, folder in enumerate(folders):
        write_run(folder, seed=seed)

    def begin(training):
        monkeypatch.setattr(repeat, "train", training)
        repeat.repeat(training, arguments_of("train", folders, "--restart"))
    return begin


def kept(folders):
    """How many runs are set aside for each seed."""
    return [len([name for name in os.listdir(folder.root) if name.startswith("before-")]) for folder in folders]


def test_a_restart_of_several_seeds_sets_all_runs_aside_once(restart, folders):
    training = Training()
    restart(training)
    assert training.seeds == [(0, True), (1, False), (2, False)] and kept(folders) == [1, 1, 1]


@pytest.mark.parametrize("fails, begun, error, advice", [
    (0, False, InputError("Give the same command again."), False), (0, True, InputError("Give the same command again."), True),
    (1, False, InputError("Give the same command again."), True), (1, True, Interrupted("the same command continues", 2), True),
    (2, True, InputError("Give the same command again."), True), (1, True, InputError("Try --set clip=1, with --restart."), None)])
def test_what_continues_a_restart_of_several_seeds_is_the_command_without_restart(fails, begun, error, advice, restart, folders):
    with pytest.raises((InputError, Interrupted)) as ended:
        restart(Training(fails, error, begun))
    assert kept(folders) == ([0, 0, 0] if (fails, begun) == (0, False) else [1, 1, 1])
    assert str(ended.value).count("without --restart") == bool(advice)


def test_a_restart_of_several_seeds_moves_nothing_while_one_of_them_is_trained(restart, folders, monkeypatch):
    monkeypatch.setattr(locks, "LAST_MOMENT", 0.1)
    with locks.open_lock(folders[2].lock) as held:
        locks.try_lock(held.fileno())
        with pytest.raises(InputError, match="another training is at work in .*seed-2"):
            restart(Training())
    assert kept(folders) == [0, 0, 0]


def test_where_no_run_is_nothing_is_set_aside(folders):
    assert not any(map(runs.to_set_aside, folders))
    set_aside(folders[0], folders[1:])
    assert not os.path.exists(folders[1].root)
