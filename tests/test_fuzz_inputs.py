"""A few of the mutated files of fuzz_inputs.py."""
from fuzz_inputs import fuzz


def test_mutated_files_are_read_or_refused_by_name(tmp_path):
    outcomes = fuzz(500, 0, str(tmp_path / "failure"))
    assert sum(outcomes.values()) == 500 and len({name for name, _ in outcomes}) == 25
    for outcome in ("read", "told", "refused"):
        assert sum(count for (_, found), count in outcomes.items() if found == outcome) > 20
