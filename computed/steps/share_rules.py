"""Finds and takes away rules by which this host may use shares that none of its instances has any more."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import ShareProtocol, VmState
from computed.steps.shares import CEPHFS_PREFIX, CEPHFS_RULE, NFS_RULE, cephfs_name, share_lock

if TYPE_CHECKING:
    from computed.clients.shares import ShareAccess
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_GOING: Final = ("queued_to_deny", "denying")


def drop_stale_rules(host: ComputeHost, context: Any) -> None:
    """Take away what moves that ended badly have left; a share that cannot be looked at waits for the next
    time. Asks the conductor once, and twice more for each share that instances of this host had."""
    if not host.shares.is_configured:
        return
    mappings = objects.ShareMappingList.get_by_host_for_reconcile(context, host.name)
    for share_id in sorted({mapping.share_id for mapping in mappings}):
        try:
            with share_lock(host, share_id):
                _drop(host, context, share_id)
        except errors.ManilaConnectionFailed as error:
            LOG.warning("Stale rules of shares are looked for next time: %s", error)
            return
        except Exception:
            LOG.exception("Stale rules of share %s could not be taken away", share_id)


def _drop(host: ComputeHost, context: Any, share_id: str) -> None:
    # Read anew under the lock: what was true at the beginning of the pass may have changed.
    mappings = list(objects.ShareMappingList.get_by_share_id(context, share_id))
    if not mappings:
        return
    filters = {"uuid": sorted({mapping.instance_uuid for mapping in mappings})}
    found = objects.InstanceList.get_by_filters(context, filters, expected_attrs=[])
    hosts = {instance.uuid: instance.host for instance in found if not _is_moving(instance)}
    if any(mapping.instance_uuid not in hosts for mapping in mappings):
        # An instance that is on its way, or that nobody knows, may need a rule on a host it is not on.
        return
    rules = host.shares.rules(context, share_id)
    for rule in _stale(host, mappings, hosts, rules):
        if rule.state not in _GOING:
            host.shares.deny(context, share_id, rule)
            LOG.info("Share %s: the stale rule for %s %s was taken away", share_id, rule.kind, rule.to)


def _is_moving(instance: Any) -> bool:
    return instance.task_state is not None or instance.vm_state == VmState.RESIZED


def _stale(
    host: ComputeHost, mappings: Sequence[Any], hosts: dict[str, str], rules: Sequence[ShareAccess]
) -> list[ShareAccess]:
    if mappings[0].share_proto == ShareProtocol.CEPHFS:
        needed = {cephfs_name(uuid, hosts[uuid] or "") for uuid in (m.instance_uuid for m in mappings)}
        ours = [rule for rule in rules if rule.kind == CEPHFS_RULE and rule.to.startswith(CEPHFS_PREFIX)]
        return [rule for rule in ours if rule.to not in needed]
    if host.name in hosts.values():
        return []
    address = str(host.conf.my_shared_fs_storage_ip)
    stale = [rule for rule in rules if (rule.kind, rule.to) == (NFS_RULE, address)]
    if stale and host.driver.is_share_mounted(mappings[0]):
        # Whoever reads a hard NFS mount without access waits for ever, and so would the unmounting.
        LOG.warning("Share %s is still mounted here: its stale rule stays", mappings[0].share_id)
        return []
    return stale
