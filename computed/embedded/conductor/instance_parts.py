"""Instances as objects: which parts a caller asked for, and reading the parts that stand in other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.conductor.primitives import Envelope, envelope, field_names, list_envelope
from computed.embedded.store import Fields, Records

FLAVORS = frozenset({"flavor", "old_flavor", "new_flavor"})
IN_ROW = FLAVORS | {
    "metadata",
    "system_metadata",
    "numa_topology",
    "pci_requests",
    "vcpu_model",
    "migration_context",
    "keypairs",
    "device_metadata",
    "trusted_certs",
    "resources",
}
ELSEWHERE = frozenset(
    {"info_cache", "security_groups", "pci_devices", "tags", "services", "fault", "ec2_ids"}
)
OPTIONAL = IN_ROW | ELSEWHERE
"""Fields that come only when they are asked for; all others always come."""


def instance_envelopes(
    records: Records, rows: Sequence[Mapping[str, Any]], attrs: Iterable[str] | None
) -> list[Envelope]:
    """The rows as Instance objects with the optional fields named in `attrs`, in a few queries for all."""
    return [envelope("Instance", fields) for fields in instance_fields(records, rows, attrs)]


def instance_fields(
    records: Records, rows: Sequence[Mapping[str, Any]], attrs: Iterable[str] | None
) -> list[Fields]:
    """The fields of each row: the plain ones, and of the optional ones those named in `attrs`."""
    wanted = set(attrs or ()) & OPTIONAL
    if wanted & FLAVORS:
        wanted |= FLAVORS
    plain = field_names("Instance") - OPTIONAL
    result = []
    for row in rows:
        fields = {name: row.get(name) for name in plain | (wanted & IN_ROW)}
        if fields.get("pci_requests", ...) is None:
            fields["pci_requests"] = _no_pci_requests(row["uuid"])
        if fields.get("keypairs", ...) is None:
            del fields["keypairs"]
        result.append(fields)
    _add_from_elsewhere(records, result, wanted & ELSEWHERE)
    return result


def instance_list(
    records: Records, rows: Sequence[Mapping[str, Any]], attrs: Iterable[str] | None
) -> Envelope:
    """The rows as an InstanceList."""
    return envelope("InstanceList", {"objects": instance_envelopes(records, rows, attrs)})


def _add_from_elsewhere(records: Records, instances: list[Fields], wanted: frozenset[str] | set[str]) -> None:
    uuids = [fields["uuid"] for fields in instances]
    if "info_cache" in wanted:
        caches = {row["instance_uuid"]: row for row in _related(records, "InstanceInfoCache", uuids)}
        for fields in instances:
            cache = caches.get(fields["uuid"])
            fields["info_cache"] = envelope("InstanceInfoCache", cache) if cache else None
    if "fault" in wanted:
        faults = {row["instance_uuid"]: row for row in _related(records, "InstanceFault", uuids)}
        for fields in instances:
            fault = faults.get(fields["uuid"])  # the rows come oldest first: the last one stays
            fields["fault"] = envelope("InstanceFault", fault) if fault else None
    if "tags" in wanted:
        for fields in instances:
            tags = records.find("Tag", resource_id=fields["uuid"])
            fields["tags"] = list_envelope("TagList", "Tag", tags)
    if "pci_devices" in wanted:
        for fields in instances:
            devices = records.find("PciDevice", instance_uuid=fields["uuid"])
            fields["pci_devices"] = list_envelope("PciDeviceList", "PciDevice", devices)
    for fields in instances:
        _add_rare_parts(records, fields, wanted)


def _add_rare_parts(records: Records, fields: Fields, wanted: frozenset[str] | set[str]) -> None:
    if "services" in wanted:
        services = records.find("Service", host=fields["host"]) if fields["host"] else []
        fields["services"] = list_envelope("ServiceList", "Service", services)
    if "security_groups" in wanted:
        # The groups of a server live in the network service; nova keeps no record of them.
        fields["security_groups"] = list_envelope("SecurityGroupList", "SecurityGroup", [])
    if "ec2_ids" in wanted:
        fields["ec2_ids"] = ec2_ids_of(fields)


def _related(records: Records, kind: str, uuids: list[str]) -> list[Fields]:
    # Deleted instances keep their cache and faults readable, as their rows are.
    return records.find(kind, read_deleted="yes", instance_uuid=uuids) if uuids else []


def _no_pci_requests(uuid: str) -> Envelope:
    return envelope("InstancePCIRequests", {"instance_uuid": uuid, "requests": []})


def ec2_ids_of(instance: Mapping[str, Any]) -> Envelope:
    """Names in the form of EC2, made of the record's number."""
    image = f"ami-{instance['id']:08x}" if instance.get("image_ref") else None
    return envelope(
        "EC2Ids",
        {
            "instance_id": f"i-{instance['id']:08x}",
            "ami_id": image,
            "kernel_id": None,
            "ramdisk_id": None,
        },
    )


def existing(call: ClassCall, uuid: str, *, read_deleted: str | None = None) -> Fields:
    """The row of an instance; raises InstanceNotFound."""
    row = call.records.first("Instance", read_deleted=read_deleted or call.read_deleted, uuid=uuid)
    if row is None:
        raise errors.InstanceNotFound(instance_id=uuid)
    return row


def part_or_none(part: str) -> Any:
    """A handler `get_by_instance_uuid` for an object that is kept with its instance and may be absent."""

    def get_by_instance_uuid(call: ClassCall, instance_uuid: str) -> Envelope | None:
        value: Envelope | None = existing(call, instance_uuid, read_deleted="yes").get(part)
        return value

    return get_by_instance_uuid


def numa_topology(call: ClassCall, instance_uuid: str) -> Envelope:
    """InstanceNUMATopology.get_by_instance_uuid; raises NumaTopologyNotFound when there is none."""
    found: Envelope | None = existing(call, instance_uuid, read_deleted="yes").get("numa_topology")
    if found is None:
        raise errors.NumaTopologyNotFound(instance_uuid=instance_uuid)
    return found


def migration_context(call: ClassCall, instance_uuid: str) -> Envelope:
    """MigrationContext.get_by_instance_uuid; raises MigrationContextNotFound when there is none."""
    row = call.records.first("Instance", read_deleted="yes", uuid=instance_uuid)
    found: Envelope | None = row.get("migration_context") if row else None
    if found is None:
        raise errors.MigrationContextNotFound(instance_uuid=instance_uuid)
    return found


def pci_requests(call: ClassCall, instance_uuid: str) -> Envelope:
    """InstancePCIRequests.get_by_instance_uuid; empty when there are none."""
    found: Envelope | None = existing(call, instance_uuid, read_deleted="yes").get("pci_requests")
    return found or _no_pci_requests(instance_uuid)


def ec2_ids(call: ClassCall, instance: Mapping[str, Any]) -> Envelope:
    """EC2Ids.get_by_instance."""
    return ec2_ids_of(existing(call, instance["nova_object.data"]["uuid"], read_deleted="yes"))


def security_groups(call: ClassCall, instance: Mapping[str, Any]) -> Envelope:
    """SecurityGroupList.get_by_instance: always empty, the network service has them."""
    return list_envelope("SecurityGroupList", "SecurityGroup", [])
