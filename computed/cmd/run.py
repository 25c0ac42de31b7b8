"""The life of the process: options, log, guards, the service, signals, the way out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oslo_log import log

from computed import __version__, errors, objects
from computed.clients.conductor import wait_for_conductor
from computed.clients.serializer import WireSerializer
from computed.cmd import database_guard, meditation, wiring
from computed.cmd.signals import Signals, Told
from computed.conf import CONF
from computed.conf.load import load
from computed.context import get_admin_context
from computed.lib.sd_notify import notify
from computed.objects.service import COMPUTE_BINARY
from computed.service import Phase, Service

if TYPE_CHECKING:
    from computed.embedded.cloud import OneHostCloud

LOG = logging.getLogger(__name__)

_PHASES = {
    Phase.READY: ("READY=1", "STATUS=serving"),
    Phase.DRAINING: ("STOPPING=1", "STATUS=finishing what is in flight"),
}


def run(argv: Sequence[str], backend: str) -> int:
    """Start, serve until told to stop, and return the exit status."""
    try:
        load(argv, CONF)
        log.setup(CONF, "computed", __version__)
    except (errors.ConfigError, log.LogConfigError) as error:
        print(f"computed: {error}", file=sys.stderr)
        return 1
    LOG.info("computed %s on host %s, with %s threads", __version__, CONF.host, backend)
    signals = Signals()
    try:
        running = _start(backend)
    except (errors.ComputedError, errors.NovaException) as error:
        LOG.critical("Not starting: %s", _text(error))
        return 1
    except Exception:
        LOG.exception("Not starting")
        return 1
    _serve(running.service, signals)
    return _leave(running)


@dataclass(frozen=True)
class _Running:
    service: Service
    cloud: OneHostCloud | None
    """What is around the agent when it runs alone."""


def _start(backend: str) -> _Running:
    objects.register_all()
    errors.install_remote_module()
    meditation.install(CONF, COMPUTE_BINARY)
    wiring.prepare_root_helper(CONF)
    wiring.prepare_interfaces(CONF)
    if CONF.run_alone or CONF.alone.enabled:
        return _start_alone(backend)
    database_guard.install(COMPUTE_BINARY)
    return _Running(_start_service(backend, wiring.make_transport(CONF)), None)


def _start_alone(backend: str) -> _Running:
    # Imported here: an agent with a cloud around it needs neither a database nor placement.
    try:
        from computed.embedded import cloud as embedded
    except ModuleNotFoundError as error:
        raise errors.StartRefused(
            f"running alone needs {error.name}: install the extra, as in pip install 'computed[alone]'"
        ) from error
    places = embedded.settle_defaults(CONF)
    bus = None if embedded.wants_memory_bus(CONF) else wiring.make_transport(CONF)
    cloud = embedded.OneHostCloud(CONF, places, transport=bus, executor=backend)
    cloud.start_conductor()
    service = _start_service(backend, cloud.transport, **cloud.overrides())
    cloud.start_api()
    return _Running(service, cloud)


def _start_service(backend: str, transport: Any, **overrides: Any) -> Service:
    serializer = WireSerializer()
    wiring.connect_objects(CONF, transport, serializer)
    wait_for_conductor(transport, serializer, get_admin_context())
    host = wiring.build_host(CONF, transport, serializer, **overrides)
    service = Service(wiring.build_parts(host, transport, serializer, backend), _tell_systemd)
    service.start()
    return service


def _tell_systemd(phase: Phase) -> None:
    if phase in _PHASES:
        notify(*_PHASES[phase])


def _serve(service: Service, signals: Signals) -> None:
    signals.serve()
    while True:
        told = signals.wait()
        if told is Told.STOP:
            return
        LOG.info("Reading the options that may change while running anew")
        try:
            for name, change in sorted(CONF.mutate_config_files().items()):
                LOG.info("Option %s goes from %s to %s", name, *change)
            service.reload()
        except Exception:
            LOG.exception("The options could not be read anew; the old ones hold")


def _leave(running: _Running) -> int:
    is_finished = running.service.stop()
    if running.cloud is not None:
        running.cloud.stop()
    LOG.info("Stopped")
    if is_finished:
        return 0
    # Threads that hang would keep the interpreter from ending.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _text(error: Any) -> str:
    return error.format_message() if isinstance(error, errors.NovaException) else str(error)
