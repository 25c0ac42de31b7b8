"""A domain of libvirt by its uuid: it may be used across reconnections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.virt.libvirt.connection import Connection


class GuestHandle:
    """What every part of `Guest` calls libvirt through."""

    def __init__(self, connection: Connection, domain: Any) -> None:
        self._connection = connection
        self._raw = domain
        self._generation = connection.generation
        self.uuid: str = domain.UUIDString()
        self.name: str = domain.name()

    def __repr__(self) -> str:
        return f"<Guest {self.name} {self.uuid}>"

    @property
    def connection(self) -> Connection:
        """The connection that this guest is reached by."""
        return self._connection

    @property
    def raw(self) -> Any:
        """The virDomain; looked up again when the connection was lost since. Raises InstanceNotFound."""
        if self._generation != self._connection.generation or not self._connection.is_reachable:
            fresh = self._connection.guest(self.uuid)
            self._raw, self._generation = fresh._raw, fresh._generation
        return self._raw

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of virDomain, off the main loop, with errors as `Connection` has them."""
        return self._connection.perform(self.uuid, getattr(self.raw, method), *args)
