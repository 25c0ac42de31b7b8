"""How an error composes its text and what it carries."""

import pytest

from computed import errors


def test_arguments_fill_the_text_and_travel_with_the_code() -> None:
    error = errors.InstanceNotFound(instance_id="abc")
    assert "abc" in str(error)
    assert error.args == (error.format_message(),)
    assert error.kwargs == {"instance_id": "abc", "code": 404}


def test_a_given_text_wins_over_the_template() -> None:
    assert str(errors.InstanceNotFound("gone for good", instance_id="abc")) == "gone for good"


def test_a_missing_argument_does_not_hide_the_error() -> None:
    assert "?" in str(errors.InstanceNotFound())


def test_an_exception_among_the_arguments_travels_as_text() -> None:
    assert errors.InternalError(err=ValueError("why")).kwargs["err"] == "why"


def test_a_given_code_is_kept() -> None:
    assert errors.NovaException("odd", code=418).kwargs["code"] == 418


def test_two_classes_of_one_name_are_refused() -> None:
    body = {"__module__": "computed.errors.second"}
    with pytest.raises(TypeError, match="InstanceNotFound"):
        type("InstanceNotFound", (errors.NovaException,), body)


def test_a_class_made_elsewhere_stays_out_of_the_table() -> None:
    type("InstanceNotFound", (errors.NovaException,), {"__module__": "elsewhere"})
    assert errors.lookup("InstanceNotFound") is errors.InstanceNotFound
    assert errors.lookup("NoSuchError") is None
