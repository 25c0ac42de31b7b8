"""How connections to libvirt are made: within a bound, with one thread that waits for a silent libvirt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import libvirt
from oslo_log import log as logging

from computed import errors
from computed.lib.mailbox import Mailbox
from computed.lib.offload import start_native_thread
from computed.virt.libvirt.codes import Failure

LOG = logging.getLogger(__name__)

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


USUAL: Final = Patience()


class Opening:
    """Makes connections to one libvirt. `prepare` is run with each, in a thread of the interpreter."""

    def __init__(
        self, uri: str, patience: Patience, prepare: Callable[[Any], None] = lambda raw: None
    ) -> None:
        self._uri = uri
        self._patience = patience
        self._prepare = prepare
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None
        self._retry_at = 0.0
        self.reason = ""
        """Why there was none when there was none last."""

    def connect(self) -> Any:
        """A new virConnect with keepalive; raises HypervisorUnavailable.

        Nobody waits again for what somebody has just waited for in vain.
        """
        start_event_loop()
        with self._lock:
            if time.monotonic() < self._retry_at:
                raise unavailable(self.reason)
            self._attempt = self._attempt or _Attempt(self._uri, self._prepare_all)
            try:
                raw = self._attempt.result(self._patience.open_seconds)
            except TimeoutError as error:
                # It is kept: while libvirt stands still there is one thread that waits for it, not many.
                reason = f"no answer from {self._uri} in {self._patience.open_seconds:g} s"
                raise self._failed(reason) from error
            except libvirt.libvirtError as error:
                self._attempt = None
                raise self._failed(str(error)) from error
            self._attempt = None
            return raw

    def _failed(self, reason: str) -> errors.HypervisorUnavailable:
        self.reason = reason
        self._retry_at = time.monotonic() + self._patience.retry_seconds
        return unavailable(reason)

    def _prepare_all(self, raw: Any) -> None:
        where_supported(raw.setKeepAlive, self._patience.keepalive_seconds, self._patience.keepalive_count)
        self._prepare(raw)


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


def client_version() -> int:
    """Of the library in this process: 9_000_000 is 9.0.0."""
    return int(libvirt.getVersion())


def unavailable(reason: str) -> errors.HypervisorUnavailable:
    """The error of who needs a libvirt that is out of reach."""
    return errors.HypervisorUnavailable(f"The hypervisor cannot be reached: {reason}")


def where_supported(register: Callable[..., Any], *args: Any) -> bool:
    """Call it; False when this driver knows no such thing: libvirt's test driver has no daemon to lose."""
    try:
        register(*args)
    except libvirt.libvirtError as error:
        if error.get_error_code() != Failure.NO_SUPPORT:
            raise
        return False
    return True


def is_alive(raw: Any) -> bool:
    """Whether the transport still stands; asks nobody."""
    try:
        return raw is not None and bool(raw.isAlive())
    except libvirt.libvirtError:
        return False


def close_behind(raw: Any) -> Mailbox[None]:
    """Close a connection in a thread that may wait for libvirt; the box is closed when that is done."""
    done: Mailbox[None] = Mailbox()
    start_native_thread(lambda: _close_quietly(raw, done), "libvirt-close")
    return done


def _close_quietly(raw: Any, done: Mailbox[None]) -> None:
    try:
        raw.close()
    except libvirt.libvirtError:
        pass
    finally:
        done.close()


def start_event_loop() -> None:
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
