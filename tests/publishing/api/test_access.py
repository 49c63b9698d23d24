"""Revocations and customers' public keys by program."""

import json

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from realms.services import CreatedRealm, make_token
from realms.snapshots import find_snapshot
from tests.publishing.api.callers import Caller


def test_a_token_and_a_user_are_revoked_and_let_in_again(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}/revocations"
    token = alices_caller.post(f"{base}/tokens", {"token_id": "a1"})
    user = alices_caller.post(f"{base}/users", {"user": "42"})
    assert (token.status_code, user.status_code) == (201, 201)

    listed = alices_caller.get(base).json()["items"]
    assert [(row["kind"], row["name"]) for row in listed] == [("token", "a1"), ("user", "42")]
    location = token.headers["Location"]
    assert alices_caller.get(location).json() == listed[0]
    assert alices_caller.delete(location).status_code == 204
    assert alices_caller.get(location).json()["code"] == "revocation_not_found"
    late = alices_caller.post(f"{base}/tokens", {"token_id": "b", "expires_at": "2020-01-01T00:00:00Z"})
    assert (late.status_code, late.json()["field"]) == (400, "expires_at")


def test_a_realms_key_revokes_what_it_signed(created: CreatedRealm):
    caller = Caller(f"Bearer {created.secret}")

    assert caller.post(f"realms/{created.realm.pk}/revocations/users", {"user": "42"}).status_code == 201


def test_public_keys_are_accepted_and_removed(alices_caller: Caller, created: CreatedRealm):
    jwk = {**json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key())), "alg": "ES256"}
    base = f"realms/{created.realm.pk}/token-keys"

    made = alices_caller.post(base, {"document": json.dumps(jwk), "issuer": "https://login.example.com"})

    assert made.status_code == 201, made.content
    snapshot = find_snapshot(created.realm.pk)
    assert snapshot is not None
    assert len(snapshot.public_keys) == 1
    assert alices_caller.get(base).json()["items"] == [alices_caller.get(made.headers["Location"]).json()]
    assert alices_caller.delete(made.headers["Location"]).status_code == 204
    assert alices_caller.post(base, {"document": "{}"}).json()["code"] == "invalid_token_keys"


def test_the_doctor_says_what_a_token_allows_and_why_it_fails(alices_caller: Caller, created: CreatedRealm):
    path = f"realms/{created.realm.pk}/token-doctor"
    token = make_token(realm=created.realm, user="42", channels={"door": ["subscribe"]})

    good = alices_caller.post(path, {"token": token, "channel": "door"}).json()
    assert good["holds"] is True
    assert {row["capability"]: row["is_allowed"] for row in good["abilities"]}["subscribe"] is True
    bad = alices_caller.post(path, {"token": token[:-3] + "AAA"}).json()
    assert bad["holds"] is False
    assert [check["name"] for check in bad["checks"] if check["outcome"] == "failed"] == ["signature"]
