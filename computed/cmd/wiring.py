"""Puts the rooms of the house together: the only place that knows every one of them."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import oslo_messaging

from computed import errors, objects
from computed.clients.cinder import CinderVolumes
from computed.clients.compute import ComputeClient
from computed.clients.compute_task import ComputeTaskClient
from computed.clients.conductor import ConductorIndirection
from computed.clients.cyborg import CyborgAccelerators
from computed.clients.glance import GlanceImages
from computed.clients.keystone import forget_sessions
from computed.clients.manila import ManilaShares
from computed.clients.neutron import NeutronNetwork
from computed.clients.placement import client_from as placement_client_from
from computed.clients.scheduler import SchedulerClient
from computed.clients.vendor_data import DynamicVendorData
from computed.lib import root_helper
from computed.manager import ComputeManager
from computed.notifications.notifier import Notifier
from computed.objects.base import ComputedObject
from computed.operations import recover
from computed.periodic.runner import PeriodicRunner
from computed.periodic.table import TASKS
from computed.resources.tracker import ResourceTracker
from computed.rpc.endpoints import BaseEndpoint
from computed.rpc.inflight import InFlight
from computed.rpc.legacy import LegacyEndpoint
from computed.rpc.server import RpcServers
from computed.service import Parts
from computed.steps.host import ComputeHost
from computed.steps.hypervisor_watch import HypervisorWatch
from computed.virt.collaborators import Collaborators
from computed.virt.loader import load_driver, plugs_interfaces

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.clients.images import ImageService
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def make_transport(conf: cfg.ConfigOpts) -> Any:
    """The message bus of the control plane. Raises ConfigError when transport_url cannot be used."""
    oslo_messaging.set_transport_defaults(control_exchange="nova")
    try:
        return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=[errors.WIRE_MODULE])
    except oslo_messaging.InvalidTransportURL as error:
        raise errors.ConfigError(f"transport_url cannot be used: {error}") from error
    except oslo_messaging.DriverLoadFailure as error:
        raise errors.ConfigError(f"transport_url names a bus that cannot be used: {error.driver}") from error


def make_notifier(conf: cfg.ConfigOpts) -> Notifier:
    """Who tells of instances. Raises ConfigError when the notifications' transport_url cannot be used."""
    try:
        return Notifier(conf)
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure) as error:
        raise errors.ConfigError(
            f"[oslo_messaging_notifications]transport_url cannot be used: {type(error).__name__}"
        ) from error


def connect_objects(conf: cfg.ConfigOpts, transport: Any, serializer: Any) -> None:
    """From now on remotable methods of objects run in a conductor."""
    ComputedObject.indirection_api = ConductorIndirection(
        transport, serializer, conf.upgrade_levels.conductor
    )


def prepare_root_helper(conf: cfg.ConfigOpts) -> None:
    """Say how privileged helpers become root; nothing is imported or started before one is needed."""
    words = ["sudo"]
    if not conf.workarounds.disable_rootwrap:
        words += ["computed-rootwrap", *shlex.split(conf.rootwrap_config)]
    root_helper.use(words)


def prepare_interfaces(conf: cfg.ConfigOpts) -> None:
    """Let os-vif find its plugins, unless the driver never plugs: that costs 150 ms and 9 MiB."""
    if plugs_interfaces(conf):
        import os_vif

        os_vif.initialize()


def build_host(conf: cfg.ConfigOpts, transport: Any, serializer: Any, **overrides: Any) -> ComputeHost:
    """Everything that operations may use, made from the options.

    `overrides` replaces parts by name (driver, network, images, placement, notifier...): the one-host
    cloud brings its own.
    """
    images = overrides["images"] if "images" in overrides else GlanceImages(conf)
    watch = HypervisorWatch()
    made: dict[str, Callable[[], Any]] = {
        "driver": lambda: load_driver(conf, _collaborators(conf, images, watch)),
        "network": lambda: NeutronNetwork(conf),
        "images": lambda: images,
        "volumes": lambda: CinderVolumes(conf),
        "shares": lambda: ManilaShares(conf),
        "accelerators": lambda: CyborgAccelerators(conf),
        "notifier": lambda: make_notifier(conf),
        "placement": lambda: placement_client_from(conf),
        "computes": lambda: ComputeClient.from_conf(conf, transport, serializer),
        "compute_tasks": lambda: ComputeTaskClient(transport, serializer),
        "scheduler": lambda: SchedulerClient(
            transport,
            serializer,
            conf.host,
            is_enabled=conf.filter_scheduler.track_instance_changes,
            pin=conf.upgrade_levels.scheduler,
        ),
    }
    parts = {name: overrides[name] if name in overrides else make() for name, make in made.items()}
    tracker = ResourceTracker(conf.host, parts["driver"], parts["placement"], conf)
    tracker.on_metrics = lambda *told: parts["notifier"].metrics(*told)
    return ComputeHost(name=conf.host, conf=conf, tracker=tracker, hypervisor_watch=watch, **parts)


def _collaborators(conf: cfg.ConfigOpts, images: ImageService, watch: HypervisorWatch) -> Collaborators:
    """What the driver may ask of the other rooms."""
    return Collaborators(
        reachable=watch.tell,
        show_image=lambda context, image_id: images.show(context, image_id),
        download_image=lambda context, image_id, start: images.download(context, image_id, offset=start),
        interface_tags=_interface_tags,
        vendor_data=DynamicVendorData(conf).of,
    )


def _interface_tags(context: Any, spec: GuestSpec) -> dict[str, str]:
    """The tags of a guest's ports by MAC address; asks the conductor for a guest that has any port."""
    if not spec.network_info:
        return {}
    ports = objects.VirtualInterfaceList.get_by_instance_uuid(context, spec.instance.uuid)
    return {port.address: port.tag for port in ports if port.tag}


def build_parts(host: ComputeHost, transport: Any, serializer: Any, executor: str) -> Parts:
    """The service around `host`; `executor` is "threading" or "eventlet", as the process runs."""
    inflight = InFlight()
    manager = ComputeManager(host, inflight)
    host.own_calls.connect(manager.call)
    endpoints = [manager, BaseEndpoint(), LegacyEndpoint(manager)]
    servers = RpcServers(transport, host.name, endpoints, serializer, inflight, executor)

    def forget() -> None:
        host.tracker.reset()
        host.computes.forget_version()
        forget_sessions()

    return Parts(host, manager, servers, PeriodicRunner(host, TASKS), recover.init_host, forget)
