"""Options of nova's that are accepted and do nothing here yet, for a warning to who sets them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

# Why → section → patterns of names. Where an option chooses something that is not there at all, such as
# [libvirt]images_type = rbd, its value is refused elsewhere, and the options that go with it are not here.
WITHOUT_EFFECT: Mapping[str, Mapping[str, str]] = {
    "nothing is written into the disks of guests": {
        "DEFAULT": "injected_network_template resize_fs_using_block_device timeout_nbd",
        "libvirt": "inject_*",
    },
    "the guests of libvirt have no volumes yet": {
        "libvirt": "ceph_* iscsi_iface iser_* nfs_* num_*_tries quobyte_* rbd_* smbfs_* "
        "volume_enforce_multipath vzstorage_*"
    },
    "the guests of libvirt do not migrate live yet": {
        "libvirt": "live_migration_*",
        "workarounds": "enable_qemu_monitor_* qemu_monitor_* skip_cpu_compare_on_dest "
        "skip_hypervisor_version_check_on_lm",
    },
    "no devices are passed through to guests yet": {
        "devices": "enabled_mdev_types",
        "pci": "device_spec report_in_placement",
    },
    "every image is inspected": {"workarounds": "disable_deep_image_inspection"},
    "it is not built yet": {
        "glance": "enable_rbd_download",
        "libvirt": "num_intel_tdx_guests pmem_namespaces",
    },
}


def reason(section: str, name: str) -> str | None:
    """Why an option has no effect; None for one that has."""
    for why, sections in WITHOUT_EFFECT.items():
        if any(fnmatchcase(name, pattern) for pattern in sections.get(section, "").split()):
            return why
    return None
