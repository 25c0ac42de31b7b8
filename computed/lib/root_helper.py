"""The words that make a command line root's: said at start, needed when something needs root."""

from __future__ import annotations

_words: list[str] = ["sudo"]


def use(words: list[str]) -> None:
    """Take `words` from now on, e.g. ["sudo", "computed-rootwrap", "/etc/computed/rootwrap.conf"]."""
    _words[:] = words


def words() -> list[str]:
    """The words in force."""
    return list(_words)
