"""JavaScript `@fanoutio/pubcontrol`, unmodified, with each of its ways to say who it is."""

import pytest

from tests.clients.conftest import Run
from tests.servers.listening import Listener

SET_UP = """
const PubControl = require("@fanoutio/pubcontrol");
const { Format, Item, PubControlClient } = PubControl;
class JsonObject extends Format {
    constructor(value) { super(); this.value = value; }
    name() { return "json-object"; }
    export() { return this.value; }
}
const item = (value, ...ids) => new Item(new JsonObject(value), ...ids);
"""
CREDENTIALS = {
    "token": "client.setAuthJwt({ iss: realm.realm }, Buffer.from(realm.key, 'base64'));",
    "basic": "client.setAuthBasic(realm.realm, realm.key);",
    "key": "client.setAuthJwt(realm.key);",
}


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_publish_arrives(run_node: Run, listener: Listener, credential: str):
    run_node(
        SET_UP
        + "const client = new PubControlClient(realm.api);"
        + CREDENTIALS[credential]
        + "await client.publish(channel, item({ n: 1 }, '18', '17'));"
    )

    [arrived] = listener.take_items()
    assert (arrived["id"], arrived["data"]) == ("18", {"n": 1})


def test_a_configured_list_of_endpoints_publishes(run_node: Run, listener: Listener):
    run_node(
        SET_UP
        + """
const pub = new PubControl({ uri: realm.api, iss: realm.realm, key: Buffer.from(realm.key, "base64") });
for (let n = 0; n < 10; n++) await pub.publish(channel, item(n));
"""
    )

    assert listener.take(10) == list(range(10))


def test_the_developer_sees_why_a_publish_is_refused(run_node: Run):
    [told] = run_node(
        SET_UP
        + """
const client = new PubControlClient(realm.api);
client.setAuthJwt("A".repeat(43) + "=");
try { await client.publish(channel, item(1)); } catch (error) { tell(error.message, error.context); }
"""
    )

    assert "the credential is of no key of realm" in str(told)
    assert told[1]["statusCode"] == 401
