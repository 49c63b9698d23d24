"""Programs that are let in by a code: by whom, for how long, and once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from realms.errors import (
    DeviceLoginDenied,
    DeviceLoginNotFound,
    DeviceLoginPending,
    DeviceLoginTooFast,
    InvalidLabel,
    TooManyDeviceLogins,
)
from realms.models import ApiToken, DeviceLogin
from realms.scopes import Scope
from realms.services import device_logins
from realms.services.device_logins import BegunLogin, begin_device_login, claim_device_login, decide_device_login

pytestmark = pytest.mark.django_db


def begin(*scopes: Scope, address: str = "192.0.2.1") -> BegunLogin:
    return begin_device_login(label="fanout on laptop", scopes=scopes, address=address)


def let_time_pass(login: DeviceLogin) -> None:
    DeviceLogin.objects.filter(pk=login.pk).update(asked_at=timezone.now() - timedelta(seconds=10))


def test_a_program_gets_a_token_of_whoever_says_yes(alice: User) -> None:
    begun = begin(Scope.ITEMS_PUBLISH)

    decide_device_login(code=begun.login.shown_code.lower(), user=alice, approve=True)
    issued = claim_device_login(begun.secret)

    assert (issued.token.user, issued.token.scopes, issued.token.label) == (
        alice,
        ["items:publish"],
        "fanout on laptop",
    )
    assert issued.token.expires_at is not None


def test_the_token_can_be_had_once(alice: User) -> None:
    begun = begin()
    decide_device_login(code=begun.login.user_code, user=alice, approve=True)
    claim_device_login(begun.secret)

    with pytest.raises(DeviceLoginNotFound):
        claim_device_login(begun.secret)
    assert ApiToken.objects.count() == 1


def test_until_somebody_answers_it_waits_and_does_not_ask_too_often() -> None:
    begun = begin()
    with pytest.raises(DeviceLoginPending):
        claim_device_login(begun.secret)
    with pytest.raises(DeviceLoginTooFast):
        claim_device_login(begun.secret)
    let_time_pass(begun.login)

    with pytest.raises(DeviceLoginPending):
        claim_device_login(begun.secret)


def test_a_refusal_is_told_and_gives_nothing(alice: User) -> None:
    begun = begin()
    decide_device_login(code=begun.login.user_code, user=alice, approve=False)

    with pytest.raises(DeviceLoginDenied):
        claim_device_login(begun.secret)
    assert not ApiToken.objects.exists()


def test_nobody_answers_after_somebody_else(alice: User, charlie: User) -> None:
    begun = begin()
    decide_device_login(code=begun.login.user_code, user=alice, approve=True)

    with pytest.raises(DeviceLoginNotFound):
        decide_device_login(code=begun.login.user_code, user=charlie, approve=True)
    assert claim_device_login(begun.secret).token.user == alice


def test_a_code_is_over_after_its_time(alice: User) -> None:
    begun = begin()
    DeviceLogin.objects.update(expires_at=timezone.now())

    with pytest.raises(DeviceLoginNotFound):
        decide_device_login(code=begun.login.user_code, user=alice, approve=True)
    with pytest.raises(DeviceLoginNotFound):
        claim_device_login(begun.secret)
    begin()
    assert DeviceLogin.objects.count() == 1


@pytest.mark.parametrize("code", ["", "-", "BCDF", "ÄÖ", "x" * 5000])
def test_what_is_no_code_finds_nobody(alice: User, code: str) -> None:
    begin()

    with pytest.raises(DeviceLoginNotFound):
        decide_device_login(code=code, user=alice, approve=True)


def test_somebody_who_may_not_sign_in_any_more_lets_nobody_in(alice: User) -> None:
    begun = begin()
    decide_device_login(code=begun.login.user_code, user=alice, approve=True)
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    with pytest.raises(DeviceLoginDenied):
        claim_device_login(begun.secret)


def test_neither_the_secret_nor_the_token_is_stored(alice: User) -> None:
    begun = begin()
    decide_device_login(code=begun.login.user_code, user=alice, approve=True)

    stored = str(DeviceLogin.objects.values().get())

    assert begun.secret not in stored
    assert begun.secret not in repr(begun)


def test_an_address_can_not_fill_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_logins, "MAX_OPEN_PER_ADDRESS", 2)
    begin()
    begin()

    with pytest.raises(TooManyDeviceLogins):
        begin()
    monkeypatch.setattr(device_logins, "MAX_OPEN", 3)
    begin(address="192.0.2.2")
    with pytest.raises(TooManyDeviceLogins):
        begin(address="192.0.2.3")


def test_a_name_that_would_deceive_is_refused() -> None:
    with pytest.raises(InvalidLabel):
        begin_device_login(label="Your bank\x07", scopes=[], address="")
