"""Passwords that nobody chose."""

from __future__ import annotations

import secrets
from typing import Final

_GROUPS: Final = ("23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz")
"""Digits and letters that cannot be taken for one another."""


def new_password(length: int) -> str:
    """A random password of `length` characters, with one of each group as far as there is room."""
    needed = [secrets.choice(group) for group in _GROUPS]
    others = [secrets.choice("".join(_GROUPS)) for _ in range(length - len(needed))]
    characters = needed + others
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters[: max(length, 0)])
