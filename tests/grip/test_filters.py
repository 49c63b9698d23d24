"""Who gets an item, and with what content."""

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.filters import (
    FilterFault,
    Subscription,
    content_filters_of,
    passes,
    rewrite,
    rewrite_response,
)


def subscription(
    meta: Mapping[str, str] | None = None, channels: Collection[str] = (), last_ids: Mapping[str, str] | None = None
) -> Subscription:
    return Subscription(meta or {}, lambda name: name in channels, last_ids or {})


@pytest.mark.parametrize(
    ("name", "user", "item_meta", "is_passed"),
    [
        ("skip-self", "alice", {"sender": "alice"}, False),
        ("skip-self", "alice", {"sender": "bob"}, True),
        ("skip-self", "alice", {}, True),
        ("skip-self", "", {"sender": ""}, True),
        ("skip-users", "alice", {"skip_users": "bob, alice ,c"}, False),
        ("skip-users", "alice", {"skip_users": "alice2"}, True),
        ("skip-users", "", {"skip_users": ",,"}, True),
        ("skip-users", "alice", {}, True),
        ("no-such-filter", "alice", {"sender": "alice"}, True),
    ],
)
def test_filters_by_user(name: str, user: str, item_meta: dict[str, str], is_passed: bool):
    assert passes((name,), item_meta, subscription({"user": user})) is is_passed


@pytest.mark.parametrize(("required", "is_passed"), [("b", True), ("c", False), ("", True)])
def test_require_sub_asks_for_another_channel(required: str, is_passed: bool):
    assert passes(("require-sub",), {"require_sub": required}, subscription(channels=["b"])) is is_passed


def test_the_first_that_drops_decides():
    names = ("skip-self", "skip-users")

    assert not passes(names, {"sender": "x", "skip_users": "a"}, subscription({"user": "a"}))


def test_var_subst_puts_values_in():
    content = b"hi %(user)s, 100%%, %(b \\) c)s"

    assert (
        rewrite(("var-subst",), content, subscription({"user": "alice", "b ) c": "é"})) == "hi alice, 100%, é".encode()
    )


@pytest.mark.parametrize("content", [b"%(nobody)s", b"%s", b"%(user)d", b"50%", b"%(user", b"%(user)", b"% x"])
def test_var_subst_refuses_what_it_does_not_know(content: bytes):
    with pytest.raises(FilterFault, match=r"^var-subst: "):
        rewrite(("var-subst",), content, subscription({"user": "alice"}))


def test_build_id_writes_the_position():
    place = subscription({"id_format": "%(a)s-%(b)s"}, last_ids={"a": "3", "b": "2"})

    assert rewrite(("build-id",), b"id: %I\ndata: 5%%\n%(x:y)I", place) == b"id: 3-2\ndata: 5%\nx:y"


def test_build_id_can_write_hexadecimal():
    place = subscription({"id_format": "%(a)s", "id_encoding": "hex"}, last_ids={"a": "A1"})

    assert rewrite(("build-id",), b"%I %(A)I", place) == b"4131 41"


@pytest.mark.parametrize(
    ("meta", "content"),
    [
        ({}, b"%I"),
        ({"id_format": "%(c)s"}, b"%I"),
        ({"id_format": "%s"}, b"%I"),
        ({"id_format": "%(a"}, b"%I"),
        ({"id_format": "%(a)s"}, b"%X"),
        ({"id_format": "%(a)s", "id_encoding": "rot13"}, b"%I"),
    ],
)
def test_build_id_refuses_what_it_does_not_know(meta: dict[str, str], content: bytes):
    with pytest.raises(FilterFault, match=r"^build-id: "):
        rewrite(("build-id",), content, subscription(meta, last_ids={"a": "3"}))


def test_the_origins_own_content_can_have_ids_but_no_position():
    meta = {"id_format": "%(a)s"}

    assert rewrite_response(("build-id", "skip-self"), b"id: %(3)I", meta) == b"id: 3"
    assert rewrite_response(("var-subst",), b"%(x)s", meta) == b"%(x)s"
    with pytest.raises(FilterFault, match="no position yet"):
        rewrite_response(("build-id",), b"%I", meta)


def test_content_filters_run_in_order():
    place = subscription({"user": "%I", "id_format": "%(a)s"}, last_ids={"a": "3"})

    assert rewrite(("var-subst", "build-id"), b"%(user)s", place) == b"3"
    assert content_filters_of(("skip-self", "build-id", "x", "var-subst")) == ("build-id", "var-subst")


@given(content=st.binary())
def test_content_that_was_escaped_comes_out_as_it_was(content: bytes):
    escaped = content.replace(b"%", b"%%")

    assert rewrite(("var-subst",), escaped, subscription()) == content
    assert rewrite_response(("build-id",), escaped, {}) == content


@given(content=st.binary(), name=st.sampled_from(["var-subst", "build-id"]))
def test_whatever_comes_is_rewritten_or_a_fault(content: bytes, name: str):
    try:
        rewrite((name,), b"%" + content, subscription({"id_format": "%(a)s"}, last_ids={"a": "1"}))
    except FilterFault as fault:
        assert fault.field == name  # noqa: PT017 - whatever it raises
