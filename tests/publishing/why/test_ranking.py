"""Which finding comes first: faults, and of these what is about the very thing that was asked for."""

from typing import Any

import pytest

from fanoutcloud.core.flight import Refusal
from publishing.why.answers import Finding
from publishing.why.findings import find_in_refusals, in_order


def refusal(code: str, *, at: float = 100.0, **more: Any) -> Refusal:
    named = {"field": "", "channel": "", "user": "", "key": "", **more}
    return Refusal(1, at, at, 1, "publish", 401, code, "no", "copy it", address="192.0.2.1", **named)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_slip_in_the_name_comes_before_newer_refusals_that_name_no_channel() -> None:
    slip = Finding("channel_spelling", "fault", "Did you mean “news”?", "the names differ by a slip")
    beside = find_in_refusals("nwes", [refusal("wrong_key"), refusal("invalid_request", at=101.0)])

    assert codes(in_order([*beside, slip])) == ["channel_spelling", "invalid_request", "wrong_key"]


@pytest.mark.parametrize("named", [{"channel": "news"}, {"user": "news"}, {"ids": ("other", "news")}])
def test_a_refusal_that_names_what_was_asked_for_comes_before_newer_ones_that_do_not(named: dict[str, Any]) -> None:
    found = find_in_refusals("news", [refusal("wrong_key", at=101.0), refusal("not_allowed", **named)])

    assert codes(in_order(found)) == ["not_allowed", "wrong_key"]


def test_faults_beside_it_still_come_before_notices_about_it() -> None:
    notice = Finding("filtered", "notice", "A filter kept it back", "it does not let it through", last_at=200.0)

    assert codes(in_order([notice, *find_in_refusals("news", [refusal("wrong_key")])])) == ["wrong_key", "filtered"]


def test_alike_refusals_of_two_processes_are_about_it_if_one_is() -> None:
    [finding] = find_in_refusals("news", [refusal("not_allowed"), refusal("not_allowed", at=101.0, channel="news")])

    assert (finding.count, finding.is_beside) == (2, False)
