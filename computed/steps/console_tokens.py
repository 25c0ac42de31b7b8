"""The permissions to reach the consoles of this host's guests: who may have some, and taking them back."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from computed import objects

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


class ConsoleTokens:
    """Remembers for which instances this host has given out tokens, so that nobody is asked in vain."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._given: dict[str, float] = {}
        self._unknown_until = 0.0

    def assume_earlier(self, ttl_seconds: float) -> None:
        """An agent before this one may have given out tokens: for that long nothing is certain."""
        self._unknown_until = time.monotonic() + ttl_seconds

    def note(self, instance_uuid: str, ttl_seconds: float) -> None:
        """A token for this instance is given out."""
        now = time.monotonic()
        with self._guard:
            self._given = {uuid: end for uuid, end in self._given.items() if end > now}
            self._given[instance_uuid] = now + ttl_seconds

    def may_exist(self, instance_uuid: str) -> bool:
        """Whether a token for this instance may still be good."""
        now = time.monotonic()
        with self._guard:
            return now < self._unknown_until or self._given.get(instance_uuid, 0.0) > now


def take_back(host: ComputeHost, context: Any, instance: Any) -> None:
    """The guest leaves: its tokens name ports of this host that soon belong to other guests.

    What fails is logged; tokens end by themselves after a while.
    """
    if not host.console_tokens.may_exist(instance.uuid):
        return
    try:
        objects.ConsoleAuthToken.clean_console_auths_for_instance(context, instance.uuid)
    except Exception as error:
        LOG.warning(
            "Instance %s has left; its console tokens are good for up to %d s more: %s",
            instance.uuid,
            host.conf.consoleauth.token_ttl,
            error,
        )
