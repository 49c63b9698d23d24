"""URLs of the broker."""

import pytest

from fanoutcloud.broker.redis_address import Arrangement, parse_broker_url, parse_redis_url


def test_one_server() -> None:
    target = parse_broker_url("rediss://ann:p%40ss@redis.example:6380/3?replicas=2")

    assert target.arrangement is Arrangement.SINGLE
    assert (target.server.host, target.server.port, target.server.database) == ("redis.example", 6380, 3)
    assert (target.server.username, target.server.password, target.server.tls) == ("ann", "p@ss", True)
    assert target.replicas == 2


def test_sentinels_have_a_password_of_their_own() -> None:
    target = parse_broker_url("redis+sentinel://ann:pw@one,two:5000,[::1]:5001/main/2?sentinel_password=s3")

    assert target.arrangement is Arrangement.SENTINEL
    assert [(one.host, one.port) for one in target.servers] == [("one", 26379), ("two", 5000), ("::1", 5001)]
    assert {(one.username, one.password) for one in target.servers} == {("default", "s3")}
    assert target.primary_name == "main"
    primary = target.server.at("three", 6379)
    assert (primary.username, primary.password, primary.database) == ("ann", "pw", 2)


def test_nodes_of_a_cluster_share_who_we_are() -> None:
    target = parse_broker_url("redis+cluster://:pw@one:7000,two")

    assert target.arrangement is Arrangement.CLUSTER
    assert [(one.host, one.port, one.password) for one in target.servers] == [("one", 7000, "pw"), ("two", 6379, "pw")]


@pytest.mark.parametrize(
    "url",
    [
        "http://:s3cret@redis",
        "s3cret",
        "redis+sentinel://:s3cret@one",
        "redis+sentinel://:s3cret@one/main/0/1",
        "redis+sentinel://:s3cret@one:port/main",
        "redis+cluster://:s3cret@one/1",
        "redis://:s3cret@one/x",
        "redis://:s3cret@one?replicas=many",
    ],
)
def test_a_url_that_can_not_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_broker_url(url)

    assert "s3cret" not in str(refused.value)


def test_one_server_is_asked_for_where_there_can_be_only_one() -> None:
    with pytest.raises(ValueError):
        parse_redis_url("redis+sentinel://one/main")
