"""A few of the mutated documents of fuzz_reader.py, and hostile ones by name."""
import pytest

import data_process_i2b2
from fuzz_reader import fuzz, read, seeds
from support.errors import InputError


@pytest.mark.parametrize("seed", range(3))
def test_mutated_documents_are_read_or_refused(seed, tmp_path):
    outcomes = fuzz(200, seed, str(tmp_path / "failure.xml"))
    assert sum(outcomes.values()) == 200 and min(outcomes["read"], outcomes["refused"]) > 20


def test_the_seeds_are_read_but_for_the_one_with_declarations(tmp_path):
    outcomes = []
    for data in seeds():
        (tmp_path / "seed.xml").write_bytes(data)
        outcomes.append(read(str(tmp_path / "seed.xml")))
    assert outcomes == ["refused", "read", "read", "read"]


@pytest.mark.parametrize("declaration", [
    '<!DOCTYPE r [<!ENTITY a "b">]>', '<!DOCTYPE r SYSTEM "file:///etc/hostname">', "<!DOCTYPE r>",
    '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://localhost:9/"> %p;]>'])
@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_declarations_are_refused(declaration, entities, tmp_path):
    path = tmp_path / "hostile.xml"
    path.write_text(declaration + "<r><TEXT>a &a;</TEXT><TAGS></TAGS></r>")
    with pytest.raises(InputError, match="document type declaration"):
        data_process_i2b2.read_document(str(path), entities)
