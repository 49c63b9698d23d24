"""The text of API tokens."""

import re

from realms.api_token_text import SHOWN_CHARACTERS, digest_of, is_token_text, new_token_text


def test_scanners_of_leaked_secrets_know_a_token():
    for is_realms, letter in ((True, "r"), (False, "u")):
        text = new_token_text(is_realms=is_realms)
        assert re.fullmatch("fan_[ur]_[0-9A-Za-z]{46}", text)
        assert text[4] == letter
        assert is_token_text(text)


def test_a_mistyped_token_is_known_without_a_query():
    text = new_token_text(is_realms=False)

    for place in range(6, len(text)):
        other = "x" if text[place] != "x" else "y"
        assert not is_token_text(text[:place] + other + text[place + 1 :])
    assert not is_token_text(text + "0")
    assert not is_token_text("")


def test_what_is_shown_and_stored_tells_nothing_about_the_rest():
    text = new_token_text(is_realms=True)

    assert len(text) - SHOWN_CHARACTERS > 38
    assert text not in digest_of(text)
    assert len({new_token_text(is_realms=True) for _ in range(50)}) == 50
