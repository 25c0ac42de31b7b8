"""The service: starting → ready → draining → stopped, its record, its heartbeat."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from computed import errors, objects
from computed.context import get_admin_context
from computed.manager import ComputeManager
from computed.objects.service import COMPUTE_BINARY
from computed.operations.recover.second_look import Orders, SecondLook
from computed.periodic.heartbeat import Heartbeat
from computed.periodic.runner import PeriodicRunner
from computed.resources.identity import Identity
from computed.rpc.endpoints import COMPUTE_TOPIC
from computed.rpc.server import RpcServers
from computed.steps.arrivals import is_coming
from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

SERVICE_VERSION: Final = 74
"""What this agent can do, in nova's counting (contract: service.json, history)."""
OLDEST_SUPPORTED: Final = ("Gazpacho", 72)


class Phase(Enum):
    """Where the service is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service is made of; cmd/wiring.py puts it together."""

    host: ComputeHost
    manager: ComputeManager
    servers: RpcServers
    runner: PeriodicRunner
    recover: Callable[[ComputeHost, Any], SecondLook]
    """Brings the host's instances back to a legal state, once, before anything is served; returns what is to
    begin then."""
    forget: Callable[[], None] = lambda: None
    """Empties the caches that a reload is to empty."""


class Service:
    """One compute service (contract: periodic_tasks.json, service_start_order and graceful_shutdown).

    `on_phase` is told of every change of phase.
    """

    def __init__(self, parts: Parts, on_phase: Callable[[Phase], None] = lambda phase: None) -> None:
        self._parts = parts
        self._host = parts.host
        self._conf = parts.host.conf
        self._on_phase = on_phase
        self._heartbeat: Heartbeat | None = None
        self.phase = Phase.STARTING

    def start(self) -> None:
        """Check, recover, register, serve. Raises what keeps this host from starting."""
        context = get_admin_context()
        refuse_old_computes(context, self._conf)
        _check_temporary_directory()
        record = objects.Service.get_by_host_and_binary(context, self._host.name, COMPUTE_BINARY)
        _check_options(self._conf)
        self._host.driver.init_host(self._host.name)
        Identity(self._conf, self._host.driver, self._host.name).settle(context, record)
        if record is not None:
            self._host.console_tokens.assume_earlier(self._conf.consoleauth.token_ttl)
        second_look = self._parts.recover(self._host, context)
        record = register(context, self._host.name, record)
        self._host.tracker.use_service(record)
        self._host.tracker.update_available_resource(context, startup=True)
        self._parts.servers.start()
        if self._conf.report_interval:
            self._heartbeat = Heartbeat(record, self._conf.report_interval)
            self._heartbeat.start()
        self._parts.runner.start()
        self._host.hypervisor_watch.serve()
        self._enter(Phase.READY)
        second_look.begin(Orders(self._parts.servers.has_caught_up, self._parts.manager.inflight.concerns))

    def stop(self) -> bool:
        """Take no new work, let what is in flight finish, let go of everything.

        True when everything had finished in time (`manager_shutdown_timeout`, and what is left of
        `graceful_shutdown_timeout` for the cleaning up of verbs whose waiting was ended) and the broker
        had let go of us.
        """
        self._enter(Phase.DRAINING)
        total = self._conf.graceful_shutdown_timeout or float("inf")
        deadline = time.monotonic() + total
        self._parts.runner.stop()
        is_left = self._parts.servers.stop_primary()
        self._host.departures.close()
        is_idle = self._wait_idle(min(self._conf.manager_shutdown_timeout, total))
        self._host.stop_waiting()
        if not is_idle:
            is_idle = self._wait_idle(min(_left(deadline), _CLEANUP_SECONDS))
        self._host.driver.on_lifecycle_event(None)
        self._host.driver.cleanup_host(self._host.name)
        is_left = self._parts.servers.stop_alternate() and is_left
        self._parts.manager.close()
        if self._heartbeat:
            self._heartbeat.stop()
        is_finished = is_idle and is_left
        if is_finished:
            self._parts.servers.close()
        self._enter(Phase.STOPPED)
        return is_finished

    def reload(self) -> None:
        """The operator has changed things: forget what was learned of the outside (contract: sighup)."""
        self._parts.forget()

    def _wait_idle(self, timeout_seconds: float) -> bool:
        inflight = self._parts.manager.inflight
        if inflight.counts():
            LOG.info("Waiting up to %d s for work in flight: %s", timeout_seconds, inflight.counts())
        began = time.monotonic()
        end = began + timeout_seconds
        is_idle = inflight.wait_idle(timeout_seconds)
        is_idle = self._host.departures.wait_idle(_left(end)) and is_idle
        is_idle = self._host.arrivals.wait_idle(_left(end), is_coming) and is_idle
        # What has come meanwhile came with a message, and that may not be quite done.
        is_idle = inflight.wait_idle(_left(end)) and is_idle
        end = min(end, time.monotonic() + _PERIODIC_SECONDS)
        is_quiet = self._parts.runner.join(_left(end))
        # A task, or what a guest does by itself, has others work on instances.
        is_quiet = self._host.lanes.wait_idle(_left(end)) and is_quiet
        if not (is_idle and is_quiet):
            LOG.warning(
                "Not finished after %d s: %s",
                time.monotonic() - began,
                inflight.counts()
                or "an instance on its way, a periodic task, or what it or an event has begun",
            )
        return is_idle and is_quiet

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        LOG.info("This compute service is %s", phase.value)
        self._on_phase(phase)


# Contract: periodic_tasks.json, graceful_shutdown, cleanup_reserved_seconds.
_CLEANUP_SECONDS: Final = 20.0
# Nobody has asked for what the clock started, and it comes again after the next start: a task that waits
# for a broker or a conductor that is gone is not waited for as long as a user's request.
_PERIODIC_SECONDS: Final = 10.0


def _left(end: float) -> float:
    """Seconds until a moment of the monotonic clock."""
    return max(0.0, end - time.monotonic())


def register(context: Any, host_name: str, record: Any | None) -> Any:
    """Bring the service record up to date, or make one. Raises ServiceTooOld where the cell requires more.

    A `record` is read again: it is from before the recovery, which may have taken long enough for somebody to
    disable the service.
    """
    if record is not None:
        record = objects.Service.get_by_host_and_binary(context, host_name, COMPUTE_BINARY)
    if record is None:
        record = objects.Service(
            context,
            host=host_name,
            binary=COMPUTE_BINARY,
            topic=COMPUTE_TOPIC,
            report_count=0,
            version=SERVICE_VERSION,
        )
        try:
            record.create()
            LOG.info("Service %s registered for host %s", COMPUTE_BINARY, host_name)
        except (errors.ServiceBinaryExists, errors.ServiceTopicExists):
            # Somebody was faster with the same name; his record is ours then.
            record = objects.Service.get_by_host_and_binary(context, host_name, COMPUTE_BINARY)
    if record.version != SERVICE_VERSION:
        LOG.info(
            "The version of service %s on %s goes from %s to %s",
            COMPUTE_BINARY,
            host_name,
            record.version,
            SERVICE_VERSION,
        )
        record.version = SERVICE_VERSION
        record.save()
    return record


def refuse_old_computes(context: Any, conf: Any) -> None:
    """Raise TooOldComputeService when a compute is registered that is older than this release supports."""
    if conf.workarounds.disable_compute_service_check_for_ffu:
        return
    release, oldest = OLDEST_SUPPORTED
    found = objects.Service.get_minimum_version(context, COMPUTE_BINARY)
    if 0 < found < oldest:
        raise errors.TooOldComputeService(
            scope="cell",
            oldest_supported_version=release,
            min_service_level=oldest,
            oldest_supported_service=found,
        )


def _check_options(conf: Any) -> None:
    """Options that are legal one by one and would still keep every instance from booting."""
    if conf.compute.max_disk_devices_to_attach == 0:
        raise errors.InvalidConfiguration(
            "[compute]max_disk_devices_to_attach = 0 lets no instance boot; set -1 for no limit, or 1 or more"
        )


def _check_temporary_directory() -> None:
    try:
        with tempfile.TemporaryFile():
            pass
    except OSError as error:
        raise errors.InvalidConfiguration(f"No temporary file can be made: {error}") from error
