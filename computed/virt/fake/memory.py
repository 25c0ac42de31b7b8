"""What every part of the fake driver has: its orders and its guests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from computed.virt.fake.orders import Orders
from computed.virt.fake.store import FakeGuest, GuestStore


class Memory:
    """Base of the parts; the driver itself makes both."""

    _orders: Orders
    _store: GuestStore

    @contextmanager
    def _changing(self, operation: str, instance: Any) -> Iterator[FakeGuest]:
        """Do `operation` as ordered on the guest of `instance`; raises InstanceNotFound."""
        with self._orders.around(operation, instance), self._store.changing(instance.uuid) as guest:
            yield guest
