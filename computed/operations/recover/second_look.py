"""What a start decides only when no order for it can wait in the message bus any more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

GRACE_SECONDS: Final = 30.0
"""How long, once this host serves, an order may take to come into its queue: the conductor may not have sent
it yet, or the broker may still take the process before this one, which has it, to be alive."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the room that takes messages knows of orders."""

    has_caught_up: Callable[[], bool]
    """Whether this process has received everything that was sent to the host before the question; False
    also when that is not known after some time."""
    is_in_flight: Callable[[str], bool]
    """Whether a message about the instance of that uuid has been received and is not finished."""


@dataclass(frozen=True, slots=True)
class _Open:
    lane: str
    instance_uuid: str
    decide: Callable[[], object]


class SecondLook:
    """Instances for which this host is to get an order, if that is not lost.

    That it is lost shows by nothing but this: everything that was sent to the host has been received, what
    was received about the instance is finished, and nothing has become of the instance.
    """

    def __init__(self, host: ComputeHost) -> None:
        self._host = host
        self._open: list[_Open] = []
        self._has_caught_up = False

    def add(self, lane: str, instance_uuid: str, decide: Callable[[], object]) -> None:
        """Have `decide` done in a lane when the order is known to be lost, or done with. It must find out
        whether anything has become of the instance."""
        self._open.append(_Open(lane, instance_uuid, decide))

    def begin(self, orders: Orders) -> None:
        """The host serves now. Asks nobody anything when nothing is open."""
        if self._open:
            self._look_later(orders)

    def _look_later(self, orders: Orders) -> None:
        timer = threading.Timer(GRACE_SECONDS, self._look, [orders])
        timer.daemon = True
        timer.start()

    def _look(self, orders: Orders) -> None:
        try:
            self._has_caught_up = self._has_caught_up or orders.has_caught_up()
            if self._host.stopping.is_set():
                return
            if self._has_caught_up:
                self._open = [each for each in self._open if not self._begin(orders, each)]
            else:
                LOG.warning("Orders for %d instances may still wait in the message bus", len(self._open))
        except Exception:
            LOG.exception("It cannot be told whether orders to this host were lost")
        if self._open:
            self._look_later(orders)

    def _begin(self, orders: Orders, each: _Open) -> bool:
        if orders.is_in_flight(each.instance_uuid):
            return False
        return self._host.lanes.start(each.lane, each.decide)
