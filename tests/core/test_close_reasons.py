"""Why connections end: the one rule of the codes."""

import pytest

from fanoutcloud.core.close_reasons import CloseReason

#: RFC 6455 §7.4.2: applications may use these, and 1000 for a normal end.
SENDABLE = {1000, *range(3000, 5000)}


@pytest.mark.parametrize("reason", CloseReason)
def test_the_code_tells_whether_to_come_back(reason: CloseReason):
    assert reason.code in SENDABLE
    assert reason.may_reconnect == (4000 <= reason.code <= 4999)


@pytest.mark.parametrize("reason", CloseReason)
def test_the_text_fits_into_a_close_frame_and_is_one_line(reason: CloseReason):
    assert len(reason.text.encode()) <= 123
    assert reason.text.isprintable()


def test_no_two_reasons_share_a_name():
    names = [reason.reason for reason in CloseReason]

    assert len(set(names)) == len(names)
    assert len(CloseReason.__members__) == len(names)  # an enum makes equal members one


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason.code != 1000])
def test_who_is_to_stay_away_gets_a_4xx_and_who_is_to_come_back_one_that_is_retried(reason: CloseReason):
    retried = reason.http_status in (429, 503) or reason is CloseReason.TOKEN_EXPIRED  # with a new token

    assert retried == reason.may_reconnect
