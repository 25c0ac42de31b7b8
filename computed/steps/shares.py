"""File shares of an instance: who may use them, mounting them on this host, and what is recorded of them.

Contract: stock grants access per host (NFS) or per instance and host (CephFS), mounts before a guest starts
and unmounts once it is off. A host without a share service asks nobody anything.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import ShareProtocol, ShareStatus
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently
from computed.steps.records import set_error

if TYPE_CHECKING:
    from computed.clients.shares import ShareAccess
    from computed.lib.undo import UndoStack
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

NFS_RULE: Final = "ip"
CEPHFS_RULE: Final = "cephx"
CEPHFS_PREFIX: Final = "nova-"
_IN_BETWEEN: Final = (ShareStatus.ATTACHING, ShareStatus.DETACHING)
_LOOK_AGAIN_SECONDS: Final = 1.0


@contextmanager
def share_lock(host: ComputeHost, share_id: str) -> Iterator[None]:
    """Held while the rules or mounts of one share change on this host."""
    with host.locks.hold(f"share-{share_id}"):
        yield


# What an instance has


def of(host: ComputeHost, context: Any, instance: Any) -> list[Any]:
    """The share mappings of an instance."""
    if not host.shares.is_configured:
        return []
    return list(objects.ShareMappingList.get_by_instance_uuid(context, instance.uuid))


def settled(host: ComputeHost, context: Any, instance: Any) -> list[Any]:
    """The share mappings of an instance whose guest is to be started or stopped.

    When one is still being attached or detached the instance goes to ERROR, as with stock; raises
    ShareErrorUnexpectedStatus.
    """
    shares = of(host, context, instance)
    for share in shares:
        if share.status in _IN_BETWEEN:
            LOG.error("Instance %s: share %s is still %s", instance.uuid, share.share_id, share.status)
            set_error(host, instance, clear_task_state=True)
            raise errors.ShareErrorUnexpectedStatus(share_id=share.share_id, instance_uuid=instance.uuid)
        if share.status == ShareStatus.ERROR:
            LOG.warning("Instance %s: share %s is in error", instance.uuid, share.share_id)
    return shares


def set_status(host: ComputeHost, shares: Iterable[Any], status: ShareStatus) -> None:
    """Record how the shares are; those that are so already cost nothing."""
    for share in shares:
        if share.status != status:
            share.status = str(status)
            patiently(
                f"Recording that share {share.share_id} is {status}",
                lambda is_repeated, share=share: share.save(),  # type: ignore[misc]
                stopping=host.stopping,
                patience_seconds=SHORT_PATIENCE_SECONDS,
            )


# Mounting


def mount(host: ComputeHost, context: Any, instance: Any, shares: Iterable[Any]) -> None:
    """Mount shares for a guest that is to start. Raises ShareProtocolNotSupported, ShareMountError."""
    for share in shares:
        with share_lock(host, share.share_id):
            try:
                grant(host, context, share)
            except Exception as error:
                # The rule may be there all the same: mounting tells.
                LOG.warning("Access to share %s could not be checked: %s", share.share_id, error)
            _identify(host, context, share)
            host.driver.mount_share(context, instance, share)


def unmount(host: ComputeHost, context: Any, instance: Any, share: Any) -> bool:
    """Unmount a share of a guest that is off; True when another guest still needs the mount.

    Raises ShareProtocolNotSupported, ShareUmountError.
    """
    with share_lock(host, share.share_id):
        set_access(host, share)
        return host.driver.umount_share(context, instance, share)


def put_away(host: ComputeHost, context: Any, instance: Any, shares: Sequence[Any]) -> None:
    """The guest is off: its shares are not in use. A mount that stays is logged; the guest is off anyway."""
    for share in shares:
        try:
            set_status(host, [share], ShareStatus.INACTIVE)
            unmount(host, context, instance, share)
        except Exception:
            LOG.exception("Share %s of instance %s may stay mounted", share.share_id, instance.uuid)


def _identify(host: ComputeHost, context: Any, share: Any) -> None:
    """Say who this host is to the share, with the secret that CephFS wants."""
    set_access(host, share)
    if share.share_proto == ShareProtocol.CEPHFS:
        rule = _rule(host, context, share)
        share.access_key = None if rule is None else rule.key


# Access


def set_access(host: ComputeHost, share: Any) -> None:
    """Say by which rule this host may use a share. Raises ShareProtocolNotSupported."""
    if share.share_proto == ShareProtocol.NFS:
        share.access_type, share.access_to = NFS_RULE, str(host.conf.my_shared_fs_storage_ip)
    elif share.share_proto == ShareProtocol.CEPHFS:
        share.access_type, share.access_to = CEPHFS_RULE, cephfs_name(share.instance_uuid, host.name)
    else:
        raise errors.ShareProtocolNotSupported(share_proto=share.share_proto)


def cephfs_name(instance_uuid: str, host_name: str) -> str:
    """The name under which an instance on a host uses CephFS; stock hosts compute the same one."""
    digest = hashlib.sha256(f"{instance_uuid}:{host_name}".encode()).hexdigest()
    return f"{CEPHFS_PREFIX}{digest[:16]}"


def grant(host: ComputeHost, context: Any, share: Any) -> None:
    """Let this host use a share, and wait until it may.

    Raises ShareProtocolNotSupported, ShareAccessGrantError and what ShareService.allow raises.
    """
    set_access(host, share)
    if _may_use(host, context, share):
        return
    reason = f"used by nova instance {share.instance_uuid}"
    host.shares.allow(context, share.share_id, share.access_type, share.access_to, reason=reason)
    for _ in range(host.conf.manila.share_apply_policy_timeout):
        if _may_use(host, context, share):
            return
        if host.stopping.wait(_LOOK_AGAIN_SECONDS):
            break
    raise errors.ShareAccessGrantError(share_id=share.share_id, reason="manila has not applied it in time")


def _rule(host: ComputeHost, context: Any, share: Any) -> ShareAccess | None:
    wanted = share.access_type, share.access_to
    rules = host.shares.rules(context, share.share_id)
    return next((rule for rule in rules if (rule.kind, rule.to) == wanted), None)


def _may_use(host: ComputeHost, context: Any, share: Any) -> bool:
    rule = _rule(host, context, share)
    return rule is not None and rule.state == "active"


def deny(host: ComputeHost, context: Any, share: Any) -> None:
    """Take this host's rule away. Raises ShareAccessNotFound and what ShareService raises."""
    set_access(host, share)
    rule = _rule(host, context, share)
    if rule is None:
        raise errors.ShareAccessNotFound(share_id=share.share_id)
    host.shares.deny(context, share.share_id, rule)


def is_still_used(host: ComputeHost, context: Any, instance: Any, share: Any) -> bool:
    """Whether this host's rule must stay when `instance` gives the share up.

    One rule serves all NFS mounts of a host; a CephFS name belongs to one instance.
    """
    for other in _sharing_rule(host, context, share):
        is_ours = other.instance_uuid == instance.uuid
        free = (ShareStatus.INACTIVE, ShareStatus.ERROR, ShareStatus.DETACHING)
        if other.status not in (free if is_ours else (ShareStatus.DETACHING,)):
            return True
    return False


def _sharing_rule(host: ComputeHost, context: Any, share: Any) -> list[Any]:
    """The mappings of the share that this host's rule serves, that of the instance among them."""
    mappings = list(objects.ShareMappingList.get_by_share_id(context, share.share_id))
    ours = {share.instance_uuid}
    others = {mapping.instance_uuid for mapping in mappings} - ours
    if share.share_proto == ShareProtocol.NFS and others:
        filters = {"uuid": sorted(others), "host": host.name, "deleted": False}
        found = objects.InstanceList.get_by_filters(context.elevated(), filters, expected_attrs=[])
        ours |= {instance.uuid for instance in found}
    return [mapping for mapping in mappings if mapping.instance_uuid in ours]


# The instance goes, or moves


def release(host: ComputeHost, context: Any, instance: Any) -> None:
    """The instance is deleted: unmount its shares, give the access up, forget the mappings.

    Nothing of it may keep the instance from going: what fails is logged, and a mapping may be left.
    """
    for share in of(host, context, instance):
        try:
            unmount(host, context, instance, share)
            set_status(host, [share], ShareStatus.INACTIVE)
            give_up(host, context, instance, share)
        except Exception as error:
            LOG.warning(
                "Share %s of instance %s was not given up; its mapping or its access rule may be left: %s",
                share.share_id,
                instance.uuid,
                error,
            )


def give_up(host: ComputeHost, context: Any, instance: Any, share: Any) -> None:
    """Take the access away that nobody needs any more, and forget the mapping."""
    with share_lock(host, share.share_id):
        set_access(host, share)
        try:
            if not is_still_used(host, context, instance, share):
                deny(host, context, share)
        except (errors.ShareNotFound, errors.ShareAccessNotFound) as error:
            LOG.info("Share %s is not accessible anyway: %s", share.share_id, error)
        share.delete()


def move_here(host: ComputeHost, context: Any, instance: Any, undo: UndoStack) -> list[Any]:
    """Destination of a move: let this host use the instance's shares and mount them; returns them.

    The undo unmounts. The access stays: the instance's record names this host already, and `leave` takes
    it away when the move is reverted.
    """
    shares = of(host, context, instance)
    for share in shares:
        with share_lock(host, share.share_id):
            grant(host, context, share)
        mount(host, context, instance, [share])
        undo.push(
            f"unmount share {share.share_id}",
            lambda share=share: unmount(host, context, instance, share),  # type: ignore[misc]
        )
    return shares


def leave(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """The host that a move gives up: unmount the instance's shares and take this host's access away.

    Nothing for a move to the same host. Failures are logged; `_reconcile_stale_share_access` makes up.
    """
    if migration is None or migration.source_compute == migration.dest_compute:
        return
    for share in of(host, context, instance):
        try:
            if not unmount(host, context, instance, share):
                with share_lock(host, share.share_id):
                    _revoke(host, context, share)
        except Exception:
            LOG.exception(
                "Share %s of instance %s was not left; its rule for this host may stay",
                share.share_id,
                instance.uuid,
            )


def _revoke(host: ComputeHost, context: Any, share: Any) -> None:
    set_access(host, share)
    if share.share_proto == ShareProtocol.NFS:
        done = (ShareStatus.DETACHING, ShareStatus.ERROR)
        others = [o for o in _sharing_rule(host, context, share) if o.instance_uuid != share.instance_uuid]
        if any(other.status not in done for other in others):
            LOG.debug("Share %s is used by other instances of this host", share.share_id)
            return
    try:
        deny(host, context, share)
    except (errors.ShareNotFound, errors.ShareAccessNotFound) as error:
        LOG.debug("Share %s grants this host nothing: %s", share.share_id, error)
