"""How refused instructions read."""

from fanoutcloud.grip.bad_instruction import refused, shown


def test_an_error_names_the_place_and_the_cure():
    error = refused("Grip-Hold", "is 'x'", cure="use 'stream'")

    assert (error.line, error.http_status) == ("Grip-Hold: is 'x'; use 'stream'", 502)


def test_long_values_are_cut():
    assert len(shown("x" * 1000)) < 70
