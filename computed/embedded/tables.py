"""The tables of the embedded store: a row per object, columns for what queries name, the rest JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 2
"""Raised when a table is added or changes its columns."""

METADATA = sa.MetaData()


@dataclass(frozen=True)
class Kind:
    """How objects of one name are kept.

    `keys` are the fields that queries may name; each is a column beside the JSON. A composite in `unique`
    holds for every row, deleted ones too. `defaults` are the values of fields that a creator left out and
    that may not be null on the wire; `unset` are fields that stay unset instead (they are loaded or made
    separately).
    """

    name: str
    keys: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    integers: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unset: frozenset[str] = frozenset()

    def make_table(self) -> sa.Table:
        """The SQLAlchemy table of this kind (once per kind)."""
        columns: list[sa.Column[Any]] = [
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("deleted", sa.Boolean, nullable=False),
            sa.Column("data", sa.JSON, nullable=False),
        ]
        for key in self.keys:
            columns.append(sa.Column(key, sa.Integer if key in self.integers else sa.String, index=True))
        unique = [sa.UniqueConstraint(*names) for names in self.unique]
        # AUTOINCREMENT: the id of a purged row is never given to another object.
        return sa.Table(self.name, METADATA, *columns, *unique, sqlite_autoincrement=True)


_INSTANCE_DEFAULTS: dict[str, Any] = {
    "auto_disk_config": False,
    "cleaned": False,
    "disable_terminate": False,
    "hidden": False,
    "locked": False,
    "shutdown_terminate": False,
    "metadata": {},
    "system_metadata": {},
}
_SERVICE_DEFAULTS: dict[str, Any] = {
    "report_count": 0,
    "disabled": False,
    "forced_down": False,
    "version": 0,
}
_COMPUTE_NODE_DEFAULTS: dict[str, Any] = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "mapped": 0,
    "supported_hv_specs": [],
}
_VOLUME_USAGE_DEFAULTS: dict[str, Any] = dict.fromkeys(
    [
        f"{span}_{what}"
        for span in ("curr", "tot")
        for what in ("reads", "read_bytes", "writes", "write_bytes")
    ],
    0,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "Instance",
            ("uuid", "host", "node", "vm_state", "task_state", "project_id", "user_id", "display_name"),
            unique=(("uuid",),),
            defaults=_INSTANCE_DEFAULTS,
        ),
        Kind("InstanceInfoCache", ("instance_uuid",), unique=(("instance_uuid",),)),
        Kind(
            "BlockDeviceMapping",
            ("uuid", "instance_uuid", "volume_id"),
            unique=(("uuid",),),
            defaults={"delete_on_termination": False, "encrypted": False, "no_device": False},
            unset=frozenset({"instance"}),
        ),
        Kind(
            "VirtualInterface",
            ("uuid", "instance_uuid", "address"),
            unset=frozenset({"network_id", "tag"}),
        ),
        Kind(
            "ComputeNode",
            ("uuid", "host", "hypervisor_hostname"),
            unique=(("uuid",),),
            defaults=_COMPUTE_NODE_DEFAULTS,
        ),
        Kind(
            "Service",
            ("uuid", "host", "binary", "topic"),
            unique=(("uuid",),),
            defaults=_SERVICE_DEFAULTS,
            unset=frozenset({"compute_node"}),
        ),
        Kind("InstanceAction", ("instance_uuid", "request_id", "action")),
        Kind("InstanceActionEvent", ("action_id", "event"), integers=frozenset({"action_id"})),
        Kind("InstanceFault", ("instance_uuid",), defaults={"code": 500}),
        Kind(
            "Migration",
            ("uuid", "instance_uuid", "status", "source_compute", "dest_compute"),
            unique=(("uuid",),),
            defaults={"cross_cell_move": False, "hidden": False},
        ),
        Kind(
            "ConsoleAuthToken",
            ("token_hash", "instance_uuid", "host"),
            unique=(("token_hash",),),
            unset=frozenset({"token"}),
        ),
        Kind(
            "TaskLog",
            ("task_name", "host", "period_beginning", "period_ending"),
            unique=(("task_name", "host", "period_beginning", "period_ending"),),
            defaults={"errors": 0, "message": "", "task_items": 0},
        ),
        Kind("RequestSpec", ("instance_uuid",), unique=(("instance_uuid",),)),
        Kind(
            "PciDevice",
            ("compute_node_id", "address", "instance_uuid"),
            integers=frozenset({"compute_node_id"}),
            defaults={"extra_info": {}},
        ),
        Kind("InstanceGroup", ("uuid", "name"), unique=(("uuid",),), defaults={"_rules": {}}),
        Kind("KeyPair", ("user_id", "name"), defaults={"type": "ssh"}),
        Kind("Tag", ("resource_id", "tag"), unique=(("resource_id", "tag"),)),
        Kind("VolumeUsage", ("volume_id", "instance_uuid"), defaults=_VOLUME_USAGE_DEFAULTS),
        Kind("ShareMapping", ("uuid", "instance_uuid", "share_id"), unique=(("uuid",),)),
        # Not a nova object: the addresses that the embedded bridge network has given out.
        Kind("Port", ("uuid", "instance_uuid", "address", "mac"), unique=(("address",), ("mac",))),
        # Nor these: the volumes of embedded.volumes, a block storage service without storage.
        Kind("Volume", ("uuid",), unique=(("uuid",),)),
        Kind("VolumeAttachment", ("uuid", "volume_id", "instance_uuid"), unique=(("uuid",),)),
        Kind("VolumeSnapshot", ("uuid", "volume_id"), unique=(("uuid",),)),
    )
}

TABLES: dict[str, sa.Table] = {name: kind.make_table() for name, kind in KINDS.items()}
