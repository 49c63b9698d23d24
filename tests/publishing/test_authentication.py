"""Who may publish: every form of credential, and every way in which it can fail."""

import asyncio
import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import FanoutError, Forbidden, Unauthorized
from publishing import authentication
from publishing.authentication import CLOCK_LEEWAY_S, MAX_CREDENTIAL_BYTES, Authenticator
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory
from tests.publishing.credentials import (
    ALICE,
    ALICE_KEY,
    CHARLIE,
    CHARLIE_KEY,
    FAR_AWAY,
    basic,
    bearer,
    key_text,
    realm_of,
    signed_payload,
)

SHORT_KEY = bytes(range(16))
WITH_TYPE = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
WITHOUT_TYPE = b"eyJhbGciOiJIUzI1NiJ9"
CLAIMS = b"eyJpc3MiOiIwYTFiMmMzZCIsImV4cCI6NDEwMjQ0NDgwMH0"
#: fanout-cloud-api.md §3.1: all for realm 0a1b2c3d, `exp` 4102444800.
VECTORS = [
    (ALICE_KEY, WITH_TYPE + b"." + CLAIMS + b".H36VQv601SvYk94PTfkhxWHZSsTN1wxxaaVCTuCebRs"),
    (ALICE_KEY, WITHOUT_TYPE + b"." + CLAIMS + b".kE751m_pE7UnmQ8KJEPs5m3tGwOWy_f5B5wsu083lDo"),
    (SHORT_KEY, WITH_TYPE + b"." + CLAIMS + b".RZ7kMZ9xgKgmH-n1eufAKuMnUkMTPZrFEfBWIINP9MA"),
]


class World:
    """Alice's realm with two keys, Charlie's with one, and who checks their credentials."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.alice = realm_of(ALICE, ALICE_KEY, SHORT_KEY)
        self.directory = FakeDirectory(self.alice, realm_of(CHARLIE, CHARLIE_KEY))
        self.authenticator = Authenticator(self.directory, self.clock)

    async def key_of(self, header: bytes | None, *, realm: str = ALICE) -> str:
        """Return the id of the key that the credential proves."""
        snapshot, key = await self.authenticator.authenticate(realm, header)  # type: ignore[arg-type]
        assert snapshot.realm == realm
        return key.key_id

    async def refusal_of(self, header: bytes | None, *, realm: str = ALICE) -> FanoutError:
        with pytest.raises((Unauthorized, Forbidden)) as refused:
            await self.key_of(header, realm=realm)
        return refused.value


@pytest.fixture
def world() -> World:
    return World()


# -- signed tokens


@pytest.mark.parametrize(("key", "token"), VECTORS)
async def test_the_vectors_of_the_reference_hold(world: World, key: bytes, token: bytes):
    assert await world.key_of(b"Bearer " + token) == ("k0" if key == ALICE_KEY else "k1")


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   ", b" Bearer "])
async def test_the_scheme_is_read_whatever_its_case_and_blanks(world: World, scheme: bytes):
    assert await world.key_of(scheme + VECTORS[0][1]) == "k0"


@pytest.mark.parametrize(
    "header",
    [{"alg": "HS256", "typ": "JWT"}, {"typ": "JWT", "alg": "HS256"}, {"alg": "HS256"}, {"alg": "HS256", "x": 1}],
)
async def test_the_header_of_a_token_may_name_its_type_or_not(world: World, header: dict[str, object]):
    assert await world.key_of(bearer(ALICE_KEY, header=header, iss=ALICE, exp=FAR_AWAY)) == "k0"


async def test_claims_that_nobody_asks_for_are_not_looked_at(world: World):
    header = bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY, iat=FAR_AWAY, aud="x", sub=5, jti=[], nbf=None)

    assert await world.key_of(header) == "k0"


@pytest.mark.parametrize("exp_after_s", [-CLOCK_LEEWAY_S + 1, 0, 600, 1e9, 4e12, 1e300])
async def test_a_token_holds_until_a_minute_after_its_end(world: World, exp_after_s: float):
    assert await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=world.clock.now() + exp_after_s)) == "k0"


async def test_an_end_in_milliseconds_is_far_away_and_good(world: World):
    assert await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY * 1000)) == "k0"


@pytest.mark.parametrize(
    ("ago_s", "told"), [(60, "60 s"), (600, "10 minutes"), (3 * 3600, "3 hours"), (5 * 86400, "5 days")]
)
async def test_an_expired_token_is_told_how_long_ago(world: World, ago_s: int, told: str):
    refused = await world.refusal_of(bearer(ALICE_KEY, iss=ALICE, exp=world.clock.now() - ago_s))

    assert refused.code == "token_expired"
    assert refused.line.startswith(f"the token expired {told} ago; check the clock")


async def test_a_token_may_begin_to_hold_a_minute_from_now(world: World):
    begins = world.clock.now() + CLOCK_LEEWAY_S

    assert await world.key_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY, nbf=begins)) == "k0"


async def test_a_token_of_the_future_is_refused(world: World):
    refused = await world.refusal_of(bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY, nbf=world.clock.now() + 600))

    assert refused.code == "token_not_yet_valid"
    assert str(refused) == "the token begins to hold in 10 minutes"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": ALICE}, "the token has no 'exp'"),
        ({"iss": ALICE, "exp": None}, "the token has no 'exp'"),
        ({"iss": ALICE, "exp": "soon"}, "the token's 'exp' can't be used"),
        ({"iss": ALICE, "exp": [1]}, "the token's 'exp' can't be used"),
        ({"iss": ALICE, "exp": True}, "the token's 'exp' can't be used"),
        ({"iss": ALICE, "exp": 10**400}, "the token's 'exp' can't be used"),
        ({"iss": ALICE, "exp": FAR_AWAY, "nbf": "now"}, "the token's 'nbf' can't be used"),
        ({"exp": FAR_AWAY}, "the token has no 'iss'"),
        ({"iss": 5, "exp": FAR_AWAY}, "the token's 'iss' can't be used"),
    ],
)
async def test_a_token_with_unusable_claims_is_told_which(world: World, claims: dict[str, object], told: str):
    refused = await world.refusal_of(bearer(ALICE_KEY, **claims))

    assert (refused.code, str(refused)) == ("bad_token", told)


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS384", "HS512", "RS256", None, 5, ["HS256"]])
async def test_only_hs256_is_taken(world: World, algorithm: object):
    refused = await world.refusal_of(bearer(ALICE_KEY, header={"alg": algorithm}, iss=ALICE, exp=FAR_AWAY))

    assert refused.code == "bad_token"


async def test_a_token_without_signature_is_refused(world: World):
    unsigned = bearer(ALICE_KEY, header={"alg": "none"}, iss=ALICE, exp=FAR_AWAY).rpartition(b".")[0] + b"."

    assert (await world.refusal_of(unsigned)).code == "bad_token"


async def test_a_token_signed_with_the_keys_text_is_refused(world: World):
    refused = await world.refusal_of(bearer(key_text(ALICE_KEY).encode(), iss=ALICE, exp=FAR_AWAY))

    assert refused.code == "wrong_key"
    assert "signed with the decoded key" in refused.cure


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"{", b"[]", b'"x"', b"5", b"\xff", b'{"iss":"0a1b2c3d","exp":NaN}', b'{"iss":"\xff","exp":1}'),
        *(b"[" * 5000, b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}", b'{"iss":' + b"1" * 5000 + b"}"),
    ],
)
async def test_a_payload_that_is_no_set_of_claims_is_refused(world: World, payload: bytes):
    assert (await world.refusal_of(signed_payload(ALICE_KEY, payload))).code == "bad_token"


@pytest.mark.parametrize("header", [b"", b"{}", b"[]", b"\xff", b"[" * 5000, b'{"alg":"HS256","crit":["x"]}'])
async def test_a_token_header_that_is_none_is_refused(world: World, header: bytes):
    token = signed_payload(ALICE_KEY, b'{"iss":"0a1b2c3d","exp":4102444800}', header=header)

    assert (await world.refusal_of(token)).code == "bad_token"


@given(place=st.integers(0, len(VECTORS[0][1]) - 1), byte=st.integers(0, 255))
def test_a_token_with_any_changed_byte_is_refused(place: int, byte: int):
    token = bytearray(VECTORS[0][1])
    if token[place] == byte:
        return
    token[place] = byte

    assert asyncio.run(World().refusal_of(b"Bearer " + bytes(token))).http_status == 401


@given(header=st.binary(max_size=200))
def test_any_header_is_answered_with_our_errors(header: bytes):
    assert asyncio.run(World().refusal_of(header)).http_status == 401


@given(token=st.lists(st.binary(max_size=60), min_size=3, max_size=3))
def test_any_token_is_answered_with_our_errors(token: list[bytes]):
    header = b"Bearer " + b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in token)

    assert asyncio.run(World().refusal_of(header)).http_status == 401


# -- Basic, and the key as it is


@pytest.mark.parametrize("key", [ALICE_KEY, SHORT_KEY])
async def test_basic_takes_the_realm_and_any_of_its_keys(world: World, key: bytes):
    assert await world.key_of(basic(ALICE, key)) == ("k0" if key == ALICE_KEY else "k1")


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
    assert (await world.refusal_of(b"Bearer " + VECTORS[0][1])).code == "wrong_key"


# -- what is remembered


async def test_a_known_realm_costs_no_query(world: World):
    await world.key_of(VALUE)
    await world.refusal_of(basic(ALICE, CHARLIE_KEY))

    assert world.directory.looked_up == []


@pytest.mark.parametrize("header", [b"Bearer " + VECTORS[0][1], basic(ALICE, ALICE_KEY)], ids=["token", "basic"])
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
    header = b"Bearer " + VECTORS[0][1]
    await world.key_of(header)

    refused = await world.refusal_of(header, realm=CHARLIE)

    assert refused.code == "forbidden"


async def test_a_known_token_is_not_checked_again(world: World, monkeypatch: pytest.MonkeyPatch):
    header = b"Bearer " + VECTORS[0][1]
    await world.key_of(header)
    monkeypatch.setattr(authentication, "_verifier", None)

    assert await world.key_of(header) == "k0"


async def test_a_new_snapshot_of_the_same_keys_takes_the_same_tokens(world: World):
    header = b"Bearer " + VECTORS[0][1]
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
