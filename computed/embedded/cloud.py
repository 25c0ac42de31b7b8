"""The one-host cloud put together: store, placement, conductor, scheduler, network, images, API."""

from __future__ import annotations

import fcntl
import logging
import os
from typing import TYPE_CHECKING, Any

import oslo_messaging as messaging

from computed import errors
from computed.clients.placement import PlacementClient
from computed.embedded import real_guests
from computed.embedded.accelerators import EmbeddedAccelerators
from computed.embedded.api import Api
from computed.embedded.api_server import ApiServer
from computed.embedded.bus import MemoryBus
from computed.embedded.conductor.endpoint import ConductorEndpoint
from computed.embedded.conductor.server import ConductorServer, PingEndpoint
from computed.embedded.images import ImageDirectory, Inspect
from computed.embedded.launch import ComputeCalls, Launcher
from computed.embedded.network import BridgeNetwork
from computed.embedded.no_network import NoNetwork
from computed.embedded.placement_app import placement_adapter, start_placement
from computed.embedded.places import Places
from computed.embedded.scheduler import OneHostScheduler
from computed.embedded.servers import Servers
from computed.embedded.shares import EmbeddedShares
from computed.embedded.store import Store
from computed.embedded.subnet import Subnet
from computed.embedded.tasks import ComputeTaskEndpoint
from computed.embedded.volumes import EmbeddedVolumes
from computed.notifications.notifier import Notifier

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

CONDUCTOR_NAME = "alone"


def settle_defaults(conf: cfg.ConfigOpts) -> Places:
    """Give the options that a one-host cloud has other defaults for than a compute; files still win."""
    places = places_of(conf)
    conf.set_default("state_path", str(places.state_dir))
    conf.set_default("compute_driver", "fake.FakeDriver")
    conf.set_default("network", "none", group="alone")
    if has_real_guests(conf):
        real_guests.settle(conf)
    for chatty in ("alembic", "placement"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return places


def places_of(conf: cfg.ConfigOpts) -> Places:
    """Where section [alone] says that things are."""
    is_shared = has_real_guests(conf) and real_guests.run_as_others(conf)
    return Places.of(
        conf.alone.state_dir, conf.alone.socket, conf.alone.images_dir, is_shared_with_guests=is_shared
    )


def has_real_guests(conf: cfg.ConfigOpts) -> bool:
    """Whether a hypervisor runs the servers, and not our memory alone."""
    return (conf.compute_driver or "").startswith("libvirt.")


def inspector_for(conf: cfg.ConfigOpts) -> Inspect | None:
    """Who looks at new images: where they are only names, nobody does."""
    return real_guests.inspect if has_real_guests(conf) else None


def _network_of(conf: cfg.ConfigOpts, store: Store) -> BridgeNetwork | NoNetwork:
    kind = conf.alone.network
    if kind == "none":
        return NoNetwork()
    return BridgeNetwork(store, Subnet.of(conf) if kind == "bridge" else Subnet.of_user())


def wants_memory_bus(conf: cfg.ConfigOpts) -> bool:
    """Whether `transport_url` is not set or says fake://, which is no real bus; raises ConfigError."""
    try:
        url = messaging.TransportURL.parse(conf)
    except messaging.InvalidTransportURL as error:
        raise errors.ConfigError(f"transport_url cannot be used: {error}") from error
    return url.transport == "fake" or (url.transport == "rabbit" and not url.hosts)


class OneHostCloud:
    """Everything around one agent; give `overrides()` to the wiring of the host, start it before the agent.

    `transport` is a bus to use instead of one in memory; `executor` is "threading" or "eventlet", as the
    process runs; `durable=False` trades fsync for speed. Raises StartRefused when another process runs this
    cloud already, ConfigError for options that cannot be used, StoreTooNew.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        places: Places,
        *,
        transport: Any = None,
        executor: str = "threading",
        durable: bool = True,
    ) -> None:
        if conf.alone.network == "bridge":
            Subnet.of(conf)  # refused before anything is made
        self._conf = conf
        places.make()
        self._lock = _lock(places)
        self.bus = None if transport else MemoryBus()
        self.transport = transport or self.make_transport(conf)
        self.store = Store(places.store, durable=durable)
        app = start_placement(f"sqlite:///{places.placement}", durable=durable)
        self.images = ImageDirectory(places.images_dir, inspector_for(conf))
        self.network = _network_of(conf, self.store)
        self.volumes = EmbeddedVolumes(self.store)
        self.shares = EmbeddedShares()
        self.accelerators = EmbeddedAccelerators()
        self.placement = PlacementClient(placement_adapter(app))
        self.scheduler = scheduler = OneHostScheduler(self.store, placement_adapter(app))
        computes = ComputeCalls(self.transport)
        launcher = Launcher(self.store, computes, conf.alone.max_attempts)
        self.servers = Servers(self.store, scheduler, launcher, computes, self.network)
        self.conductor = ConductorEndpoint(self.store)
        self.compute_tasks = ComputeTaskEndpoint(scheduler, launcher, self.network)
        endpoints = [self.conductor, self.compute_tasks, PingEndpoint()]
        self._server = ConductorServer(self.transport, CONDUCTOR_NAME, endpoints, executor=executor)
        api = Api(self.store, self.servers, self.images, scheduler, conf.service_down_time)
        self._api = ApiServer(places.socket, api)
        self._places = places

    def make_transport(self, conf: cfg.ConfigOpts) -> Any:
        """One more transport on the bus in memory."""
        if self.bus is None:
            raise LookupError("this cloud is on a real message bus")
        return self.bus.rpc_transport(conf)

    def overrides(self, conf: cfg.ConfigOpts | None = None) -> dict[str, Any]:
        """What an agent uses of this cloud instead of neutron, glance and a placement to log in to; `conf`
        are its options when they are others than the cloud's."""
        made: dict[str, Any] = {
            "network": self.network,
            "images": self.images,
            "volumes": self.volumes,
            "shares": self.shares,
            "accelerators": self.accelerators,
            "placement": self.placement,
        }
        if self.bus is not None:
            told = conf or self._conf
            made["notifier"] = Notifier(told, self.bus.notification_transport(told))
        return made

    def start_conductor(self) -> None:
        """Begin to answer the agent, which waits for that before it starts."""
        self._server.start()

    def start_api(self) -> None:
        """Begin to answer users, once the agent is there to do what they want."""
        self._api.start()
        LOG.info("computedctl may talk to %s", self._places.socket)

    def stop(self) -> None:
        """Answer nobody any more and let go of the files; what they hold stays."""
        self._api.stop()
        self._server.stop()
        self.store.close()
        os.close(self._lock)


def _lock(places: Places) -> int:
    """Hold the cloud's directory; the operating system lets go of it with the process, however that ends."""
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise errors.StartRefused(f"another agent runs the cloud in {places.state_dir}") from error
    return descriptor
