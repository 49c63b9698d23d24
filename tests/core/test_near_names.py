"""Names that somebody may have meant."""

import pytest

from fanoutcloud.core.near_names import find_near


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("News", ["news", "other"], [("news", "capitals")]),
        ("news ", ["news"], [("news", "blanks")]),
        ("new s", ["news"], [("news", "blanks")]),
        ("nwes", ["news"], [("news", "spelling")]),
        ("orders.42", ["order.42", "orders.43"], [("order.42", "spelling"), ("orders.43", "spelling")]),
        ("news.*", ["news.sport", "newspaper"], [("news.sport", "wildcard")]),
        ("a", ["b"], []),
        ("news", ["news"], []),
        ("news", ["weather"], []),
    ],
)
def test_likely_names_are_found_with_what_differs(name: str, known: list[str], found: list[tuple[str, str]]) -> None:
    assert find_near(name, known) == found


def test_capitals_are_looked_at_in_thousands_of_names() -> None:
    known = [f"room.{number:06}" for number in range(3000)] + ["NEWS"]

    assert ("NEWS", "capitals") in find_near("news", known)
