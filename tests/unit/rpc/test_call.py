"""Binding the arguments of a message to those of a method."""

import pytest

from computed.rpc.call import REQUIRED, Argument, Call, parse_arguments

CALL = Call("verb", parse_arguments("instance node=None wipe=False"), print)


def test_arguments_are_read_from_text() -> None:
    assert CALL.arguments == (Argument("instance", REQUIRED), Argument("node", None), Argument("wipe", False))
    assert [a.is_required for a in CALL.arguments] == [True, False, False]


def test_defaults_fill_what_is_left_out() -> None:
    assert CALL.bind({"instance": 1}) == {"instance": 1, "node": None, "wipe": False}


def test_a_given_value_wins_over_the_default() -> None:
    assert CALL.bind({"instance": 1, "wipe": True})["wipe"] is True


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "verb lacks instance"),
        ({"instance": 1, "colour": 2}, "verb does not take colour"),
        ({"colour": 2}, "verb lacks instance and does not take colour"),
    ],
)
def test_missing_and_unknown_names_are_refused(given: dict[str, int], text: str) -> None:
    with pytest.raises(TypeError, match=f"^{text}$"):
        CALL.bind(given)


def test_a_hostile_message_does_not_flood_the_complaint() -> None:
    given = {f"{n:04}" + "x" * 10_000: "secret" for n in range(1000)}
    with pytest.raises(TypeError) as caught:
        CALL.bind({"instance": 1, **given})
    assert len(str(caught.value)) < 500
    assert "and 995 more" in str(caught.value)
    assert "secret" not in str(caught.value)
