"""The table of docs/clients.md says what is run, no more and no less."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)` \|$", re.MULTILINE)


def named_tests() -> set[tuple[str, str]]:
    return set(_NAMED.findall((ROOT / "docs" / "clients.md").read_text()))


def find_tests(file: str) -> set[tuple[str, str]]:
    tree = ast.parse((ROOT / "tests" / "clients" / file).read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {(file, name) for name in names if name.startswith("test_")}


def test_every_row_names_a_test() -> None:
    text = (ROOT / "docs" / "clients.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]

    assert len(rows) == len(_NAMED.findall(text))


def test_the_tests_of_the_table_are_those_that_there_are() -> None:
    files = {file for file, _ in named_tests()}

    assert named_tests() == {test for file in files for test in find_tests(file)}
