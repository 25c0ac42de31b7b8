"""A domain of libvirt by its uuid: it may be used across reconnections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.virt.libvirt.connection import Connection


class GuestHandle:
    """What every part of `Guest` calls libvirt through."""

    def __init__(self, connection: Connection, domain: Any) -> None:
        self._connection = connection
        self._domain = domain
        self.uuid: str = domain.UUIDString()
        self.name: str = domain.name()

    def __repr__(self) -> str:
        return f"<Guest {self.name} {self.uuid}>"

    @property
    def connection(self) -> Connection:
        """The connection that this guest is reached by."""
        return self._connection

    def on(self, raw: Any) -> Any:
        """The virDomain on a virConnect; looked up when it was last used on another. Raises libvirtError."""
        domain = self._domain
        if domain.connect() is not raw:
            self._domain = domain = raw.lookupByUUIDString(self.uuid)
        return domain

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of virDomain, off the main loop, with errors as `Connection` has them."""
        return self._connection.perform(self.uuid, lambda raw: getattr(self.on(raw), method)(*args))
