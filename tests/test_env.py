"""Environment variables: read by type, refused with one sentence."""

from pathlib import Path

import pytest

from fanoutcloud.env import BadSetting, Environment


def env(**variables: str) -> Environment:
    return Environment(variables)


def test_what_is_not_set_or_empty_is_the_default():
    for variables in (env(), env(X=""), env(X="  ")):
        assert variables.str("X", "text") == "text"
        assert variables.bool("X", default=True) is True
        assert variables.int("X", 5) == 5
        assert variables.seconds("X", 1.5) == 1.5
        assert variables.bytes("X", 10) == 10
        assert variables.list("X", ("a",)) == ["a"]
        assert variables.secret("X", "none") == "none"
        assert not variables.is_set("X")


@pytest.mark.parametrize(
    ("text", "truth"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("off", False)]
)
def test_a_truth_is_read(text: str, truth: bool):
    assert env(X=text).bool("X", default=not truth) is truth


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("1_000", 1000), ("1,000", 1000)])
def test_a_whole_number_is_read(text: str, number: int):
    assert env(X=text).int("X", 0) == number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("30s", 30.0), ("250ms", 0.25), ("5m", 300.0), ("1.5 h", 5400.0), ("1d", 86400.0)],
)
def test_a_length_of_time_is_read(text: str, seconds: float):
    assert env(X=text).seconds("X", 0.0) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("100", 100), ("64kB", 64_000), ("1MiB", 1_048_576), ("1.5 MB", 1_500_000), ("1_000", 1000)]
)
def test_a_size_is_read(text: str, size: int):
    assert env(X=text).bytes("X", 0) == size


def test_a_list_is_read_without_blanks_and_empty_parts():
    assert env(X=" a, b ,,c,").list("X") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (lambda e: e.bool("X", default=False), "maybe", "X is 'maybe'; expected true or false"),
        (lambda e: e.int("X", 1), "ten", "X is 'ten'; expected a whole number of at least 0"),
        (lambda e: e.int("X", 1, at_least=1, at_most=9), "10", "expected a whole number of at least 1 and at most 9"),
        (lambda e: e.seconds("X", 1.0), "soon", "X is 'soon'; expected a length of time such as"),
        (lambda e: e.seconds("X", 1.0), "5 parsecs", "X is '5 parsecs'; expected a length of time such as"),
        (lambda e: e.seconds("X", 1.0), "-5", "X is '-5'; expected a length of time such as"),
        (lambda e: e.bytes("X", 1), "big", "X is 'big'; expected a size such as"),
        (lambda e: e.choice("X", "a", ("a", "b")), "c", "X is 'c'; expected one of a, b"),
    ],
)
def test_what_can_not_be_read_is_one_sentence_with_name_value_and_expectation(read, text: str, sentence: str):
    with pytest.raises(BadSetting) as refusal:
        read(env(X=text))

    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_secret_is_read_from_a_file(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("hidden\n")

    assert env(X_FILE=str(file)).secret("X") == "hidden"
    assert env(X_FILE=str(file)).is_set("X")


def test_a_secret_is_not_repeated_when_it_is_set_twice(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("hidden")

    with pytest.raises(BadSetting, match="X and X_FILE are both set") as refusal:
        env(X="also hidden", X_FILE=str(file)).secret("X")

    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize("content", [None, "", b"\xff\xfe\x00"])
def test_a_secret_file_that_is_missing_empty_or_no_text_is_named(tmp_path: Path, content: str | bytes | None):
    file = tmp_path / "the-file"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(BadSetting, match="the-file"):
        env(X_FILE=str(file)).secret("X")
