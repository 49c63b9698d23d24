"""Signed tokens: which hold, and every way in which one can fail."""

import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.authentication import CLOCK_LEEWAY_S
from tests.publishing.credentials import ALICE, ALICE_KEY, FAR_AWAY, SHORT_KEY, World, bearer, key_text, signed_payload

WITH_TYPE = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
WITHOUT_TYPE = b"eyJhbGciOiJIUzI1NiJ9"
CLAIMS = b"eyJpc3MiOiIwYTFiMmMzZCIsImV4cCI6NDEwMjQ0NDgwMH0"
#: fanout-cloud-api.md §3.1: all for realm 0a1b2c3d, `exp` 4102444800.
VECTORS = [
    (ALICE_KEY, WITH_TYPE + b"." + CLAIMS + b".H36VQv601SvYk94PTfkhxWHZSsTN1wxxaaVCTuCebRs"),
    (ALICE_KEY, WITHOUT_TYPE + b"." + CLAIMS + b".kE751m_pE7UnmQ8KJEPs5m3tGwOWy_f5B5wsu083lDo"),
    (SHORT_KEY, WITH_TYPE + b"." + CLAIMS + b".RZ7kMZ9xgKgmH-n1eufAKuMnUkMTPZrFEfBWIINP9MA"),
]


@pytest.fixture
def world() -> World:
    return World()


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


@given(token=st.lists(st.binary(max_size=60), min_size=3, max_size=3))
def test_any_token_is_answered_with_our_errors(token: list[bytes]):
    header = b"Bearer " + b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in token)

    assert asyncio.run(World().refusal_of(header)).http_status == 401
