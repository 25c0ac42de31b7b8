"""Forgets the permissions to reach consoles whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import objects

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost


def cleanup_expired_console_auth_tokens(host: ComputeHost, context: Any) -> None:
    """One conductor call, for the tokens of all hosts."""
    objects.ConsoleAuthToken.clean_expired_console_auths(context)
