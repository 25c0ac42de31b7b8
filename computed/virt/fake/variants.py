"""The stock names of the fake driver and what differs between them (contract: virt_driver.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from computed.virt import capabilities

_CAN = frozenset(
    {
        "has_imagecache",
        "supports_accelerators",
        "supports_address_space_emulated",
        "supports_address_space_passthrough",
        "supports_attach_interface",
        "supports_device_tagging",
        "supports_evacuate",
        "supports_extend_volume",
        "supports_image_type_raw",
        "supports_mem_backing_file",
        "supports_multiattach",
        "supports_remote_managed_ports",
        "supports_stateless_firmware",
        "supports_tagged_attach_interface",
        "supports_tagged_attach_volume",
        "supports_trusted_certs",
        "supports_virtio_fs",
    }
)


@dataclass(frozen=True)
class Variant:
    """What a name stands for: the size of each node, extra capabilities, failure rules as in `[fake]fail`,
    resources of a child provider, whether the node's uuid follows from its name, how long a live
    migration takes that nobody aborts or forces, and what only some do."""

    vcpus: int = 1000
    memory_mib: int = 800_000
    disk_gib: int = 600_000
    also: tuple[str, ...] = ()
    fail: tuple[str, ...] = ()
    child_resources: Mapping[str, int] = field(default_factory=dict)
    uuid_from_name: bool = False
    live_migration_seconds: float = 0.0
    takes_power_updates: bool = False
    caches_images: bool = False

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """Every capability flag with its value."""
        return {flag: flag in _CAN or flag in self.also for flag in capabilities.NONE}


_SMALL = Variant(vcpus=2, memory_mib=8192, disk_gib=1028)
_MEDIUM = replace(_SMALL, vcpus=10)
_NESTED = replace(_MEDIUM, child_resources={"CUSTOM_MAGIC": 10})
_ENCRYPTION = "supports_ephemeral_encryption"
_RESCHEDULE = ("spawn:*:ComputeResourcesUnavailable:1",)
_ABORT = ("spawn:*:BuildAbortException",)

VARIANTS: Mapping[str, Variant] = {
    "FakeDriver": Variant(),
    "FakeDriverWithoutFakeNodes": Variant(),
    "FakeDriverWithCaching": Variant(caches_images=True),
    "SmallFakeDriver": _SMALL,
    "MediumFakeDriver": _MEDIUM,
    "MediumFakeDriverWithNestedCustomResources": _NESTED,
    "PredictableNodeUUIDDriver": replace(_SMALL, uuid_from_name=True),
    "PowerUpdateFakeDriver": replace(_SMALL, takes_power_updates=True),
    "SameHostColdMigrateDriver": replace(_MEDIUM, also=("supports_migrate_to_same_host",)),
    "RescueBFVDriver": replace(_MEDIUM, also=("supports_bfv_rescue",)),
    "EphEncryptionDriver": replace(_MEDIUM, also=(_ENCRYPTION,)),
    "EphEncryptionDriverLUKS": replace(_MEDIUM, also=(_ENCRYPTION, f"{_ENCRYPTION}_luks")),
    "EphEncryptionDriverPLAIN": replace(_MEDIUM, also=(_ENCRYPTION, f"{_ENCRYPTION}_plain")),
    "FakeFinishMigrationFailDriver": Variant(fail=("finish_migration:*:VirtualInterfaceCreateException",)),
    "FakeRescheduleDriver": Variant(fail=_RESCHEDULE),
    "FakeRescheduleDriverWithNestedCustomResources": replace(_NESTED, fail=_RESCHEDULE),
    "FakeLiveMigrateDriver": Variant(live_migration_seconds=5.0),
    "FakeLiveMigrateDriverWithNestedCustomResources": replace(_NESTED, live_migration_seconds=5.0),
    "FakeBuildAbortDriver": Variant(fail=_ABORT),
    "FakeBuildAbortDriverWithNestedCustomResources": replace(_NESTED, fail=_ABORT),
}
"""By the part of `compute_driver` behind "fake."; the stock names about migrations come with those verbs."""
