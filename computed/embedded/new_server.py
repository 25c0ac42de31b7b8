"""The records of a server that is about to be built: instance, disks, networks, request spec."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from computed import errors, objects
from computed.embedded.scheduler import AVAILABILITY_ZONE
from computed.states import PowerState, TaskState, VmState

_GIB = 1 << 30
_LETTERS = string.ascii_lowercase + string.digits
_REMEMBERED_OF_IMAGE = ("container_format", "disk_format", "min_disk", "min_ram")


@dataclass(frozen=True)
class NewServer:
    """What a user asks for. `networks` are ids, or auto, or none; an address may be wished for the first."""

    name: str
    flavor: objects.Flavor
    image: Mapping[str, Any]
    networks: Sequence[str] = ("auto",)
    address: str | None = None
    user_data: str | None = field(default=None, repr=False)
    """Base64 text."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    config_drive: bool = False
    volumes: Sequence[Mapping[str, Any]] = ()
    """Fields of mappings of volumes; one with boot_index 0 is the root disk in place of a local one."""

    @property
    def boots_from_volume(self) -> bool:
        """Whether the root disk is a volume."""
        return any(volume.get("boot_index") == 0 for volume in self.volumes)

    host: str | None = None
    """The one host to build it on; None leaves the choice to the scheduler."""

    def check(self) -> None:
        """Raise FlavorMemoryTooSmall or FlavorDiskTooSmall when the image does not fit the flavor."""
        if self.flavor.memory_mb < (self.image["min_ram"] or 0):
            raise errors.FlavorMemoryTooSmall()
        room = self.flavor.root_gb * _GIB
        least = (self.image["min_disk"] or 0) * _GIB
        if room and room < least:
            raise errors.FlavorDiskSmallerThanMinDisk(image_min_disk=least, flavor_size=room)
        if room and room < (self.image["size"] or 0):
            raise errors.FlavorDiskSmallerThanImage(image_size=self.image["size"], flavor_size=room)


def instance_of(order: NewServer, context: Any) -> objects.Instance:
    """The record of a server that waits to be scheduled, with every part a build needs."""
    flavor, instance_uuid = order.flavor, str(uuid.uuid4())
    return objects.Instance(
        uuid=instance_uuid,
        user_id=context.user_id,
        project_id=context.project_id,
        display_name=order.name,
        display_description=order.name,
        hostname=hostname_of(order.name),
        image_ref="" if order.boots_from_volume else order.image["id"],
        kernel_id="",
        ramdisk_id="",
        flavor=flavor,
        old_flavor=None,
        new_flavor=None,
        instance_type_id=flavor.id,
        memory_mb=flavor.memory_mb,
        vcpus=flavor.vcpus,
        root_gb=flavor.root_gb,
        ephemeral_gb=flavor.ephemeral_gb,
        vm_state=VmState.BUILDING,
        task_state=TaskState.SCHEDULING,
        power_state=PowerState.NOSTATE,
        launch_index=0,
        reservation_id="r-" + "".join(secrets.choice(_LETTERS) for _ in range(8)),
        availability_zone=AVAILABILITY_ZONE,
        config_drive="True" if order.config_drive else "",
        user_data=order.user_data,
        progress=0,
        metadata=dict(order.metadata),
        system_metadata=system_metadata_of(order.image),
        pci_requests=objects.InstancePCIRequests(instance_uuid=instance_uuid, requests=[]),
        keypairs=objects.KeyPairList(objects=[]),
        numa_topology=None,
        **dict.fromkeys(("root_device_name", "key_name", "key_data", "os_type", "architecture", "vm_mode")),
    )


def hostname_of(name: str) -> str:
    """A name that DNS allows, made of a server's display name."""
    cleaned = re.sub(r"[^a-z0-9.-]", "", re.sub(r"[ _]", "-", name.lower())).strip("-.")
    return cleaned[:63].rstrip("-.") or "server"


def system_metadata_of(image: Mapping[str, Any]) -> dict[str, str]:
    """What an instance remembers of its image (keys as nova-api writes them)."""
    remembered = {f"image_{name}": str(value) for name, value in image["properties"].items()}
    remembered |= {f"image_{name}": str(image[name]) for name in _REMEMBERED_OF_IMAGE}
    return {**remembered, "image_base_image_ref": image["id"]}


def disks_of(
    instance: objects.Instance, volumes: Sequence[Mapping[str, Any]] = ()
) -> list[objects.BlockDeviceMapping]:
    """The disks of a server: root, ephemeral, swap (GiB, but swap in MiB), then its volumes."""
    flavor = instance.flavor
    root = _disk(
        instance,
        source_type="image",
        image_id=instance.image_ref,
        boot_index=0,
        device_type="disk",
        volume_size=None,
    )
    boots_from_volume = any(volume.get("boot_index") == 0 for volume in volumes)
    disks = [] if boots_from_volume else [root]
    if flavor.ephemeral_gb:
        disks.append(_disk(instance, source_type="blank", boot_index=-1, volume_size=flavor.ephemeral_gb))
    if flavor.swap:
        disks.append(
            _disk(instance, source_type="blank", boot_index=-1, volume_size=flavor.swap, guest_format="swap")
        )
    return disks + [
        _disk(instance, **{"destination_type": "volume", "delete_on_termination": False, **volume})
        for volume in volumes
    ]


def _disk(instance: objects.Instance, **fields: Any) -> objects.BlockDeviceMapping:
    return objects.BlockDeviceMapping(
        uuid=str(uuid.uuid4()),
        instance_uuid=instance.uuid,
        **{"destination_type": "local", "delete_on_termination": True, "no_device": False, **fields},
    )


def networks_of(order: NewServer) -> objects.NetworkRequestList:
    """The interfaces to ask the network for."""
    requests = [
        objects.NetworkRequest(network_id=network, address=None, port_id=None, tag=None)
        for network in order.networks
    ]
    if order.address and requests:
        requests[0].address = order.address
    return objects.NetworkRequestList(objects=requests)


def request_spec_of(instance: objects.Instance, order: NewServer) -> objects.RequestSpec:
    """What the scheduler is asked for, as nova-api would ask it."""
    return objects.RequestSpec(
        instance_uuid=instance.uuid,
        project_id=instance.project_id,
        user_id=instance.user_id,
        num_instances=1,
        is_bfv=order.boots_from_volume,
        flavor=order.flavor,
        image=objects.ImageMeta.from_dict(order.image),
        numa_topology=None,
        pci_requests=instance.pci_requests,
        availability_zone=AVAILABILITY_ZONE,
        requested_networks=networks_of(order),
        requested_resources=[],
        requested_destination=None,
        request_level_params=objects.RequestLevelParams(),
        network_metadata=objects.NetworkMetadata(physnets=set(), tunneled=False),
        security_groups=objects.SecurityGroupList(objects=[]),
        limits=objects.SchedulerLimits(numa_topology=None, memory_mb=None, disk_gb=None, vcpu=None),
        scheduler_hints={},
        force_hosts=[order.host] if order.host else None,
        **dict.fromkeys(("force_nodes", "ignore_hosts", "instance_group", "retry")),
    )
