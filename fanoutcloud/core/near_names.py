"""Names that somebody may have meant: the same but for capitals or blanks, or a slip of the fingers away. Pure."""

from collections.abc import Iterable

MAX_DISTANCE = 2
#: More names are not compared letter by letter; capitals and blanks are looked at in all of them.
MAX_COMPARED = 500


def find_near(name: str, known: Iterable[str]) -> list[tuple[str, str]]:
    """Return known names that are like `name`, the likeliest first, each with what differs.

    What differs is `capitals`, `blanks`, `wildcard` (one is a pattern that covers the other), or `spelling`.
    """
    found: list[tuple[int, str, str]] = []
    folded, bare, compared = name.casefold(), "".join(name.split()), 0
    for other in known:
        if other == name:
            continue
        if other.casefold() == folded:
            found.append((0, other, "capitals"))
        elif "".join(other.split()) == bare or other.strip().casefold() == folded.strip():
            found.append((0, other, "blanks"))
        elif name.endswith("*") and other.startswith(name[:-1]):
            found.append((1, other, "wildcard"))
        elif compared < MAX_COMPARED and abs(len(other) - len(name)) <= MAX_DISTANCE and min(len(other), len(name)) > 2:
            compared += 1
            distance = _distance(folded, other.casefold())
            if distance <= min(MAX_DISTANCE, len(name) // 3):
                found.append((1 + distance, other, "spelling"))
    return [(other, how) for _, other, how in sorted(found)]


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be changed, added, left out, or swapped with their neighbour (OSA distance)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, last, row = row, before, [at, *([0] * len(other))]
        for place, letter_there in enumerate(other, 1):
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (letter != letter_there))
            is_swapped = at > 1 and place > 1 and letter == other[place - 2] and one[at - 2] == letter_there
            if is_swapped:
                row[place] = min(row[place], last[place - 2] + 1)
        if min(row) > MAX_DISTANCE:
            return MAX_DISTANCE + 1
    return row[-1]
