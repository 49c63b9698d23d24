"""Delays before another attempt."""

import random
from collections import Counter

from fanoutcloud_client.backoff import Backoff, request_delay_s


def test_delays_grow_to_twenty_seconds_and_stay() -> None:
    backoff = Backoff(chance=random.Random(1))

    delays = [backoff.next_delay_s() for _ in range(12)]

    assert all(0.5 <= delay <= 20.5 for delay in delays)
    assert max(delays[:2]) <= 1.5
    assert max(delays[8:]) > 5


def test_after_a_good_connection_the_first_attempt_comes_within_half_a_second() -> None:
    assert all(Backoff(chance=random.Random(n)).next_delay_s(lived_s=11) <= 0.5 for n in range(50))


def test_only_a_long_connection_resets_the_counter() -> None:
    backoff = Backoff(attempt=6)
    backoff.note_life(29)
    assert backoff.attempt == 6

    backoff.note_life(30)

    assert backoff.attempt == 0


def test_what_the_server_asks_for_is_kept_to_up_to_two_minutes() -> None:
    delays = [Backoff().next_delay_s(retry_after_s=asked) for asked in (7, 3600)]

    assert 7 <= delays[0] <= 7.5
    assert 120 <= delays[1] <= 120.5


def test_two_thousand_clients_do_not_come_back_together() -> None:
    """No 100 ms get more than three times the mean (browser-client reference §21)."""
    chance = random.Random(7)
    attempts = Counter(int(Backoff(chance=chance).next_delay_s(lived_s=60) * 10) for _ in range(2000))

    assert max(attempts.values()) < 3 * 2000 / 5


def test_a_request_is_repeated_after_what_the_server_asks_for() -> None:
    chance = random.Random(1)

    assert 2.0 <= request_delay_s(0, 2.0, chance) <= 2.25
    assert request_delay_s(20, None, chance) <= 8.0
