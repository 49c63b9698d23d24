"""What the suite's verdicts come to; the suite itself runs in `make conformance`."""

from pathlib import Path

import pytest

from tests.conformance import autobahn
from tests.conformance.autobahn import Verdict, faults, read_verdicts, summarise

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "topics" / "conformance.md"


def test_verdicts_come_in_the_order_of_their_numbers() -> None:
    entry = {"behavior": "OK", "behaviorClose": "OK"}

    assert [one.case for one in read_verdicts({"10.1.1": entry, "1.1.2": entry, "1.1.10": entry})] == [
        "1.1.2",
        "1.1.10",
        "10.1.1",
    ]


@pytest.mark.parametrize(
    ("verdict", "is_fault"),
    [
        (Verdict("1.1.1", "OK", "OK"), False),
        (Verdict("7.1.6", "INFORMATIONAL", "INFORMATIONAL"), False),
        (Verdict("6.4.3", "NON-STRICT", "OK"), False),
        (Verdict("6.4.3", "FAILED", "OK"), True),
        (Verdict("13.3.1", "UNIMPLEMENTED", "OK"), False),
        (Verdict("13.1.1", "UNIMPLEMENTED", "OK"), True),
        (Verdict("2.5", "NON-STRICT", "OK"), True),
        (Verdict("7.1.5", "OK", "WRONG CODE"), True),
    ],
)
def test_a_case_passes_or_is_explained_or_is_a_fault(verdict: Verdict, *, is_fault: bool) -> None:
    assert bool(list(faults([verdict]))) is is_fault


def test_outcomes_are_counted() -> None:
    assert summarise([Verdict("1", "OK", "OK"), Verdict("2", "OK", "OK"), Verdict("3", "FAILED", "OK")]) == (
        "2 OK, 1 FAILED"
    )


def test_every_explanation_is_in_the_documents() -> None:
    text = DOCUMENT.read_text()

    assert all(case in text for case in autobahn.EXPLAINED)


def test_without_python_2_the_reason_and_the_cure_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(autobahn.shutil, "which", lambda *_args, **_options: None)

    with pytest.raises(autobahn.CannotRun, match=r"left out: .*pyenv install 2\.7\.18"):
        autobahn.find_python()
