"""Field types that oslo.versionedobjects does not have: named enumerations, addresses, the network model.

Names and values are facts of the contract: the fingerprint of an object covers the names of its field types.
"""

from __future__ import annotations

import json
import re
from typing import Any

from oslo_versionedobjects import fields as ovo_fields
from oslo_versionedobjects.fields import (
    BaseEnumField,
    BooleanField,
    DateTimeField,
    DictOfIntegersField,
    DictOfListOfStringsField,
    DictOfNullableStringsField,
    DictOfSetOfIntegersField,
    DictOfStringsField,
    EnumField,
    FlexibleBooleanField,
    FloatField,
    IntegerField,
    IPAddressField,
    IPV4AddressField,
    IPV6AddressField,
    ListOfDictOfNullableStringsField,
    ListOfIntegersField,
    ListOfListsOfStringsField,
    ListOfObjectsField,
    ListOfSetsOfIntegersField,
    ListOfStringsField,
    ListOfUUIDField,
    MACAddressField,
    ObjectField,
    PCIAddressField,
    SensitiveStringField,
    SetOfIntegersField,
    SetOfStringsField,
    StringField,
    UUIDField,
    VersionPredicateField,
)

from computed.objects import network_model

__all__ = [
    "BaseEnumField",
    "BooleanField",
    "DateTimeField",
    "DictOfIntegersField",
    "DictOfListOfStringsField",
    "DictOfNullableStringsField",
    "DictOfSetOfIntegersField",
    "DictOfStringsField",
    "EnumField",
    "FlexibleBooleanField",
    "FloatField",
    "IPAddressField",
    "IPV4AddressField",
    "IPV6AddressField",
    "IntegerField",
    "ListOfDictOfNullableStringsField",
    "ListOfIntegersField",
    "ListOfListsOfStringsField",
    "ListOfObjectsField",
    "ListOfSetsOfIntegersField",
    "ListOfStringsField",
    "ListOfUUIDField",
    "MACAddressField",
    "ObjectField",
    "PCIAddressField",
    "SensitiveStringField",
    "SetOfIntegersField",
    "SetOfStringsField",
    "StringField",
    "UUIDField",
    "VersionPredicateField",
]


class _NamedEnum(ovo_fields.Enum):
    """An enumeration whose type name is part of the fingerprints that use it."""

    VALUES: tuple[str, ...] = ()
    SYNONYMS: dict[str, str] = {}

    def __init__(self) -> None:
        super().__init__(valid_values=self.VALUES)

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """The value itself, or what an old spelling of it stands for."""
        if isinstance(value, str) and value not in self.VALUES:
            lowered = value.lower()
            value = self.SYNONYMS.get(lowered, lowered if self.SYNONYMS and lowered in self.VALUES else value)
        return super().coerce(obj, attr, value)


class _PowerStateEnum(_NamedEnum):
    """Power states by name; a code counts as its place in the list."""

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """The name of the power state."""
        if isinstance(value, int) and 0 <= value < len(self.VALUES):
            value = self.VALUES[value]
        return super().coerce(obj, attr, value)


def _named(
    kind: str, *values: str, base: type[_NamedEnum] = _NamedEnum, synonyms: dict[str, str] | None = None
) -> type[BaseEnumField]:
    enum = type(kind, (base,), {"VALUES": values, "SYNONYMS": synonyms or {}})
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
    synonyms={"i386": "i686", "i486": "i686", "i586": "i686", "amd64": "x86_64"},
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
OSTypeField = _named("OSType", "linux", "windows")
PCINUMAAffinityPolicyField = _named("PCINUMAAffinityPolicy", "required", "legacy", "preferred", "socket")
PciDeviceStatusField = _named(
    "PciDeviceStatus", "available", "claimed", "allocated", "removed", "deleted", "unavailable", "unclaimable"
)
PciDeviceTypeField = _named("PciDeviceType", "type-PCI", "type-PF", "type-VF", "vdpa")
PointerModelField = _named("PointerModelType", "usbtablet")
RNGModelField = _named("RNGModel", "virtio")
SCSIModelField = _named(
    "SCSIModel", "buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi", "vmpvscsi"
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
)
VIOMMUModelField = _named("VIOMMUModel", "intel", "smmuv3", "virtio", "auto")
VMModeField = _named(
    "VMMode", "hvm", "xen", "uml", "exe", synonyms={"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
)
VideoModelField = _named(
    "VideoModel", "cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs"
)
WatchdogActionField = _named("WatchdogAction", "none", "pause", "poweroff", "reset", "disabled")


class _Pattern(ovo_fields.FieldType[str]):
    """Text that must match a pattern as a whole."""

    PATTERN = ""

    def coerce(self, obj: Any, attr: str, value: Any) -> str:
        """The text itself; raises ValueError when it does not match."""
        if isinstance(value, str) and re.fullmatch(self.PATTERN, value):
            return value
        raise ValueError(f"{attr}: {value!r} does not match {self.PATTERN}")


def _pattern(kind: str, pattern: str) -> type[ovo_fields.AutoTypedField[str]]:
    return type(
        f"{kind}Field",
        (ovo_fields.AutoTypedField,),
        {"AUTO_TYPE": type(kind, (_Pattern,), {"PATTERN": pattern})()},
    )


IDEAddressField = _pattern("IDEAddress", r"[0-1]:[0-1]")
ResourceClassField = _pattern("ResourceClass", r"[A-Z0-9_]+")
SCSIAddressField = _pattern("SCSIAddress", r"[a-f0-9]+:[a-f0-9]+:[a-f0-9]+:[a-f0-9]+")
USBAddressField = _pattern("USBAddress", r"[a-f0-9]+:[a-f0-9]+")
XenAddressField = _pattern("XenAddress", r"(00[0-9]{2}00)|[1-9][0-9]+")


class NetworkModel(ovo_fields.FieldType[network_model.NetworkInfo]):
    """The network information of an instance; JSON text on the wire."""

    @staticmethod
    def coerce(obj: Any, attr: str, value: Any) -> network_model.NetworkInfo:
        """Text, a list of dictionaries or the model itself become the model."""
        if isinstance(value, network_model.NetworkInfo):
            return value
        if isinstance(value, str):
            return network_model.NetworkInfo.from_json(value)
        if isinstance(value, list):
            return network_model.NetworkInfo.hydrate(value)
        raise ValueError(f"{attr} must be network information, not {type(value).__name__}")

    @staticmethod
    def to_primitive(obj: Any, attr: str, value: network_model.NetworkInfo) -> str:
        """JSON text."""
        return value.json()

    @staticmethod
    def from_primitive(obj: Any, attr: str, value: str) -> network_model.NetworkInfo:
        """The model again."""
        return network_model.NetworkInfo.from_json(value)

    def stringify(self, value: network_model.NetworkInfo) -> str:
        """Port ids only: the rest is long."""
        return f"NetworkModel({', '.join(str(vif.get('id')) for vif in value)})"


class NetworkVIFModel(ovo_fields.FieldType[network_model.VIF]):
    """One interface of the network model; JSON text on the wire."""

    @staticmethod
    def coerce(obj: Any, attr: str, value: Any) -> network_model.VIF:
        """Text, a dictionary or the model itself become the model."""
        if isinstance(value, network_model.VIF):
            return value
        if isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, dict):
            return network_model.VIF.hydrate(value)
        raise ValueError(f"{attr} must be a network interface, not {type(value).__name__}")

    @staticmethod
    def to_primitive(obj: Any, attr: str, value: network_model.VIF) -> str:
        """JSON text."""
        return json.dumps(value)

    @staticmethod
    def from_primitive(obj: Any, attr: str, value: str) -> network_model.VIF:
        """The model again."""
        return network_model.VIF.hydrate(json.loads(value))


class NetworkModelField(ovo_fields.AutoTypedField[network_model.NetworkInfo]):
    """A field of network information."""

    AUTO_TYPE = NetworkModel()


class NetworkVIFModelField(ovo_fields.AutoTypedField[network_model.VIF]):
    """A field of one network interface."""

    AUTO_TYPE = NetworkVIFModel()
