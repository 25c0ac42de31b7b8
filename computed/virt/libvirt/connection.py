"""The connection to libvirt: opened within a bound, kept alive, opened again, every failure in our words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import libvirt
from oslo_log import log as logging

from computed import errors
from computed.lib.mailbox import Mailbox
from computed.lib.offload import offload, start_native_thread
from computed.virt.libvirt.codes import Failure

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_CLOSE_REASONS: Final = {0: "an error", 1: "the end of the stream", 2: "silence", 3: "our own doing"}
_NEVER_REACHABLE: Final = frozenset({Failure.NO_CONNECT, Failure.INVALID_CONN})
# The parts of libvirt that fail when libvirtd itself is out of reach: its remote driver, its transport.
_TRANSPORT: Final = frozenset({libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC})
_CLOSE_SECONDS: Final = 2.0

_loop_lock = threading.Lock()
_loop_runs = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long libvirt may be silent. A connection that is silent counts as lost after
    `keepalive_seconds` * (`keepalive_count` + 1); one that is lost is tried again every `retry_seconds`."""

    open_seconds: float = 10.0
    keepalive_seconds: int = 5
    keepalive_count: int = 4
    retry_seconds: float = 2.0


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
        patience: Patience = Patience(),
    ) -> None:
        self.uri = uri
        self.generation = 0
        """Counts the connections made; what belongs to an earlier one must be looked up again."""
        self._on_reachable = on_reachable
        self._patience = patience
        self._lock = threading.Lock()
        self._raw: Any = None
        self._attempt: _Attempt | None = None
        self._retry_at = 0.0
        self._reason = "not connected yet"
        self._told: bool | None = None
        self._registrations: list[Callable[[Any], None]] = []
        self._letters: Mailbox[Callable[[], None]] = Mailbox()
        self._is_closed = False
        self._watcher: threading.Thread | None = None

    # Opening and closing

    def open(self) -> None:
        """Connect, and from now on reconnect by itself. Raises HypervisorUnavailable when this first try
        fails; later ones go on behind it until `close`."""
        _start_event_loop()
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="libvirt-connection", daemon=True)
            self._watcher.start()
        self._current()

    def close(self) -> None:
        """Let go of libvirt; a libvirt that is silent is not waited for."""
        self._is_closed = True
        raw, self._raw = self._raw, None
        self._letters.close()
        if raw is not None:
            done: Mailbox[None] = Mailbox()
            start_native_thread(lambda: _close_quietly(raw, done), "libvirt-close")
            try:
                done.take(_CLOSE_SECONDS)
            except TimeoutError:
                LOG.warning("libvirt at %s did not answer our goodbye", self.uri)

    def each_time(self, register: Callable[[Any], None]) -> None:
        """Have `register` called, off the main loop, with the virConnect of this and of every later
        connection: for callbacks that libvirt forgets when it restarts."""
        self._registrations.append(register)
        raw = self._raw
        if raw is not None:
            self.perform(None, register, raw)

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
        return self.perform(None, getattr(self._current(), method), *args)

    def perform(self, about: str | None, function: Callable[..., Any], *args: Any) -> Any:
        """Run any function of libvirt-python off the main loop; `about` is the uuid of the guest that the
        call is for, if it is for one."""
        raw = _owner(function) or self._raw
        try:
            return offload(function, *args)
        except libvirt.libvirtError as error:
            raise self._translated(error, raw, about) from error

    def guest(self, uuid: str) -> Guest:
        """The domain of an instance, running or not; one call."""
        return self._guest(self.perform(uuid, self._current().lookupByUUIDString, uuid))

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
            if time.monotonic() < self._retry_at:
                # Nobody waits again for what somebody has just waited for in vain.
                raise _unavailable(self._reason)
            try:
                raw = self._connect()
            except (libvirt.libvirtError, TimeoutError) as error:
                self._reason = str(error)
                self._retry_at = time.monotonic() + self._patience.retry_seconds
                self._tell_soon(False, f"Failed to connect to libvirt: {error}")
                raise _unavailable(self._reason) from error
            self.generation += 1
            self._raw = raw
            self._tell_soon(True, None)
            return raw

    def _connect(self) -> Any:
        """A new virConnect with keepalive and everything registered; raises libvirtError, TimeoutError."""
        _start_event_loop()
        self._attempt = self._attempt or _Attempt(self.uri, self._prepare)
        try:
            raw = self._attempt.result(self._patience.open_seconds)
        except TimeoutError:
            # It is kept: while libvirt stands still there is one thread that waits for it, not many.
            raise TimeoutError(f"no answer from {self.uri} in {self._patience.open_seconds:g} s") from None
        except libvirt.libvirtError:
            self._attempt = None
            raise
        self._attempt = None
        LOG.info("Connected to libvirt at %s", self.uri)
        return raw

    def _prepare(self, raw: Any) -> None:
        """What every new connection needs; runs in the thread that opens it."""
        _where_supported(raw.setKeepAlive, self._patience.keepalive_seconds, self._patience.keepalive_count)
        _where_supported(raw.registerCloseCallback, self._closed, None)
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
        self._reason = reason
        LOG.warning("%s (%s); trying to connect again", reason, self.uri)
        self._tell_soon(False, reason)
        start_native_thread(lambda: _close_quietly(raw, Mailbox()), "libvirt-close")

    def _translated(self, error: Any, raw: Any, about: str | None) -> Exception:
        code, part, text = error.get_error_code(), error.get_error_domain(), str(error)
        if code == Failure.NO_DOMAIN:
            return errors.InstanceNotFound(instance_id=about or text)
        if code in _NEVER_REACHABLE or (part in _TRANSPORT and not _is_alive(raw)):
            self._letters.post(lambda: self._lost(raw, f"Connection to libvirt lost: {text}"))
            return _unavailable(text)
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


class _Attempt:
    """One try to open a connection, in a thread of its own: libvirt knows no timeout for that."""

    def __init__(self, uri: str, prepare: Callable[[Any], None]) -> None:
        self._uri = uri
        self._prepare = prepare
        self._answer: Mailbox[Any] = Mailbox()
        start_native_thread(self._run, "libvirt-open")

    def result(self, timeout_seconds: float) -> Any:
        """The virConnect; raises libvirtError, or TimeoutError and may be asked again."""
        answer = self._answer.take(timeout_seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _run(self) -> None:
        # No logging here, and no lock: this thread is not of the kind that they belong to.
        try:
            raw = libvirt.open(self._uri)
            self._prepare(raw)
        except Exception as error:
            self._answer.post(error)
        else:
            self._answer.post(raw)


def _start_event_loop() -> None:
    """libvirt's own loop, once in a process, in a thread of the interpreter: keepalive and events need it."""
    global _loop_runs
    with _loop_lock:
        if _loop_runs:
            return
        _loop_runs = True
    # Else libvirt prints every error to stderr, besides raising it.
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    # Without a timer of ours the loop would sleep for ever when nothing else is registered yet.
    libvirt.virEventAddTimeout(1000, lambda timer, opaque: None, None)
    start_native_thread(_run_event_loop, "libvirt-events")


def _run_event_loop() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            # An interrupted wait. Nothing can be logged from here, and keepalive must go on.
            continue


def _where_supported(register: Callable[..., Any], *args: Any) -> None:
    """libvirt's test driver and some others have no daemon to lose."""
    try:
        register(*args)
    except libvirt.libvirtError as error:
        if error.get_error_code() != Failure.NO_SUPPORT:
            raise


def _owner(function: Callable[..., Any]) -> Any:
    """The virConnect that a bound method goes through: a domain may belong to one that is lost already."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, libvirt.virDomain):
        return owner.connect()
    return owner if isinstance(owner, libvirt.virConnect) else None


def _is_alive(raw: Any) -> bool:
    """Whether the transport still stands; asks nobody."""
    try:
        return raw is not None and bool(raw.isAlive())
    except libvirt.libvirtError:
        return False


def _close_quietly(raw: Any, done: Mailbox[None]) -> None:
    try:
        raw.close()
    except libvirt.libvirtError:
        pass
    finally:
        done.close()


def _unavailable(reason: str) -> errors.HypervisorUnavailable:
    return errors.HypervisorUnavailable(f"The hypervisor cannot be reached: {reason}")
