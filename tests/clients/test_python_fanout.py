"""Python `fanout`, unmodified: its address is fixed, so it comes through a proxy, in the absolute form, without TLS."""

from tests.clients.conftest import Run
from tests.servers.listening import Listener

SET_UP = """
import fanout
fanout.realm, fanout.key, fanout.ssl = realm["realm"], realm["key"], False
"""


def test_a_blocking_publish_arrives(run: Run, listener: Listener):
    run(SET_UP + "fanout.publish(channel, {'home': 2, 'away': None}, id='18', prev_id='17', blocking=True)")

    [item] = listener.take_items()
    assert (item["id"], item["data"]) == ("18", {"home": 2, "away": None})


def test_publishes_in_the_background_arrive_in_order_and_call_back(run: Run, listener: Listener):
    told = run(SET_UP + "for n in range(25): fanout.publish(channel, n, callback=tell)")

    assert told == [[True, None]] * 25
    assert listener.take(25) == list(range(25))


def test_an_id_that_is_sent_twice_arrives_once(run: Run, listener: Listener):
    run(SET_UP + "for n in (1, 1, 2): fanout.publish(channel, n, id=str(n), blocking=True)")

    assert listener.take(2) == [1, 2]


def test_realm_key_and_scheme_may_be_given_per_call(run: Run, listener: Listener):
    run("import fanout; fanout.publish(channel, 'x', blocking=True, realm=realm['realm'], key=realm['key'], ssl=False)")

    assert listener.take() == ["x"]


def test_the_developer_sees_why_a_publish_is_refused(run: Run):
    told = run(
        SET_UP
        + """
fanout.key = "A" * 43 + "="
try:
    fanout.publish(channel, "x", blocking=True)
except ValueError as error:
    tell(str(error))
fanout.publish(channel, "x", callback=tell)
"""
    )

    [[raised], [succeeded, text]] = told
    assert raised == text
    assert not succeeded
    assert raised.startswith("failed to publish: received failed status code 401 with message: the credential is of no")
    assert "a JWT is signed with the decoded key" in raised
