"""Finds or makes the compute node record of each node, and refuses what would tear identities apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from oslo_log import log as logging

from computed import errors, objects
from computed.resources import node_record
from computed.resources.providers import Offer
from computed.resources.usage import Load
from computed.virt.specs import NodeResources

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose nodes they are: host name, its address, and the id of its service record (None: not known)."""

    host: str
    host_ip: str
    service_id: int | None


@dataclass(frozen=True, slots=True)
class FoundNode:
    """What the driver says of a node: its uuid and its totals."""

    uuid: str
    resources: NodeResources


def listed_records(context: Any, host: str) -> list[Any]:
    """Every compute node record of this host; one call."""
    try:
        return list(objects.ComputeNodeList.get_all_by_host(context, host))
    except errors.NotFound:
        return []


def find_or_create(
    context: Any, owner: Owner, wanted: Mapping[str, FoundNode], listed: Iterable[Any], offer: Offer
) -> dict[str, Any]:
    """The record of each wanted node, by name; `listed` are the records that the host has already.

    One call for all that are not listed (they may be deleted, or another host's), then one for each that
    is new. Raises InvalidConfiguration when names and uuids of records and nodes contradict each other.
    """
    by_uuid = {record.uuid: record for record in listed}
    for name, found in wanted.items():
        _refuse_contradiction(owner.host, name, found.uuid, by_uuid.values())
    missing = sorted({found.uuid for found in wanted.values()} - by_uuid.keys())
    if missing:
        anyone = context.elevated(read_deleted="yes")
        by_uuid |= {
            record.uuid: record for record in objects.ComputeNodeList.get_all_by_uuids(anyone, missing)
        }
    records: dict[str, Any] = {}
    for name, found in wanted.items():
        record = by_uuid.get(found.uuid)
        if record is None:
            records[name] = _create(context, owner, found, offer)
        else:
            _refuse_rename(name, record)
            records[name] = _adopt(owner, name, record)
    return records


def _refuse_contradiction(host: str, name: str, uuid: str, listed: Iterable[Any]) -> None:
    for record in listed:
        if record.uuid == uuid:
            _refuse_rename(name, record)
        elif record.hypervisor_hostname == name:
            raise errors.InvalidConfiguration(
                f"Node {name} of host {host} has the uuid {uuid}, but there is a record of it with uuid "
                f"{record.uuid}. Put that into the compute_id file if it is the same node."
            )


def _refuse_rename(name: str, record: Any) -> None:
    if record.hypervisor_hostname != name:
        raise errors.InvalidConfiguration(
            f"The node with uuid {record.uuid} is called {name} by its driver and "
            f"{record.hypervisor_hostname} in its record: hosts must not be renamed."
        )


def _create(context: Any, owner: Owner, found: FoundNode, offer: Offer) -> Any:
    resources = found.resources
    record = objects.ComputeNode(
        context,
        uuid=found.uuid,
        host=owner.host,
        service_id=owner.service_id,
        **node_record.facts(resources, owner.host_ip),
        **node_record.ratios(offer, is_new=True),
        **node_record.sums(resources, Load(offer.reserved_in_use), 0),
    )
    try:
        record.create()
    except errors.DuplicateRecord as exc:
        raise errors.InvalidConfiguration(
            f"There is a record of node {resources.hypervisor_hostname} of host {owner.host} already, with "
            f"another uuid than {found.uuid}: {exc}"
        ) from exc
    record.obj_reset_changes(recursive=True)
    LOG.info("Created the record of node %s, uuid %s", resources.hypervisor_hostname, found.uuid)
    return record


def _adopt(owner: Owner, name: str, record: Any) -> Any:
    # What lies in the database as "changed" was stored so; none of it is a change of ours.
    record.obj_reset_changes(recursive=True)
    if record.deleted:
        LOG.info("The record of node %s (%s) was deleted: undeleting it", name, record.uuid)
        record.deleted = False
        record.deleted_at = None
        record.save()
    if record.host != owner.host:
        LOG.info("Node %s (%s) comes from host %s to this one", name, record.uuid, record.host)
        record.host = owner.host
    known_service = record.service_id if record.obj_attr_is_set("service_id") else None
    if owner.service_id is not None and known_service != owner.service_id:
        record.service_id = owner.service_id
    return record
