"""The config drive of a guest: what it is told, put together from its record, and written."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from computed.virt.libvirt.config_drive.drive import make_drive
from computed.virt.libvirt.config_drive.metadata import tree
from computed.virt.libvirt.config_drive.request import MetadataRequest, block_mapping
from computed.virt.libvirt.storage import disk_info

if TYPE_CHECKING:
    from pathlib import Path

    from computed.virt.libvirt.engine import Engine
    from computed.virt.specs import DiskSpec, GuestSpec

_SEED_BYTES: Final = 512
_PARTS: Final = ("device_metadata", "ec2_ids", "keypairs", "numa_topology", "security_groups")


def make_config_drive(engine: Engine, spec: GuestSpec, target: Path) -> None:
    """Write the drive of a guest and record its format; one question to the conductor at most.

    Raises ConfigDriveMountFailed, ConfigDriveUnknownFormat, DiskInfoReadWriteFail, OSError, and
    InstanceDeployFailure for vendor data that the operator insists on.
    """
    instance = spec.instance
    instance.load(*_PARTS)
    request = MetadataRequest(
        instance=instance,
        network_info=spec.network_info,
        random_seed=os.urandom(_SEED_BYTES),
        security_groups=tuple(group.name for group in instance.security_groups),
        block_mapping=block_mapping(instance, [_as_bdm(disk) for disk in spec.disks]),
        files=spec.injected_files,
        admin_password=spec.admin_password,
        dynamic_vendor_data=engine.collaborators.vendor_data(instance),
    )
    make_drive(tree(request, engine.options.metadata), target, engine.options.drive)
    disk_info.remember(engine.paths(instance).disk_info, target, "raw")


def _as_bdm(disk: DiskSpec) -> Any:
    """The little of a block device mapping that the names of devices need."""
    is_volume = disk.source == "volume"
    is_blank = disk.source in ("blank", "swap")
    return SimpleNamespace(
        device_name=disk.device_name,
        destination_type="volume" if is_volume else "local",
        source_type="blank" if is_blank else "image",
        guest_format="swap" if disk.source == "swap" else disk.guest_format,
    )
