"""What Bayeux messages ask for. The errors' codes are tried on all transports in tests/contracts/test_bayeux.py."""

import json

import pytest

from fanoutcloud.edge.bayeux.messages import read_messages
from fanoutcloud.edge.bayeux.protocol import Step, find_name_fault, read_step, unknown_client


def step_of(**members: object) -> Step:
    [message] = read_messages(json.dumps(members).encode())
    return read_step(message)


def refusal_of(**members: object) -> dict[str, object]:
    refusal: dict[str, object] = json.loads(step_of(**members).refusal)
    return refusal


@pytest.mark.parametrize("version", ["1.0", "1.0beta", "1.1", "1"])
def test_all_versions_1_are_spoken(version: str) -> None:
    step = step_of(channel="/meta/handshake", version=version, supportedConnectionTypes=["long-polling"])

    assert step.kind == "handshake"


@pytest.mark.parametrize("members", [{"version": "0.9"}, {"version": "1.0", "minimumVersion": "2.0"}, {"version": "x"}])
def test_clients_of_other_versions_are_told_to_give_up(members: dict[str, str]) -> None:
    refusal = refusal_of(channel="/meta/handshake", supportedConnectionTypes=["long-polling"], **members)

    assert str(refusal["error"]).startswith("300:")
    assert refusal["advice"] == {"reconnect": "none"}
    assert refusal["version"] == "1.0"


def test_a_subscription_may_be_a_list() -> None:
    step = step_of(channel="/meta/subscribe", clientId="x", subscription=["/a", "/b/c"])

    assert step.channels == ("a", "b/c")


def test_one_bad_name_refuses_the_whole_list() -> None:
    refusal = refusal_of(channel="/meta/subscribe", clientId="x", subscription=["/a", "/b c"])

    assert refusal["error"] == "405:/b c:Invalid channel"
    assert refusal["subscription"] == ["/a", "/b c"]


@pytest.mark.parametrize("name", ["/a", "/a/b", "/A-_!~()$@9/x", "/metal", "/service1"])
def test_names_of_bayeux_may_be_subscribed(name: str) -> None:
    assert find_name_fault(name) == ""


@pytest.mark.parametrize(
    "name", ["", "/", "a", "/a/", "//a", "/a b", "/ä", "/a.b", "/a:b", "/a%20", "/*/a", "/a*", "/a\n"]
)
def test_other_names_are_invalid(name: str) -> None:
    assert find_name_fault(name).startswith("405:")


@pytest.mark.parametrize("name", ["/*", "/**", "/a/*", "/a/**", "/meta", "/meta/x", "/service", "/service/x"])
def test_wildcards_and_the_protocols_own_channels_are_forbidden(name: str) -> None:
    assert find_name_fault(name).startswith("403:")


def test_a_name_that_is_too_long_for_a_channel_is_invalid() -> None:
    assert find_name_fault("/" + "a" * 600).startswith("405:")


def test_who_says_goodbye_unknown_is_not_asked_back() -> None:
    reply = json.loads(unknown_client(step_of(channel="/meta/disconnect", clientId="x")))

    assert (reply["successful"], "advice" in reply) == (False, False)
