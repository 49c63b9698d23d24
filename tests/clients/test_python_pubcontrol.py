"""Python `pubcontrol`, unmodified, with each of its ways to say who it is."""

import pytest

from tests.clients.conftest import Run
from tests.servers.listening import Listener

SET_UP = """
from base64 import b64decode
from pubcontrol import Format, Item, PubControl, PubControlClient

class Named(Format):
    def __init__(self, name, value): self._name, self._value = name, value
    def name(self): return self._name
    def export(self): return self._value

def item(value, *ids): return Item(Named("json-object", value), *ids)
"""
CREDENTIALS = {
    "token": "client.set_auth_jwt({'iss': realm['realm']}, b64decode(realm['key']))",
    "token with an end in milliseconds": (
        "client.set_auth_jwt({'iss': realm['realm'], 'exp': 4102444800000}, b64decode(realm['key']))"
    ),
    "basic, damaged by the library": "client.set_auth_basic(realm['realm'], realm['key'])",
    "key": "client.set_auth_bearer(realm['key'])",
}


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_blocking_publish_arrives(run: Run, listener: Listener, credential: str):
    run(
        SET_UP
        + f"""
client = PubControlClient(realm["api"])
{CREDENTIALS[credential]}
client.publish(channel, item({{"n": 1}}, "18", "17"), blocking=True)
"""
    )

    [arrived] = listener.take_items()
    assert (arrived["id"], arrived["data"]) == ("18", {"n": 1})


def test_publishes_in_the_background_arrive_in_order(run: Run, listener: Listener):
    told = run(
        SET_UP
        + """
pub = PubControl({"uri": realm["api"], "iss": realm["realm"], "key": b64decode(realm["key"])})
for n in range(35):
    pub.publish(channel, item(n, str(n + 1), str(n)), callback=tell)
pub.wait_all_sent()
"""
    )

    assert told == [[True, None]] * 35
    assert listener.take(35) == list(range(35))


def test_an_item_may_have_several_formats(run: Run, listener: Listener):
    run(
        SET_UP
        + """
client = PubControlClient(realm["api"])
client.set_auth_bearer(realm["key"])
class Stream(Named): pass
class Message(Named): pass
formats = [Stream("http-stream", {"content": "x"}), Message("ws-message", {"content": "x"})]
client.publish(channel, Item(formats + [Named("json-object", {"x": 1})]), blocking=True)
"""
    )

    assert listener.take() == [{"x": 1}]


def test_bad_input_is_told_with_its_place(run: Run):
    told = run(
        SET_UP
        + """
client = PubControlClient(realm["api"])
client.set_auth_bearer(realm["key"])
try:
    client.publish(channel, Item(Named("ws-message", {})), blocking=True)
except ValueError as error:
    tell(str(error))
"""
    )

    [[raised]] = told
    assert "status code 400 with message: items[0].ws-message: needs 'content', 'content-bin' or 'action'" in raised
