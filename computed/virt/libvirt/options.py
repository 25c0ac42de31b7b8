"""What the configuration says of local disks, images and config drives, read once into frozen values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from computed import __version__, errors
from computed.virt.libvirt.config_drive.drive import DEVICE_TYPES, DriveOptions
from computed.virt.libvirt.config_drive.request import MetadataOptions
from computed.virt.libvirt.storage.cache import CachePolicy
from computed.virt.libvirt.storage.filesystems import FileSystemOptions
from computed.virt.libvirt.storage.plan import StorageOptions
from computed.virt.libvirt.storage.qemu_img import Limits

if TYPE_CHECKING:
    from oslo_config import cfg

_CACHE_MODES: Final = frozenset({"default", "none", "writethrough", "writeback", "directsync", "unsafe"})
_FORMATS: Final = {"qcow2": "qcow2", "flat": "raw", "raw": "raw"}
_URIS: Final = {"lxc": "lxc:///", "parallels": "parallels:///system"}


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`uri` is where libvirt is; `soft_reboot_seconds` is how long a guest may take to restart by itself."""

    uri: str
    virt_type: str
    instances_path: Path
    cache_subdirectory: str
    storage: StorageOptions
    limits: Limits
    policy: CachePolicy
    file_systems: FileSystemOptions
    is_preallocating: bool
    drive: DriveOptions
    metadata: MetadataOptions
    soft_reboot_seconds: int


def read(conf: cfg.ConfigOpts, *, cache_mode: str) -> EngineOptions:
    """The options as the driver uses them; `cache_mode` is what the instances directory allows.

    Raises ConfigError for what this driver cannot do or a file that cannot be read.
    """
    _refuse_the_unbuilt(conf)
    libvirt = conf.libvirt
    if libvirt.virt_type == "lxc" and (libvirt.uid_maps or libvirt.gid_maps):
        raise errors.ConfigError(
            "[libvirt]uid_maps, gid_maps: libvirt mounts the root disk of a container, which it cannot do in "
            "a user namespace; containers with mapped ids are not built yet"
        )
    drive = DriveOptions(
        publisher=f"computed {__version__}",
        file_system=conf.config_drive_format,
        iso_program=conf.mkisofs_cmd,
    )
    return EngineOptions(
        uri=libvirt.connection_uri or _URIS.get(libvirt.virt_type, "qemu:///system"),
        virt_type=libvirt.virt_type,
        instances_path=Path(conf.instances_path),
        cache_subdirectory=conf.image_cache.subdirectory_name,
        storage=StorageOptions(
            virt_type=libvirt.virt_type,
            local_format="raw" if libvirt.virt_type == "lxc" else _local_format(conf),
            forces_config_drive=conf.force_config_drive,
            config_drive_device=DEVICE_TYPES[drive.file_system],
            cache_modes=tuple(_cache_modes(libvirt.disk_cachemodes)),
            default_cache_mode=cache_mode,
            most_disks=conf.compute.max_disk_devices_to_attach,
            prefix=libvirt.disk_prefix,
        ),
        limits=Limits(libvirt.images_cpu_time_limit, libvirt.images_address_space_limit),
        policy=CachePolicy(
            force_raw=conf.force_raw_images, vmdk_types=tuple(conf.compute.vmdk_allowed_types)
        ),
        file_systems=FileSystemOptions.of(conf.default_ephemeral_format, conf.virt_mkfs),
        is_preallocating=conf.preallocate_images == "space",
        drive=drive,
        metadata=MetadataOptions(
            skip_versions=frozenset(conf.api.config_drive_skip_versions.split()),
            dhcp_domain=conf.api.dhcp_domain or None,
            static_vendor_data=_vendor_data(conf),
        ),
        soft_reboot_seconds=libvirt.wait_soft_reboot_seconds,
    )


def _refuse_the_unbuilt(conf: cfg.ConfigOpts) -> None:
    """What somebody relies on who asks for it, and would not miss at once."""
    if conf.glance.verify_glance_signatures:
        raise errors.ConfigError(
            "[glance]verify_glance_signatures = True: this driver checks no signatures of images yet; set it "
            "to False, or leave images that must be verified to other hosts"
        )
    if conf.libvirt.cpu_power_management:
        raise errors.ConfigError(
            "[libvirt]cpu_power_management = True: this driver does not power CPUs up and down yet; set it "
            "to False, and have the CPUs of [compute]cpu_dedicated_set online"
        )


def _local_format(conf: cfg.ConfigOpts) -> str:
    kind = conf.libvirt.images_type
    if kind == "default":
        kind = "qcow2" if conf.use_cow_images else "flat"
    if kind not in _FORMATS:
        raise errors.ConfigError(f"[libvirt]images_type = {kind}: disks of this kind are not built yet")
    return _FORMATS[kind]


def _cache_modes(pairs: list[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        kind, _, mode = pair.partition("=")
        if mode not in _CACHE_MODES:
            raise errors.ConfigError(f"[libvirt]disk_cachemodes: {pair!r} names no cache mode")
        yield kind, mode


def _vendor_data(conf: cfg.ConfigOpts) -> Mapping[str, Any]:
    path = conf.api.vendordata_jsonfile_path
    if not path or "StaticJSON" not in conf.api.vendordata_providers:
        return {}
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise errors.ConfigError(f"[api]vendordata_jsonfile_path = {path}: {error}") from error
    if not isinstance(said, dict):
        raise errors.ConfigError(f"[api]vendordata_jsonfile_path = {path}: not a JSON object")
    return said
