"""`fanout` as a script runs it: installed, with its settings in the environment."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.conftest import Fanout
from tests.servers.product import ProductRealm


def test_it_publishes_json_text_and_lines(fanout: Fanout) -> None:
    told = fanout("publish", "door", '{"open":true}', "--id", "18", "--tag", "floor=2")
    fanout("publish", "door", "ding dong")
    fanout("publish", "door", "17", "--text")
    lines = fanout("publish", "door", "--lines", "--json", stdin='1\n\n{"a":2}\n')

    rows = fanout("history", "door", "--json").rows
    assert told.output == "published to door (id 18)\n"
    assert [row["channel"] for row in lines.rows] == ["door", "door"]
    assert [row["data"] for row in rows] == [{"a": 2}, 1, "17", "ding dong", {"open": True}]


def test_it_subscribes_and_goes_on_where_it_was(fanout: Fanout, tmp_path: Path) -> None:
    fanout("publish", "news", "zero")
    (zero,) = fanout("history", "news", "--json").rows
    listen = ("subscribe", "news", "--count", "1", "--timeout", "20", "--save", str(tmp_path / "place.json"))
    fanout("publish", "news", "one", "--tag", "floor=2")
    first = fanout(*listen, "--since", zero["position"], "--transport", "poll")
    fanout("publish", "news", "two", "--tag", "floor=2")
    second = fanout(*listen, "--json", "--filter", "floor == 2")

    assert (first.status, first.output) == (0, "one\n")
    assert [row["type"] for row in second.rows] == ["subscribed", "item"]
    assert (second.rows[1]["data"], second.rows[1]["tags"]) == ("two", {"floor": 2})


def test_whoever_waits_in_vain_is_told_by_the_exit_code(fanout: Fanout) -> None:
    assert fanout("subscribe", "silent", "--count", "1", "--timeout", "0.5").status == 7


@pytest.mark.parametrize("transport", ["ws", "sse", "stream", "poll"])
def test_every_transport_can_be_forced(fanout: Fanout, transport: str) -> None:
    with ThreadPoolExecutor() as pool:
        words = ("subscribe", f"by-{transport}", "--transport", transport, "--count", "1", "--timeout", "20")
        listening = pool.submit(fanout, *words)
        while not listening.done():
            fanout("publish", f"by-{transport}", "x")
        done = listening.result()

    assert (done.status, done.output) == (0, "x\n")
    assert "connected over" in done.errors


def test_tokens_are_made_and_read(fanout: Fanout, realm: ProductRealm) -> None:
    made = fanout("token", "make", "orders.*", "chat:7:subscribe,publish", "--user", "alice", "--lifetime", "15m")
    told = fanout("token", "inspect", "-", "--json", stdin=made.output).rows[0]

    assert told["claims"]["channels"] == {"orders.*": ["subscribe"], "chat:7": ["subscribe", "publish"]}
    assert (told["claims"]["iss"], told["claims"]["sub"], told["is_signed_by_key"]) == (realm.realm, "alice", True)
    assert 890 < told["expires_in_s"] <= 900


def test_realms_and_presence_are_listed(fanout: Fanout, realm: ProductRealm) -> None:
    assert [row["id"] for row in fanout("realms", "--json").rows] == [realm.realm]
    assert "0 users" in fanout("presence", "door").errors


def test_why_names_what_is_wrong_with_its_cure_and_exits_with_1(fanout: Fanout) -> None:
    fanout("publish", "lonely", "1", "--id", "19")
    plain, as_json = fanout("why", "19"), fanout("why", "lonely", "--json")
    [told] = as_json.rows
    unknown = fanout("why", "alice", "--kind", "user")

    assert (plain.status, as_json.status, unknown.status) == (1, 1, 1)
    assert plain.output.startswith("Nobody was subscribed: ")
    assert "fault   Nobody was subscribed\n" in plain.output
    assert "cure: ask about the channel 'lonely'" in plain.output
    assert told["kind"] == "channel"
    assert "nobody_subscribed" in [finding["code"] for finding in told["findings"]]  # others' refusals are beside it
    assert "This user has not been here" in unknown.output


@pytest.mark.parametrize(
    ("words", "variables", "status", "cause", "cure"),
    [
        (["publish", "a", "1"], {"FANOUT_KEY": "wrong"}, 3, "is of no key", "copy the key"),
        (
            ["publish", "a", "1", "--patience", "1"],
            {"FANOUT_URL": "http://127.0.0.1:9"},
            6,
            "can't be reached",
            "check the address",
        ),
        (["publish", "a"], {}, 2, "no format", "give data"),
        (["publish", "a", "1"], {"FANOUT_URL": ""}, 2, "no server is named", "fanout login"),
        (["publish", "a", "1"], {"FANOUT_REALM": ""}, 2, "no realm is named", "give the realm's id"),
        (["subscribe", "a", "--since", "x,y"], {}, 2, "2 positions for 1 channels", "give one for each"),
        (["subscribe", "a"], {"FANOUT_REALM": "00000000"}, 4, "no realm", "check the realm's id"),
        (["token", "inspect", "abc"], {}, 2, "no JWT", "copy the whole token"),
        (["token", "make", "a", "--lifetime", "soon"], {}, 2, "no span of time", "15m"),
    ],
)
def test_errors_name_cause_and_cure_and_have_exit_codes(
    fanout: Fanout, words: list[str], variables: dict[str, str], status: int, cause: str, cure: str
) -> None:
    plain, as_json = fanout(*words, **variables), fanout(*words, "--json", **variables)

    told = json.loads(as_json.errors)["error"]
    assert (plain.status, as_json.status, plain.output, as_json.output) == (status, status, "", "")
    assert plain.errors.endswith(f"error: {told['message']}\ncure:  {told['cure']}\n")
    assert cause in told["message"]
    assert cure in told["cure"]


def test_wrong_usage_is_2_and_no_colour_comes_where_nobody_looks(fanout: Fanout) -> None:
    done = fanout("publish")

    assert done.status == 2
    assert "\x1b" not in done.errors + fanout("history", "door").output
    assert "Traceback" not in done.errors


def test_a_file_with_secrets_that_others_may_read_is_refused(fanout: Fanout, environment: dict[str, str]) -> None:
    config = Path(environment["FANOUT_CONFIG"])
    config.write_text(json.dumps({"realm": "r1"}))
    config.chmod(0o644)

    done = fanout("history", "door")

    assert done.status == 2
    assert f"chmod 600 {config}" in done.errors
