"""The libvirt driver: real guests on this host. Each concern is a mixin; this puts them together."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from computed.virt.collaborators import NOBODY, Collaborators
from computed.virt.libvirt import engine
from computed.virt.libvirt.consoles import LibvirtConsoles
from computed.virt.libvirt.diagnostics import LibvirtDiagnostics
from computed.virt.libvirt.guest_states import LibvirtStates
from computed.virt.libvirt.host_side import LibvirtHostSide
from computed.virt.libvirt.image_cache import LibvirtImageCache
from computed.virt.libvirt.interfaces import LibvirtInterfaces
from computed.virt.libvirt.lifecycle import LibvirtLifecycle
from computed.virt.libvirt.migration import LibvirtMigration
from computed.virt.libvirt.pausing import LibvirtPausing
from computed.virt.libvirt.rescue import LibvirtRescue
from computed.virt.libvirt.shared_storage import LibvirtSharedStorage
from computed.virt.libvirt.shares import LibvirtShares
from computed.virt.libvirt.signals import LibvirtSignals
from computed.virt.libvirt.snapshots import LibvirtSnapshots
from computed.virt.libvirt.starting import HELD_STILL
from computed.virt.port import Driver

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)


class LibvirtDriver(
    LibvirtHostSide,
    LibvirtLifecycle,
    LibvirtStates,
    LibvirtPausing,
    LibvirtInterfaces,
    LibvirtMigration,
    LibvirtRescue,
    LibvirtSnapshots,
    LibvirtConsoles,
    LibvirtSignals,
    LibvirtDiagnostics,
    LibvirtImageCache,
    LibvirtShares,
    LibvirtSharedStorage,
    Driver,
):
    """One mixin for each port. Whoever builds one derives it from LibvirtPart and its port, in this
    order, and puts it into the bases, before the others."""

    def __init__(self, conf: cfg.ConfigOpts, collaborators: Collaborators = NOBODY) -> None:
        self._conf = conf
        self._collaborators = collaborators
        self.vif_plug_events = conf.libvirt.virt_type in HELD_STILL

    def init_host(self, host: str) -> None:
        """Make the engine and reach libvirt. Raises ConfigError, StartRefused, HypervisorUnavailable."""
        self._engine = engine.build(self._conf, self._collaborators)
        self.watch_over_snapshots()
        self._engine.connection.open()
        self._engine.host.check()

    def cleanup_host(self, host: str) -> None:
        """Let go of libvirt; guests keep running."""
        self._engine.connection.close()
