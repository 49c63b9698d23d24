"""How fast an endpoint is called after a rest, and when it has too much to do, by a clock that is held in the hand."""

from publishing.webhooks.pace import LEAST_PER_S, RELEASE_STEPS, Pace, release_rate


def take_all(pace: Pace, now: float) -> int | None:
    allowed = pace.allowed(now)
    pace.took(allowed or 0)
    return allowed


def test_an_endpoint_that_is_well_is_called_as_fast_as_one_likes():
    pace = Pace()

    assert (pace.allowed(5.0), pace.wait_s(5.0)) == (None, 0.0)


def test_after_a_rest_calls_are_let_go_at_1_2_4_in_each_second():
    pace = Pace(released_at=100.0)
    begun = 0
    by_second = []
    for step in range(RELEASE_STEPS * 10):  # looked at ten times a second
        begun += take_all(pace, 100.0 + step / 10) or 0
        if step % 10 == 9:
            by_second.append(begun)
            begun = 0

    assert all(
        least <= count <= 2 * least for least, count in zip((1, 2, 4, 8, 16, 32, 64, 128), by_second, strict=True)
    )
    assert pace.allowed(100.0 + RELEASE_STEPS) is None


def test_steps_can_be_shorter():
    assert release_rate(100.0, 99.99, 0.001) is None
    assert release_rate(100.0, 100.0, 0.0) is None
    assert release_rate(100.0, None, 1.0) is None
    assert release_rate(102.5, 100.0, 1.0) == 4.0
    assert release_rate(99.0, 100.0, 1.0) == 1.0  # clocks differ


def test_the_pace_is_halved_down_to_one_a_minute_and_each_success_adds_one():
    pace = Pace()
    paces = []
    for _ in range(8):
        pace.slow_down()
        paces.append(round((pace.per_s or 0) * 60, 2))
    successes = 0
    while pace.per_s is not None:
        pace.speed_up()
        successes += 1

    assert paces == [30, 15, 7.5, 3.75, 1.88, 1, 1, 1]
    assert LEAST_PER_S == 1 / 60
    assert 58 <= successes <= 60


def test_at_one_a_minute_there_is_one_in_a_minute():
    pace = Pace(per_s=1 / 60)

    assert [take_all(pace, now) for now in (100.0, 101.0, 130.0, 159.0, 160.0, 161.0)] == [1, 0, 0, 0, 1, 0]
    assert 58 < pace.wait_s(161.0) < 60
    assert take_all(pace, 10_000.0) == 1  # nothing is saved up
