"""What a hub needs from time to time, one tick after the other."""

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.hub.housekeeping import _House
from fanoutcloud.edge.limits import EdgeLimits
from tests.edge.worlds import HELLO, REALM, EdgeWorld, RecordingSubscriber, until

LIMITS = EdgeLimits(keep_alive_s=5, stuck_s=10, linger_s=30, position_check_s=10)


async def test_each_subscriber_gets_one_keep_alive_per_period(world: EdgeWorld) -> None:
    world.hub.limits = LIMITS
    subscribers = [await world.joined() for _ in range(13)]
    house = _House(world.hub, world.broker)

    for number in range(1, 11):  # two periods
        house.tick(number)

    assert [subscriber.kinds.count("keep-alive") for subscriber in subscribers] == [2] * 13


async def test_keep_alives_of_many_subscribers_are_spread_over_the_period(world: EdgeWorld) -> None:
    world.hub.limits = LIMITS
    subscribers = [await world.joined() for _ in range(10)]

    _House(world.hub, world.broker).tick(1)

    assert sum("keep-alive" in subscriber.kinds for subscriber in subscribers) == 2


async def test_a_peer_whose_unsent_bytes_do_not_get_fewer_is_slow(world: EdgeWorld) -> None:
    world.hub.limits = LIMITS
    house = _House(world.hub, world.broker)
    stuck, growing, shrinking, reading = [await world.joined() for _ in range(4)]
    stuck.sink.unsent, growing.sink.unsent, shrinking.sink.unsent = 100, 100, 100
    for number in range(1, 6):
        house.tick(number)
    growing.sink.unsent, shrinking.sink.unsent, reading.sink.unsent = 200, 50, 100
    assert world.hub.subscribers == {stuck, growing, shrinking, reading}

    for number in range(6, 11):
        house.tick(number)

    assert world.hub.subscribers == {shrinking, reading}
    assert stuck.close_reason is growing.close_reason is CloseReason.SLOW
    assert stuck.sink.closed == (4508, "slow")


async def test_a_channel_that_is_left_lingers_and_is_then_forgotten(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    subscriber = await world.joined()
    subscriber.on_lost()

    world.clock.pass_time(world.limits.linger_s)
    house.tick(1)
    assert world.broker.calls["unsubscribe"] == 0

    world.clock.pass_time(0.1)
    house.tick(2)
    await until(lambda: world.broker.calls["unsubscribe"] == 1)
    assert world.hub.channels == {}


async def test_a_channel_that_is_joined_again_is_not_forgotten(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    (await world.joined()).on_lost()
    world.clock.pass_time(world.limits.linger_s + 1)
    subscriber = await world.joined()

    house.tick(1)
    await world.publish(1)

    assert subscriber.numbers == [1]
    assert world.broker.calls["subscribe"] == 1


async def test_a_forgotten_channel_can_be_joined_anew(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    (await world.joined()).on_lost()
    world.clock.pass_time(world.limits.linger_s + 1)
    house.tick(1)
    await until(lambda: world.broker.calls["unsubscribe"] == 1)

    subscriber = await world.joined()
    await world.publish(1)

    assert subscriber.numbers == [1]


async def test_a_lost_live_item_is_found_by_comparing_positions(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    subscriber = await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2)
    world.broker.lose_live(2)
    world.broker.release_live()

    world.clock.pass_time(LIMITS.position_check_s + 1)
    house.tick(0)
    await until(lambda: len(subscriber.numbers) == 2)

    assert subscriber.numbers == [1, 2]


async def test_a_lost_history_is_found_by_comparing_positions(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    subscriber = await world.joined()
    await world.broker.forget_realm(REALM)

    world.clock.pass_time(LIMITS.position_check_s + 1)
    house.tick(0)
    await until(lambda: "reset" in subscriber.kinds)

    assert subscriber.messages[-1]["reason"] == "epoch_changed"


async def test_a_busy_channel_is_not_compared_until_the_broker_was_gone(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    subscriber = await world.joined()
    world.clock.pass_time(1000)
    await world.publish(1)
    world.broker.hold_live()
    await world.publish(2)
    world.broker.lose_live(1)
    house.tick(0)
    assert world.broker.calls["read_since"] == 0

    world.hub.on_reconnected()
    await until(lambda: not house._is_checking)
    house.tick(10)
    await until(lambda: len(subscriber.numbers) == 2)

    assert subscriber.numbers == [1, 2]


async def test_comparing_goes_on_when_the_broker_is_back(world: EdgeWorld) -> None:
    house = _House(world.hub, world.broker)
    subscriber = RecordingSubscriber()
    await world.join(subscriber, HELLO, ChannelName("other"))
    world.broker.hold_live()
    await world.publish(1)
    world.broker.lose_live(1)
    world.clock.pass_time(LIMITS.position_check_s + 1)
    world.broker.is_down = True
    house.tick(0)
    await until(lambda: not house._is_checking)

    world.broker.is_down = False
    house.tick(10)
    await until(lambda: len(subscriber.numbers) == 1)

    assert subscriber.numbers == [1]
    assert "reset" not in subscriber.kinds
