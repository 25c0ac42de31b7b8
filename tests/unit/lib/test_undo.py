"""The undo stack: order, once, and what happens when an undo fails."""

import pytest

from computed.lib.undo import UndoStack, undo_on_error


def test_rolls_back_newest_first_when_the_block_raises() -> None:
    done: list[str] = []
    with pytest.raises(ValueError, match="stop"), undo_on_error() as undo:
        undo.push("first", lambda: done.append("first"))
        undo.push("second", lambda: done.append("second"))
        raise ValueError("stop")
    assert done == ["second", "first"]


def test_keeps_everything_when_the_block_succeeds() -> None:
    done: list[str] = []
    with undo_on_error() as undo:
        undo.push("only", lambda: done.append("only"))
    assert done == []


def test_a_failing_undo_does_not_stop_the_others() -> None:
    done: list[str] = []
    stack = UndoStack()
    stack.push("first", lambda: done.append("first"))
    stack.push("broken", lambda: 1 / 0)
    failed = stack.rollback()
    assert done == ["first"]
    assert [what for what, _ in failed] == ["broken"]
    assert stack.rollback() == []


def test_a_wall_that_fails_keeps_what_is_behind_it_until_asked_again() -> None:
    done: list[str] = []
    stack = UndoStack()
    stack.push("first", lambda: done.append("first"))
    stack.push("wall", lambda: 1 / 0, is_wall=True)
    stack.push("last", lambda: done.append("last"))
    assert [what for what, _ in stack.rollback()] == ["wall"]
    assert done == ["last"]
    assert stack.rollback() == []
    assert done == ["last", "first"]
