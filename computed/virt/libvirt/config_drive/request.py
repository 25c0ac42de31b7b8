"""What a config drive is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from computed.virt.libvirt.config_drive.versions import EC2_SKIPPED

_MAPPING_OF_NOBODY: Final = {"ami": "sda1", "ephemeral0": "sda2", "root": "/dev/sda1", "swap": "sda3"}


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """Of section [api]: `skip_versions` are EC2 versions that are left out, `dhcp_domain` follows the host
    name, `static_vendor_data` is the contents of vendordata_jsonfile_path."""

    skip_versions: frozenset[str] = EC2_SKIPPED
    dhcp_domain: str | None = "novalocal"
    static_vendor_data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetadataRequest:
    """The facts about one guest.

    `files` are injected files (path in the guest, contents); `dynamic_vendor_data` is what each target of
    [api]vendordata_dynamic_targets answered, by its name; `network_config` is an interfaces file for guests
    without DHCP; `random_seed` is 512 random bytes. Passwords and files show in no repr.
    """

    instance: Any  # objects.Instance with ec2_ids, keypairs, device_metadata, numa_topology, flavor
    network_info: Any  # objects.network_model.NetworkInfo
    random_seed: bytes = field(repr=False)
    security_groups: tuple[str, ...] = ()
    block_mapping: Mapping[str, str] = field(default_factory=lambda: dict(_MAPPING_OF_NOBODY))
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    admin_password: str | None = field(default=None, repr=False)
    dynamic_vendor_data: Mapping[str, Any] = field(default_factory=dict)
    network_config: bytes | None = None


def block_mapping(instance: Any, bdms: Iterable[Any]) -> dict[str, str]:
    """The devices under their EC2 names (`ami`, `root`, `swap`, `ephemeral0`, `ebs0`)."""
    root = instance.root_device_name
    if root is None:
        return dict(_MAPPING_OF_NOBODY)
    mapping = {"ami": root.removeprefix("/dev/"), "root": root}
    if instance.default_ephemeral_device:
        mapping["ephemeral0"] = instance.default_ephemeral_device
    if instance.default_swap_device:
        mapping["swap"] = instance.default_swap_device
    all_bdms = list(bdms)
    volumes = [bdm.device_name for bdm in all_bdms if bdm.destination_type == "volume"]
    blanks = [b for b in all_bdms if b.destination_type != "volume" and b.source_type == "blank"]
    for number, name in enumerate(sorted(volumes, key=lambda name: (name is not None, name or ""))):
        mapping[f"ebs{number}"] = name
    swaps = [bdm.device_name for bdm in blanks if bdm.guest_format == "swap"]
    if swaps:
        mapping["swap"] = swaps[-1]
    ephemerals = [bdm.device_name for bdm in blanks if bdm.guest_format != "swap"]
    mapping.update({f"ephemeral{number}": name for number, name in enumerate(ephemerals)})
    return mapping
