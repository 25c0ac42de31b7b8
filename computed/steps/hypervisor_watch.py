"""Keeps schedulers off the compute service while its hypervisor cannot be reached."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from computed import errors, objects
from computed.context import RequestContext, get_admin_context

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

AUTOMATIC: Final = "AUTO: "
"""How a disabled_reason begins that no operator has written; only such a service is enabled again
(virt/libvirt/driver.py of a stock agent writes and understands the same)."""

_RETRY_SECONDS: Final = 10.0


@dataclass(frozen=True, eq=False)
class _News:
    """The last that was heard."""

    is_reachable: bool
    reason: str | None


class HypervisorWatch:
    """Writes into the service record what the driver tells of its hypervisor.

    The driver tells it in a thread of its own, before there is a host and at any time after; it is written in
    another thread, which exists only while there is something to write, and again and again while the
    conductor cannot be reached. That the hypervisor is there counts only once the service is up: until then
    another reading of the record may be in use.
    """

    def __init__(self, retry_seconds: float = _RETRY_SECONDS) -> None:
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._host: ComputeHost | None = None
        self._news: _News | None = None
        self._is_serving = False
        self._is_closed = False
        self._writer: threading.Thread | None = None

    def connect(self, host: ComputeHost) -> None:
        """Whose record it is."""
        with self._changed:
            self._host = host
            self._start()

    def tell(self, is_reachable: bool, reason: str | None) -> None:
        """Take note; returns at once. Of several pieces of news only the last counts."""
        with self._changed:
            self._news = _News(is_reachable, reason)
            self._changed.notify_all()
            self._start()

    def serve(self) -> None:
        """The service is up."""
        with self._changed:
            self._is_serving = True
            self._start()

    def close(self) -> None:
        """Write nothing any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        """Call this while holding the condition."""
        if self._writer is None and self._next() is not None:
            self._writer = threading.Thread(target=self._write, name="hypervisor-watch", daemon=True)
            self._writer.start()

    def _next(self) -> _News | None:
        if self._is_closed or self._host is None or self._news is None:
            return None
        return None if self._news.is_reachable and not self._is_serving else self._news

    def _write(self) -> None:
        announced: _News | None = None
        while True:
            with self._changed:
                news, host = self._next(), self._host
                if news is None or host is None:
                    self._writer = None
                    return
            if news is not announced and not news.is_reachable:
                _announce(host, news)
            announced = news
            is_written = _try(host, news)
            with self._changed:
                if is_written and self._news is news:
                    self._news = None
                elif not is_written and self._news is news:
                    self._changed.wait(self._retry_seconds)


def _announce(host: ComputeHost, news: _News) -> None:
    error = errors.HypervisorUnavailable(news.reason)
    try:
        host.notifier.hypervisor_lost(get_admin_context(), error)
    except Exception as failure:
        LOG.warning("Nobody is notified that the hypervisor cannot be reached: %s", failure)


def _try(host: ComputeHost, news: _News) -> bool:
    try:
        apply(host, get_admin_context(), is_reachable=news.is_reachable, reason=news.reason)
    except Exception as error:
        LOG.warning("Whether the hypervisor can be reached is not recorded yet: %s; trying again", error)
        return False
    return True


def apply(host: ComputeHost, context: RequestContext, *, is_reachable: bool, reason: str | None) -> None:
    """Disable or enable the service of `host`. One that an operator has disabled stays so.

    Raises what the conductor raises.
    """
    try:
        record = objects.Service.get_by_compute_host(context, host.name)
    except errors.ComputeHostNotFound:
        LOG.warning("Host %s has no service record to say that of", host.name)
        return
    is_disabled = not is_reachable
    if record.disabled == is_disabled:
        return
    if record.disabled and not (record.disabled_reason or "").startswith(AUTOMATIC):
        LOG.info("The hypervisor is there, but an operator has disabled this service: it stays so")
        return
    record.disabled = is_disabled
    record.disabled_reason = f"{AUTOMATIC}{reason}" if is_disabled and reason else None
    record.save()
    if is_disabled:
        LOG.error("This compute service is disabled: %s", reason)
    else:
        LOG.info("The hypervisor is back, and so is this compute service")
    host.tracker.set_disabled(context, is_disabled)
