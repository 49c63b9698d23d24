"""Who may publish: every form of credential, and every way in which it can fail."""

import asyncio
import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import Unauthorized
from publishing import authentication
from publishing.authentication import CLOCK_LEEWAY_S, MAX_CREDENTIAL_BYTES
from tests.publishing.credentials import (
    ALICE,
    ALICE_KEY,
    CHARLIE,
    CHARLIE_KEY,
    FAR_AWAY,
    SHORT_KEY,
    World,
    basic,
    bearer,
    key_text,
    realm_of,
)


@pytest.fixture
def world() -> World:
    return World()


# -- Basic, and the key as it is


@pytest.mark.parametrize("key", [ALICE_KEY, SHORT_KEY])
async def test_basic_takes_the_realm_and_any_of_its_keys(world: World, key: bytes):
    assert await world.key_of(basic(ALICE, key)) == ("k0" if key == ALICE_KEY else "k1")


TOKEN = bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY)
VALUE = basic(ALICE, ALICE_KEY).removeprefix(b"Basic ")


@pytest.mark.parametrize(
    "header",
    [
        b"Basic b'" + VALUE + b"'",  # Python pubcontrol 3.5
        VALUE,  # Java pubcontrol
        b"Basic " + VALUE[:20] + b"\n" + VALUE[20:] + b"\n",  # Ruby pubcontrol
        b"Basic " + VALUE[:20] + b"\r\n " + VALUE[20:],
        b"basic  " + VALUE + b" ",
    ],
)
async def test_the_damaged_forms_of_basic_that_libraries_send_are_taken(world: World, header: bytes):
    assert await world.key_of(header) == "k0"


@pytest.mark.parametrize("key", [ALICE_KEY, SHORT_KEY])
async def test_the_key_itself_is_taken_as_a_bearer_token(world: World, key: bytes):
    header = b"Bearer " + key_text(key).encode()

    assert await world.key_of(header) == ("k0" if key == ALICE_KEY else "k1")


@pytest.mark.parametrize(
    "header",
    [
        basic(ALICE, CHARLIE_KEY),
        basic(ALICE, ""),
        basic(ALICE, key_text(ALICE_KEY).rstrip("=")),
        basic(ALICE, key_text(ALICE_KEY) + "\n"),
        basic("", ALICE_KEY),
        basic(CHARLIE, ALICE_KEY),
        basic("nobody", ALICE_KEY),
        basic("é" * 10, "ü"),
        bearer(CHARLIE_KEY, iss=ALICE, exp=FAR_AWAY),
        bearer(ALICE_KEY, iss=CHARLIE, exp=FAR_AWAY),
        bearer(ALICE_KEY, iss="nobody", exp=FAR_AWAY),
        bearer(ALICE_KEY, iss="../..", exp=FAR_AWAY),
        b"Bearer " + key_text(CHARLIE_KEY).encode(),
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff\xfe",
    ],
)
async def test_a_credential_of_no_key_of_the_realm_is_refused(world: World, header: bytes):
    refused = await world.refusal_of(header)

    assert (refused.code, refused.http_status) in [("wrong_key", 401), ("bad_credential", 401)]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_credential"),
        (b"", "no_credential"),
        (b"   ", "no_credential"),
        (b"Basic", "bad_credential"),
        (b"Basic %%%", "bad_credential"),
        (b"Basic " + base64.b64encode(b"no colon"), "bad_credential"),
        (b"Basic " + base64.b64encode(b"\xff:\xfe"), "bad_credential"),
        (b"Digest username=x", "bad_credential"),
        (b"Bearer " + b"x" * MAX_CREDENTIAL_BYTES, "bad_credential"),
        (b"Bearer a.b.c", "bad_token"),
        (b"Bearer ..", "bad_token"),
    ],
)
async def test_what_is_no_credential_is_told_so(world: World, header: bytes | None, code: str):
    assert (await world.refusal_of(header)).code == code


@pytest.mark.parametrize("claims", [{"sub": "alice"}, {"channels": {"*": ["subscribe"]}}, {"info": {}}])
async def test_a_subscriber_can_not_publish_with_the_token_that_it_was_given(world: World, claims: dict[str, object]):
    with pytest.raises(Unauthorized) as refused:
        await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY, **claims))
    assert refused.value.code == "subscriber_token"


async def test_a_refusal_never_holds_what_was_sent(world: World):
    secret = key_text(CHARLIE_KEY)
    headers = [
        f"{secret} {ALICE}".encode(),
        f"Token {secret}".encode(),
        f"{ALICE}:{secret}".encode(),
        b"Bearer " + secret.encode(),
        basic(ALICE, secret),
        f"Bearer {secret}.x.y".encode(),
        bearer(CHARLIE_KEY, iss=secret, exp=FAR_AWAY),
    ]

    lines = [(await world.refusal_of(header)).line for header in headers]

    assert not [line for line in lines if secret[:10] in line]


@given(header=st.binary(max_size=200))
def test_any_header_is_answered_with_our_errors(header: bytes):
    assert asyncio.run(World().refusal_of(header)).http_status == 401


# -- realms


@pytest.mark.parametrize(
    "header", [basic(CHARLIE, CHARLIE_KEY), bearer(CHARLIE_KEY, iss=CHARLIE, exp=FAR_AWAY)], ids=["basic", "token"]
)
async def test_the_good_credential_of_another_realm_is_forbidden(world: World, header: bytes):
    assert await world.key_of(header, realm=CHARLIE) == "k0"

    refused = await world.refusal_of(header)

    assert (refused.http_status, refused.code) == (403, "forbidden")
    assert str(refused) == f"the credential is of realm {CHARLIE}, the path names realm {ALICE}"


async def test_an_expired_token_of_another_realm_is_no_proof(world: World):
    refused = await world.refusal_of(bearer(CHARLIE_KEY, iss=CHARLIE, exp=1))

    assert refused.code == "wrong_key"


@pytest.mark.parametrize(
    "make", [lambda realm: basic(realm, CHARLIE_KEY), lambda realm: bearer(CHARLIE_KEY, iss=realm, exp=FAR_AWAY)]
)
async def test_an_unknown_realm_looks_like_a_wrong_key(world: World, make):
    wrong = await world.refusal_of(make(ALICE), realm=ALICE)
    unknown = await world.refusal_of(make("deadbeef"), realm="deadbeef")

    assert unknown.line.replace("deadbeef", ALICE) == wrong.line
    assert (unknown.code, unknown.http_status) == (wrong.code, wrong.http_status)


async def test_a_realm_without_keys_opens_to_nobody(world: World):
    world.directory.replace(realm_of(ALICE))

    assert (await world.refusal_of(VALUE)).code == "wrong_key"
    assert (await world.refusal_of(TOKEN)).code == "wrong_key"


# -- what is remembered


async def test_a_known_realm_costs_no_query(world: World):
    await world.key_of(VALUE)
    await world.refusal_of(basic(ALICE, CHARLIE_KEY))

    assert world.directory.looked_up == []


@pytest.mark.parametrize("header", [TOKEN, basic(ALICE, ALICE_KEY)], ids=["token", "basic"])
async def test_a_credential_ends_with_its_key(world: World, header: bytes):
    await world.key_of(header)
    world.directory.replace(realm_of(ALICE, SHORT_KEY))

    refused = await world.refusal_of(header)

    assert refused.code == "wrong_key"


async def test_a_remembered_token_still_expires(world: World):
    header = bearer(ALICE_KEY, iss=ALICE, exp=world.clock.now() + 600)
    await world.key_of(header)
    world.clock.pass_time(600 + CLOCK_LEEWAY_S)

    refused = await world.refusal_of(header)

    assert refused.code == "token_expired"


async def test_a_remembered_token_is_good_for_its_realm_only(world: World):
    header = TOKEN
    await world.key_of(header)

    refused = await world.refusal_of(header, realm=CHARLIE)

    assert refused.code == "forbidden"


async def test_a_known_token_is_not_checked_again(world: World, monkeypatch: pytest.MonkeyPatch):
    header = TOKEN
    await world.key_of(header)
    monkeypatch.setattr(authentication, "_verifier", None)

    assert await world.key_of(header) == "k0"


async def test_a_new_snapshot_of_the_same_keys_takes_the_same_tokens(world: World):
    header = TOKEN
    await world.key_of(header)
    world.directory.replace(replace(world.alice))

    assert await world.key_of(header) == "k0"


async def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(authentication, "MAX_REMEMBERED_TOKENS", 5)
    for number in range(20):
        await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY + number))
        await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY, number=number, padding="x" * 2000))

    remembered = world.authenticator._verified

    assert len(remembered) == 5
    assert max(len(header) for _, header in remembered) <= authentication.MAX_REMEMBERED_BYTES
