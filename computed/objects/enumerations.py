"""Named enumerations of the wire: the values that fields of objects may have.

Names, values and their order are facts of the contract: the fingerprint of an object covers them.
"""

from __future__ import annotations

from typing import Any

from oslo_versionedobjects import fields as ovo_fields
from oslo_versionedobjects.fields import BaseEnumField


class _NamedEnum(ovo_fields.Enum):
    """An enumeration whose type name is part of the fingerprints that use it."""

    VALUES: tuple[str, ...] = ()
    SYNONYMS: dict[str, str] | None = None
    """What older records and images say instead of a value; not None: case does not matter either."""

    def __init__(self) -> None:
        super().__init__(valid_values=self.VALUES)

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """The value itself, or what an old spelling of it stands for."""
        if self.SYNONYMS is not None and isinstance(value, str):
            lowered = value.lower()
            value = self.SYNONYMS.get(lowered, lowered)
        return super().coerce(obj, attr, value)


class _PowerStateEnum(_NamedEnum):
    """Power states by name; a code, also as text, counts as its place in the list."""

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """The name of the power state."""
        if str(value).isdecimal() and int(value) < len(self.VALUES):
            value = self.VALUES[int(value)]
        return super().coerce(obj, attr, value)


def _named(
    kind: str, *values: str, base: type[_NamedEnum] = _NamedEnum, synonyms: dict[str, str] | None = None
) -> type[BaseEnumField]:
    enum = type(kind, (base,), {"VALUES": values, "SYNONYMS": synonyms})
    return type(f"{kind}Field", (BaseEnumField,), {"AUTO_TYPE": enum()})


ArchitectureField = _named(
    "Architecture",
    "alpha",
    "armv6",
    "armv7l",
    "armv7b",
    "aarch64",
    "cris",
    "i686",
    "ia64",
    "lm32",
    "m68k",
    "microblaze",
    "microblazeel",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
    "openrisc",
    "parisc",
    "parisc64",
    "ppc",
    "ppcle",
    "ppc64",
    "ppc64le",
    "ppcemb",
    "s390",
    "s390x",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "unicore32",
    "x86_64",
    "xtensa",
    "xtensaeb",
    synonyms={
        **dict.fromkeys(("i386", "i486", "i586", "x86_32", "x86_32p"), "i686"),
        "amd64": "x86_64",
    },
)
BlockDeviceDestinationTypeField = _named("BlockDeviceDestinationType", "local", "volume")
BlockDeviceEncryptionFormatTypeField = _named("BlockDeviceEncryptionFormatType", "plain", "luks", "luksv2")
BlockDeviceSourceTypeField = _named("BlockDeviceSourceType", "blank", "image", "snapshot", "volume")
BlockDeviceTypeField = _named("BlockDeviceType", "cdrom", "disk", "floppy", "fs", "lun")
CPUAllocationPolicyField = _named("CPUAllocationPolicy", "dedicated", "shared", "mixed")
CPUEmulatorThreadsPolicyField = _named("CPUEmulatorThreadsPolicy", "share", "isolate")
CPUFeaturePolicyField = _named("CPUFeaturePolicy", "force", "require", "optional", "disable", "forbid")
CPUMatchField = _named("CPUMatch", "minimum", "exact", "strict")
CPUModeField = _named("CPUMode", "custom", "host-model", "host-passthrough")
CPUThreadAllocationPolicyField = _named("CPUThreadAllocationPolicy", "prefer", "isolate", "require")
ConfigDrivePolicyField = _named("ConfigDrivePolicy", "optional", "mandatory")
DiskBusField = _named("DiskBus", "fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml")
FirmwareTypeField = _named("FirmwareType", "uefi", "bios")
HVTypeField = _named(
    "HVType",
    "baremetal",
    "bhyve",
    "docker",
    "fake",
    "hyperv",
    "ironic",
    "kqemu",
    "kvm",
    "lxc",
    "lxd",
    "openvz",
    "parallels",
    "phyp",
    "qemu",
    "test",
    "uml",
    "vbox",
    "vz",
    "vmware",
    "xen",
    "zvm",
    "prsm",
    synonyms={"xapi": "xen"},
)
HypervisorDriverField = _named("HypervisorDriver", "libvirt", "xenapi", "vmwareapi", "ironic", "hyperv")
ImageSignatureHashTypeField = _named("ImageSignatureHashType", "SHA-224", "SHA-256", "SHA-384", "SHA-512")
ImageSignatureKeyTypeField = _named(
    "ImageSignatureKeyType",
    "DSA",
    "ECC_SECP384R1",
    "ECC_SECP521R1",
    "ECC_SECT409K1",
    "ECC_SECT409R1",
    "ECC_SECT571K1",
    "ECC_SECT571R1",
    "RSA-PSS",
)
InputBusField = _named("InputBus", "usb", "virtio")
InstancePowerStateField = _named(
    "InstancePowerState",
    "pending",
    "running",
    "_unused",
    "paused",
    "shutdown",
    "_unused",
    "crashed",
    "suspended",
    base=_PowerStateEnum,
)
MaxPhysAddrModeField = _named("MaxPhyAddrMode", "passthrough", "emulate")
MemEncryptionModelField = _named("MemEncryptionModel", "amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx")
MigrationTypeField = _named("MigrationType", "migration", "resize", "live-migration", "evacuation")
MonitorMetricTypeField = _named(
    "MonitorMetricType",
    "cpu.frequency",
    "cpu.user.time",
    "cpu.kernel.time",
    "cpu.idle.time",
    "cpu.iowait.time",
    "cpu.user.percent",
    "cpu.kernel.percent",
    "cpu.idle.percent",
    "cpu.iowait.percent",
    "cpu.percent",
    "numa.membw.max",
    "numa.membw.current",
)
OSTypeField = _named("OSType", "linux", "windows", synonyms={})
PCINUMAAffinityPolicyField = _named("PCINUMAAffinityPolicy", "required", "legacy", "preferred", "socket")
PciDeviceStatusField = _named(
    "PciDeviceStatus", "available", "claimed", "allocated", "removed", "deleted", "unavailable", "unclaimable"
)
PciDeviceTypeField = _named("PciDeviceType", "type-PCI", "type-PF", "type-VF", "vdpa")
PointerModelField = _named("PointerModelType", "usbtablet")
RNGModelField = _named("RNGModel", "virtio")
SCSIModelField = _named(
    "SCSIModel",
    "buslogic",
    "ibmvscsi",
    "lsilogic",
    "lsisas1068",
    "lsisas1078",
    "virtio-scsi",
    "vmpvscsi",
    synonyms={"lsilogicsas": "lsisas1068", "paravirtual": "vmpvscsi"},
)
SecureBootField = _named("SecureBoot", "required", "disabled", "optional")
ShareMappingProtoField = _named("ShareMappingProto", "NFS", "CEPHFS")
ShareMappingStatusField = _named(
    "ShareMappingStatus", "attaching", "detaching", "active", "inactive", "error"
)
SoundModelField = _named("SoundModelType", "sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio")
TPMModelField = _named("TPMModel", "tpm-tis", "tpm-crb")
TPMVersionField = _named("TPMVersion", "1.2", "2.0")
USBControllerModelField = _named("USBControllerModelType", "none", "nec-xhci", "qemu-xhci")
VIFModelField = _named(
    "VIFModel",
    "virtio",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "e1000",
    "e1000e",
    "netfront",
    "spapr-vlan",
    "lan9118",
    "sriov",
    "vmxnet",
    "vmxnet3",
    "igb",
    synonyms={
        "virtuale1000": "e1000",
        "virtuale1000e": "e1000e",
        "virtualpcnet32": "pcnet",
        "virtualsriovethernetcard": "sriov",
        "virtualvmxnet": "vmxnet",
        "virtualvmxnet3": "vmxnet3",
    },
)
VIOMMUModelField = _named("VIOMMUModel", "intel", "smmuv3", "virtio", "auto")
VMModeField = _named(
    "VMMode", "hvm", "xen", "uml", "exe", synonyms={"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
)
VideoModelField = _named(
    "VideoModel", "cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs"
)
WatchdogActionField = _named("WatchdogAction", "none", "pause", "poweroff", "reset", "disabled")
