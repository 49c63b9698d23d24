"""A realm far over its limit is slowed down itself, and others keep their pace."""

from pathlib import Path

import pytest

from tests.load.neighbours import CONNECTIONS, LIMIT_PER_S, NEIGHBOURS, measure, start_product

SECONDS = 2.0
#: What is accepted, what is answered at once, and about two held answers per connection and second.
MOST_ANSWERS_PER_S = 3 * LIMIT_PER_S + 20 + 2.5 * CONNECTIONS


@pytest.mark.slow
async def test_a_realm_far_over_its_limit_waits_for_its_refusals_and_others_go_on(tmp_path: Path) -> None:
    product = start_product(tmp_path)
    try:
        realms = product.create_realms(*[f"realm-{number}@example.com" for number in range(NEIGHBOURS + 1)])

        found = await measure(product, realms, seconds=SECONDS, rounds=4)
    finally:
        product.kill()

    assert found.accepted / found.loud_s <= LIMIT_PER_S + LIMIT_PER_S / SECONDS + 1  # the rate, and one full bucket
    assert found.answered / found.loud_s <= MOST_ANSWERS_PER_S  # of the 2,000 per second that it tries
    assert sum(map(len, found.loud)) >= 0.7 * sum(map(len, found.quiet))
    assert found.ratio < 3  # about 1 (docs/topics/limits.md), on a machine that runs other tests beside it; 33 unpaced
