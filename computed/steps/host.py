"""ComputeHost: everything that an operation may use, handed to it as one value."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oslo_utils import timeutils

from computed.lib.locks import KeyedLocks
from computed.lib.slots import Slots
from computed.steps.arrivals import Arrivals
from computed.steps.console_tokens import ConsoleTokens
from computed.steps.departures import Departures
from computed.steps.events import ExternalEvents
from computed.steps.hypervisor_watch import HypervisorWatch
from computed.steps.lanes import Lanes
from computed.steps.own_calls import OwnCalls
from computed.steps.remembered import Remembered

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.clients.accelerators import AcceleratorService
    from computed.clients.compute import ComputeClient
    from computed.clients.compute_task import ComputeTaskClient
    from computed.clients.images import ImageService
    from computed.clients.network import NetworkService
    from computed.clients.placement import PlacementClient
    from computed.clients.scheduler import SchedulerClient
    from computed.clients.shares import ShareService
    from computed.clients.volumes import VolumeService
    from computed.notifications.notifier import Notifier
    from computed.resources.tracker import ResourceTracker
    from computed.virt.port import Driver


@dataclass(frozen=True)
class ComputeHost:
    """One compute service: its name, options, hypervisor, ledger and the services it speaks to.

    Built once, by cmd/wiring.py; operations, periodic tasks and the guards get it as their first
    argument and keep nothing of their own between calls.
    """

    name: str
    conf: cfg.ConfigOpts
    driver: Driver
    tracker: ResourceTracker
    network: NetworkService
    images: ImageService
    volumes: VolumeService
    shares: ShareService
    accelerators: AcceleratorService
    placement: PlacementClient
    computes: ComputeClient
    compute_tasks: ComputeTaskClient
    scheduler: SchedulerClient
    notifier: Notifier
    events: ExternalEvents = field(default_factory=ExternalEvents)
    locks: KeyedLocks = field(default_factory=KeyedLocks)
    stopping: threading.Event = field(default_factory=threading.Event)
    own_calls: OwnCalls = field(default_factory=OwnCalls)
    console_tokens: ConsoleTokens = field(default_factory=ConsoleTokens)
    ungrouped: Remembered = field(default_factory=Remembered)
    """Instances known to be in no server group."""
    prepared: Remembered = field(default_factory=Remembered)
    """Migrations for which this host has been asked to make room, whatever came of it."""
    ordered: Remembered = field(default_factory=Remembered)
    """Orders to build (BuildOrder.key) that have come to this host, whatever came of them."""
    began_at: datetime.datetime = field(default_factory=lambda: timeutils.utcnow(with_timezone=True))
    """Since when this process remembers anything; aware, UTC."""
    hypervisor_watch: HypervisorWatch = field(default_factory=HypervisorWatch)
    arrivals: Arrivals = field(default_factory=Arrivals)
    departures: Departures = field(init=False)
    lanes: Lanes = field(init=False)
    build_slots: Slots = field(init=False)
    """Held while a build is running; `max_concurrent_builds` of them, or no limit when that is 0."""

    snapshot_slots: Slots = field(init=False)
    """Held while an image is made of a guest; `max_concurrent_snapshots` of them, or no limit when 0."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "build_slots", Slots(self.conf.max_concurrent_builds))
        object.__setattr__(self, "snapshot_slots", Slots(self.conf.max_concurrent_snapshots))
        departures = Departures(self.conf.max_concurrent_live_migrations)
        object.__setattr__(self, "departures", departures)
        object.__setattr__(self, "lanes", Lanes(self.conf.sync_power_state_pool_size))
        self.hypervisor_watch.connect(self)

    def stop_waiting(self) -> None:
        """The agent stops: whoever waits for an event or for the conductor to come back gives up."""
        self.stopping.set()
        self.hypervisor_watch.close()
        self.departures.close()
        self.events.cancel_all()
        self.lanes.close()
