"""A set that remembers the newest of what it was told, and no more than that."""

from __future__ import annotations

import threading
from typing import Final

_MOST: Final = 10_000


class Remembered:
    """Words, the oldest of which are forgotten when there are more than `most`."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._words: dict[str, None] = {}

    def add(self, word: str) -> bool:
        """Remember `word` as the newest; whether it was not remembered before."""
        with self._guard:
            is_new = word not in self._words
            self._words.pop(word, None)
            self._words[word] = None
            while len(self._words) > self._most:
                del self._words[next(iter(self._words))]
        return is_new

    def __contains__(self, word: str) -> bool:
        with self._guard:
            return word in self._words
