"""Errors as values: they are worded for people, and survive the way between processes."""

import concurrent.futures
import copy
import multiprocessing
import pickle

import pytest

from fanoutcloud.core import errors
from fanoutcloud.core.errors import FanoutError
from realms import errors as realm_errors

EXAMPLES: list[FanoutError] = [
    errors.FanoutError("something", cure="do this", field="items[0]"),
    errors.InvalidRequest("the JSON is nested too deeply", cure="send flatter values", field="body"),
    errors.InvalidItem("has no channel", field="items[2]"),
    errors.Unauthorized("wrong_key", "the credential is of no key", cure="copy the key"),
    errors.Forbidden("the credential is of another realm"),
    errors.NotFound("nothing is here"),
    errors.MethodNotAllowed("PUT", "POST, OPTIONS"),
    errors.NotAcceptable("the answer is text or JSON"),
    errors.BodyTooLarge(1_000_000),
    errors.ItemTooLarge(70_000, 65_536, field="items[1]"),
    errors.RateLimited("too fast", retry_after_s=3),
    errors.LimitReached("connections", "1,000 connections", retry_after_s=4.2),
    errors.Unavailable("the broker does not answer", retry_after_s=5),
    realm_errors.RealmNotFound("0a1b2c3d"),
    realm_errors.KeyLimitReached(10),
    realm_errors.LastKey(),
]


def told(error: FanoutError) -> tuple[object, ...]:
    """Return all that the world sees of an error."""
    kind = type(error)
    return kind, str(error), error.line, error.code, error.http_status, error.retryable, vars(error)


def test_the_examples_are_all_errors_of_the_tree():
    leaves = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FanoutError)}

    assert leaves <= {type(error) for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_and_copying(error: FanoutError):
    assert told(pickle.loads(pickle.dumps(error))) == told(error)
    assert told(copy.copy(error)) == told(error)


def raise_limited() -> None:
    raise errors.RateLimited("this realm publishes too fast", retry_after_s=3)


def test_an_error_raised_in_another_process_arrives_whole():
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as other_process:
        raised = other_process.submit(raise_limited).exception(timeout=60)

    assert isinstance(raised, errors.RateLimited)
    assert raised.line == "this realm publishes too fast; try again in 3 s"
    assert raised.retry_after_s == 3


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line_for_people(error: FanoutError):
    assert error.line.isprintable()
    assert not error.line.endswith(".")


def test_the_line_says_place_then_problem_then_cure():
    error = errors.InvalidItem("has no channel", cure='add "channel": "NAME"', field="items[2]")

    assert error.line == 'items[2]: has no channel; add "channel": "NAME"'


def test_the_line_of_an_error_without_place_and_cure_is_its_message():
    assert errors.Forbidden("not for you").line == "not for you"


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_only_what_can_pass_by_itself_is_retried(error: FanoutError):
    assert error.retryable == (error.http_status in (429, 503))
