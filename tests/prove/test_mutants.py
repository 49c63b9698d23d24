"""The planted bugs can still be planted. That the prover finds them takes minutes: `make prove-mutants`."""

import shutil
from pathlib import Path

import pytest

from tests.prove.installation import ROOT
from tests.prove.mutants import MUTANTS, CannotPlant, Mutant, find_fault, plant


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of where bugs are planted."""
    for folder in {mutant.folder for mutant in MUTANTS}:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def sources(tree: Path, mutant: Mutant) -> dict[Path, str]:
    return {file.relative_to(tree): file.read_text() for file in (tree / mutant.folder).rglob("*.py")}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_bug_can_be_planted_and_the_source_stays_python(mutant: Mutant, tree: Path) -> None:
    before = sources(tree, mutant)

    plant(mutant, tree)

    changed = {file: text for file, text in sources(tree, mutant).items() if before[file] != text}
    assert len(changed) == 1
    for file, text in changed.items():
        compile(text, str(file), "exec")


def test_a_bug_whose_place_has_gone_is_told_of(tree: Path) -> None:
    plant(MUTANTS[0], tree)

    with pytest.raises(CannotPlant, match="holds this 0 times, not once"):
        plant(MUTANTS[0], tree)


@pytest.mark.parametrize(
    ("status", "words", "fault"),
    [
        (1, "BROKEN       lost: 3 times", None),
        (0, "nothing lost", "the prover did not find it"),
        (2, "VOID", "the prover did not find it"),
        (1, "BROKEN       refused: 3 times", "the prover found something else; expected lost"),
    ],
)
def test_a_bug_counts_as_found_by_the_promise_that_it_breaks(status: int, words: str, fault: str | None) -> None:
    assert find_fault(MUTANTS[0], status, words) == fault
