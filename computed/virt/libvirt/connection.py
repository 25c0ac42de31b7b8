"""The connection to libvirt: opened within a bound, kept alive, opened again, every failure in our words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import libvirt
from oslo_log import log as logging

from computed import errors
from computed.lib.mailbox import Mailbox
from computed.lib.offload import offload
from computed.virt.libvirt import spares
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.opening import (
    USUAL,
    Opening,
    Patience,
    client_version,
    close_behind,
    is_alive,
    start_event_loop,
    unavailable,
    where_supported,
)

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_CLOSE_REASONS: Final = {0: "an error", 1: "the end of the stream", 2: "silence", 3: "our own doing"}
_NEVER_REACHABLE: Final = frozenset({Failure.NO_CONNECT, Failure.INVALID_CONN})
# The parts of libvirt that fail when libvirtd itself is out of reach: its remote driver, its transport, and
# none: now and then it gives a connection up amid a call and has forgotten by then why the call failed
# (virErrorGenericFailure: an internal error of nobody, "the cause is unknown").
_TRANSPORT: Final = frozenset({libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_NONE})
_CLOSE_SECONDS: Final = 2.0

T = TypeVar("T")


class Connection:
    """One libvirt, named by its URI, reconnected whenever it was lost.

    Every method may raise HypervisorUnavailable (libvirt is gone or silent; the answer is unknown),
    InstanceNotFound (libvirt has no such domain) and LibvirtFailed (anything else, in libvirt's words).
    `on_reachable` is told of every change, with the reason, in a thread of ours; it may use the connection.
    """

    def __init__(
        self,
        uri: str,
        *,
        on_reachable: Callable[[bool, str | None], None] = lambda is_reachable, reason: None,
        patience: Patience = USUAL,
    ) -> None:
        self.uri = uri
        self.generation = 0
        """Counts the connections made; what belongs to an earlier one must be looked up again."""
        self._on_reachable = on_reachable
        self._patience = patience
        self._lock = threading.Lock()
        self._raw: Any = None
        self._opening = Opening(uri, patience, self._prepare)
        self._has_daemon = False
        self._spares = spares.Spares(Opening(uri, patience).connect, is_alive=is_alive, close=close_behind)
        self._told: bool | None = None
        self._registrations: list[Callable[[Any], None]] = []
        self._letters: Mailbox[Callable[[], None]] = Mailbox()
        self._is_closed = False
        self._watcher: threading.Thread | None = None

    # Opening and closing

    def open(self) -> None:
        """Connect, and from now on reconnect by itself. Raises HypervisorUnavailable when this first try
        fails; later ones go on behind it until `close`."""
        start_event_loop()
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="libvirt-connection", daemon=True)
            self._watcher.start()
        self._current()

    def close(self) -> None:
        """Let go of libvirt; a libvirt that is silent is not waited for."""
        self._is_closed = True
        raw, self._raw = self._raw, None
        self._letters.close()
        self._spares.close()
        # One that somebody waits on ends with the process.
        if raw is not None and not self._spares.is_taken(raw):
            try:
                close_behind(raw).take(_CLOSE_SECONDS)
            except TimeoutError:
                LOG.warning("libvirt at %s did not answer our goodbye", self.uri)

    def each_time(self, register: Callable[[Any], None]) -> None:
        """Have `register` called, off the main loop, with the virConnect of this and of every later
        connection: for callbacks that libvirt forgets when it restarts."""
        self._registrations.append(register)
        raw = self._raw
        if raw is not None:
            with self._spares.lease_only(raw):
                offload(register, raw)

    def post(self, letter: Callable[[], None]) -> None:
        """Run something soon in the connection's own thread, one after the other; from any thread."""
        self._letters.post(letter)

    @property
    def is_reachable(self) -> bool:
        """Whether there is a connection now; only a call can tell whether it still works."""
        return self._raw is not None

    # Calls

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of virConnect."""
        return self.perform(None, lambda raw: getattr(raw, method)(*args))

    def perform(self, about: str | None, work: Callable[[Any], T]) -> T:
        """Run `work` with a virConnect off the main loop; `about` is the uuid of the guest that it is for, if
        it is for one. Which virConnect that is may be another one each time."""
        with self.lease() as raw:
            return self.perform_on(raw, about, work)

    def perform_on(self, raw: Any, about: str | None, work: Callable[[Any], T]) -> T:
        """The same with one that the caller has leased."""
        try:
            return offload(work, raw)
        except libvirt.libvirtError as error:
            raise self._translated(error, raw, about) from error

    @contextmanager
    def lease(self) -> Iterator[Any]:
        """A virConnect for calls that belong together, such as those of a stream."""
        main = self._current()
        if self._has_daemon and spares.are_needed(client_version()):
            with self._spares.lease(main) as raw:
                yield raw
        else:
            yield main

    def guest(self, uuid: str) -> Guest:
        """The domain of an instance, running or not; one call."""
        return self._guest(self.perform(uuid, lambda raw: raw.lookupByUUIDString(uuid)))

    def define(self, xml: str) -> Guest:
        """Make a persistent domain, or give one a new definition."""
        return self._guest(self.call("defineXML", xml))

    def guests(self) -> list[Guest]:
        """Every domain of the host, running or not, in one call."""
        return [self._guest(domain) for domain in self.call("listAllDomains", 0)]

    def statistics(self, groups: int, flags: int = 0) -> list[tuple[str, Mapping[str, Any]]]:
        """Figures of all domains in one call: (instance uuid, libvirt's names → values)."""
        found = self.call("getAllDomainStats", int(groups), int(flags))
        return [(domain.UUIDString(), figures) for domain, figures in found]

    def _guest(self, domain: Any) -> Guest:
        from computed.virt.libvirt.guest import Guest

        return Guest(self, domain)

    # Lost and found

    def _current(self) -> Any:
        raw = self._raw
        if raw is not None:
            return raw
        with self._lock:
            if self._raw is not None:
                return self._raw
            if self._is_closed:
                raise errors.HypervisorUnavailable("This agent has closed its connection to libvirt.")
            try:
                raw = self._opening.connect()
            except errors.HypervisorUnavailable:
                self._tell_soon(False, f"Failed to connect to libvirt: {self._opening.reason}")
                raise
            LOG.info("Connected to libvirt at %s", self.uri)
            self.generation += 1
            self._raw = raw
            self._tell_soon(True, None)
            return raw

    def _prepare(self, raw: Any) -> None:
        """What the main connection needs; runs in the thread that opens it."""
        self._has_daemon = where_supported(raw.registerCloseCallback, self._closed, None)
        for register in self._registrations:
            register(raw)

    def _closed(self, raw: Any, reason: int, opaque: Any) -> None:
        """libvirt's close callback: in a thread of the interpreter, so nothing but a letter leaves it."""
        text = _CLOSE_REASONS.get(reason, str(reason))
        self._letters.post(lambda: self._lost(raw, f"Connection to libvirt lost: {text}"))

    def _lost(self, raw: Any, reason: str) -> None:
        if self._raw is not raw or self._is_closed:
            return
        self._raw = None
        LOG.warning("%s (%s); trying to connect again", reason, self.uri)
        self._tell_soon(False, reason)
        close_behind(raw)

    def _translated(self, error: Any, raw: Any, about: str | None) -> Exception:
        code, part, text = error.get_error_code(), error.get_error_domain(), str(error)
        if code == Failure.NO_DOMAIN:
            return errors.InstanceNotFound(instance_id=about or text)
        if code in _NEVER_REACHABLE or (part in _TRANSPORT and not is_alive(raw)):
            self._letters.post(lambda: self._lost(raw, f"Connection to libvirt lost: {text}"))
            return unavailable(text)
        return errors.LibvirtFailed(text, code if code is not None else Failure.INTERNAL_ERROR, part or 0)

    def _tell_soon(self, is_reachable: bool, reason: str | None) -> None:
        self._letters.post(lambda: self._tell(is_reachable, reason))

    def _tell(self, is_reachable: bool, reason: str | None) -> None:
        if is_reachable != self._told:
            self._told = is_reachable
            self._on_reachable(is_reachable, reason)

    def _watch(self) -> None:
        while True:
            try:
                letter = self._letters.take(None if self._raw is not None else self._patience.retry_seconds)
                if letter is None:
                    return
                letter()
            except TimeoutError:
                self._try_again()
            except errors.HypervisorUnavailable as error:
                LOG.warning("An event from libvirt was not handled: %s", error)
            except Exception:
                LOG.exception("An event from libvirt was not handled")

    def _try_again(self) -> None:
        try:
            self._current()
        except errors.HypervisorUnavailable as error:
            LOG.debug("Still no libvirt: %s", error)
