"""Blocking calls of C libraries, made so that green threads go on meanwhile.

With native threads every call simply runs. With green ones it would stop all of them, so `cmd` says at the
start how such a call leaves for a thread of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Where calls run."""

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run `function` and return or raise what it does; the calling thread waits, others go on."""

    def start_thread(self, function: Callable[[], None], name: str) -> None:
        """Run `function` in a daemon thread of the interpreter."""


class _Here:
    """For a process whose threads are native."""

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def start_thread(self, function: Callable[[], None], name: str) -> None:
        # Not at the top: this is imported before the standard library is patched.
        import threading

        threading.Thread(target=function, name=name, daemon=True).start()


_runner: Runner = _Here()


def use(runner: Runner) -> None:
    """From now on calls run there."""
    global _runner
    _runner = runner


def offload(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call that may block in C code; returns and raises what it does."""
    result: T = _runner.call(function, *args, **kwargs)
    return result


def start_native_thread(function: Callable[[], None], name: str) -> None:
    """Run a loop that blocks in C code for ever; what it has to say goes through a `Mailbox`."""
    _runner.start_thread(function, name)
