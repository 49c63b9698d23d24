"""Settings of XMPP."""

import pytest

from fanoutcloud.env import BadSetting, Environment
from fanoutcloud.xmpp_settings import XmppSettings, read_xmpp_settings


def read(**variables: str) -> XmppSettings:
    return read_xmpp_settings(Environment(variables), bind="127.0.0.1", public_host="push.example.net")


def test_it_is_off_unless_a_door_has_an_address() -> None:
    assert not read().is_on
    assert read(XMPP_PORT="5222").is_on
    assert read(XMPP_SERVER="127.0.0.1", XMPP_SECRET="s").server == ("127.0.0.1", 5347)


def test_the_domain_is_that_of_the_installation_unless_it_is_an_address() -> None:
    assert read().domain == "push.example.net"
    assert read_xmpp_settings(Environment({}), bind="127.0.0.1", public_host="10.0.0.1").domain == "localhost"


@pytest.mark.parametrize(
    "variables",
    [
        {"XMPP_DOMAIN": "a b"},
        {"XMPP_SERVER": "127.0.0.1"},
        {"XMPP_SERVER": "127.0.0.1:x", "XMPP_SECRET": "s"},
        {"XMPP_TLS_KEY": "/nowhere"},
        {"XMPP_PORT": "70000"},
    ],
)
def test_what_can_not_be_used_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match=r"XMPP_"):
        read(**variables)
