"""Secrets at rest."""

import pytest
from cryptography.fernet import Fernet
from pytest_django.fixtures import Settings

from realms.errors import SealBroken
from realms.sealing import open_sealed, seal


def test_what_was_sealed_is_opened():
    assert open_sealed(seal(b"\x00secret\xff")) == b"\x00secret\xff"


def test_an_older_sealing_key_still_opens_and_the_first_one_seals(settings: Settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SEALING_KEYS = [old]
    sealed_before = seal(b"secret")

    settings.SEALING_KEYS = [new, old]
    sealed_after = seal(b"secret")

    assert open_sealed(sealed_before) == b"secret"
    settings.SEALING_KEYS = [new]
    assert open_sealed(sealed_after) == b"secret"


@pytest.mark.parametrize("damage", [lambda text: text[:-4], lambda text: text[:20] + "ü" + text[21:], lambda text: ""])
def test_a_broken_seal_is_told(damage):
    with pytest.raises(SealBroken) as broken:
        open_sealed(damage(seal(b"secret")))

    assert "SEALING_KEYS" in broken.value.cure


def test_a_foreign_key_opens_nothing(settings: Settings):
    sealed = seal(b"secret")
    settings.SEALING_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(SealBroken):
        open_sealed(sealed)
