"""What this driver can do on this host, by nova's capability names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from computed.virt import capabilities
from computed.virt.libvirt import host_reading
from computed.virt.libvirt.host_reading import Reading

if TYPE_CHECKING:
    from oslo_config import cfg

# Contract: virt_driver.json, libvirt_capabilities, decided "static"; without supports_trusted_certs, since
# nobody here checks the signatures of images, and without supports_vtpm ([libvirt]swtpm_enabled), since no
# TPM's secret is handed to libvirt here: such servers are for other hosts.
_ALWAYS: Final = frozenset(
    {
        "has_imagecache",
        "supports_accelerators",
        "supports_attach_interface",
        "supports_bfv_rescue",
        "supports_device_tagging",
        "supports_evacuate",
        "supports_extend_volume",
        "supports_image_type_aki",
        "supports_image_type_ami",
        "supports_image_type_ari",
        "supports_image_type_iso",
        "supports_image_type_raw",
        "supports_multiattach",
        "supports_pcpus",
        # providers.py shows its trait only where there also are such devices.
        "supports_remote_managed_ports",
        "supports_socket_pci_numa_affinity",
        "supports_tagged_attach_interface",
        "supports_tagged_attach_volume",
    }
)
_RAW_ONLY: Final = frozenset({"lvm", "rbd"})
_MAXPHYSADDR: Final = 8_007_000
_STATELESS_FIRMWARE: Final = 8_006_000
_VIRTIO_FS: Final = (8_000_000, 6_002_000)


def of(conf: cfg.ConfigOpts, reading: Reading | None) -> dict[str, bool]:
    """Every capability; those that the host decides are off until it has been read."""
    libvirt = conf.libvirt
    flags = {**capabilities.NONE, **dict.fromkeys(_ALWAYS, True)}
    flags["supports_image_type_qcow2"] = libvirt.images_type not in _RAW_ONLY or conf.force_raw_images
    flags["supports_image_type_ploop"] = libvirt.virt_type == "parallels"
    if reading is not None:
        flags.update(_of_host(conf, reading))
    return flags


def _of_host(conf: cfg.ConfigOpts, reading: Reading) -> dict[str, bool]:
    has_maxphysaddr = reading.driver_type == "QEMU" and reading.libvirt_version >= _MAXPHYSADDR
    return {
        "supports_secure_boot": host_reading.supports_secure_boot(reading.domains, reading.arch),
        "supports_virtio_fs": reading.libvirt_version >= _VIRTIO_FS[0]
        and reading.hypervisor_version >= _VIRTIO_FS[1],
        "supports_mem_backing_file": conf.libvirt.file_backed_memory > 0,
        "supports_address_space_passthrough": has_maxphysaddr,
        "supports_address_space_emulated": has_maxphysaddr,
        "supports_stateless_firmware": reading.libvirt_version >= _STATELESS_FIRMWARE,
    }
