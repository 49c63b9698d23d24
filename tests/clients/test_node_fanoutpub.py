"""JavaScript `fanoutpub`, unmodified. Its address is fixed; overwriting `pubControl.uri` is documented."""

from tests.clients.conftest import Run
from tests.servers.listening import Listener

SET_UP = """
const { Fanout } = require("fanoutpub");
const fanout = new Fanout(realm.realm, realm.key);
fanout.pubControl.uri = realm.api;
const publish = (...values) => new Promise((done) => fanout.publish(channel, ...values, (...told) => done(told)));
"""


def test_a_publish_arrives_and_calls_back(run_node: Run, listener: Listener):
    [told] = run_node(
        SET_UP + "const [ok, message] = await publish({ home: 2, away: null }, '18', '17'); tell(ok, message);"
    )

    assert told == [True, ""]
    [item] = listener.take_items()
    assert (item["id"], item["data"]) == ("18", {"home": 2, "away": None})


def test_publishes_one_after_the_other_arrive_in_order(run_node: Run, listener: Listener):
    run_node(SET_UP + "for (let n = 0; n < 10; n++) await publish(n);")

    assert listener.take(10) == list(range(10))


def test_an_id_that_is_sent_twice_arrives_once(run_node: Run, listener: Listener):
    run_node(SET_UP + "for (const n of [1, 1, 2]) await publish(n, String(n), undefined);")

    assert listener.take(2) == [1, 2]


def test_the_developer_sees_why_a_publish_is_refused(run_node: Run):
    [told] = run_node(
        SET_UP
        + """
fanout.pubControl.setAuthJwt({ iss: realm.realm }, Buffer.alloc(32));
const [ok, message, context] = await publish("x");
tell(ok, message, context.statusCode);
"""
    )

    assert told[0] is False
    assert "the credential is of no key of realm" in told[1]
    assert told[2] == 401
