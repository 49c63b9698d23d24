"""Refusals on pages: in words, at the field that they are about."""

import pytest
from django import forms

from fanoutcloud.core.errors import FanoutError, InvalidRequest
from realms.refusals import refusals_shown, sentence


class OrderForm(forms.Form):
    """Two fields."""

    size = forms.CharField()
    colours = forms.CharField()


@pytest.fixture
def form() -> OrderForm:
    return OrderForm({"size": "huge", "colours": "red"})


def test_problem_and_cure_are_two_sentences() -> None:
    error = InvalidRequest("this is too large", cure="choose another", field="size")

    assert sentence(error) == "This is too large. Choose another."
    assert sentence(error, begins=False) == "this is too large. Choose another."
    assert sentence(InvalidRequest("this is too large")) == "This is too large."


@pytest.mark.parametrize(
    ("field", "shown_at"),
    [("size", "size"), ("colours[3]", "colours"), ("size.unit", "size"), ("weight", "colours"), (None, "colours")],
)
def test_a_refusal_is_shown_at_the_field_that_it_names(form: OrderForm, field: str | None, shown_at: str) -> None:
    with refusals_shown(form, at="colours"):
        raise InvalidRequest("no", field=field)

    assert form.errors == {shown_at: ["No."]}
    assert not form.is_valid()


def test_a_refusal_of_nothing_in_particular_stands_above_the_form(form: OrderForm) -> None:
    with refusals_shown(form):
        raise FanoutError("there is no room", cure="come back later")

    assert form.non_field_errors() == ["There is no room. Come back later."]


def test_what_is_not_refused_leaves_the_form_as_it_is(form: OrderForm) -> None:
    with refusals_shown(form):
        pass

    assert form.is_valid()


def test_a_fault_is_no_refusal(form: OrderForm) -> None:
    with pytest.raises(KeyError), refusals_shown(form):
        raise KeyError("size")
