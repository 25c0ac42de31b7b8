"""File shares of a server: attached while it is off, and detached again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import ShareStatus
from computed.steps import shares
from computed.steps.announce import announce, announced
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def allow_share(host: ComputeHost, context: RequestContext, *, instance: Any, share_mapping: Any) -> None:
    """Let this host use a share, so that the server has it at its next start.

    The mapping is inactive then; after any failure it is in error. One that is not being attached any more
    is left alone: its share may be mounted. Raises NotImplementedError for a driver that cannot mount, and
    what steps.shares.grant raises.
    """
    with _in_error_after(host, context, instance, share_mapping, "share_attach"):
        if not _is_to_change(context, instance, share_mapping, ShareStatus.ATTACHING):
            return
        with announced(host, context, instance, "share_attach", **_told(share_mapping)):
            if not host.driver.capabilities.get("supports_virtio_fs", False):
                raise NotImplementedError("The driver of this host cannot give guests file shares.")
            with shares.share_lock(host, share_mapping.share_id):
                shares.grant(host, context, share_mapping)
                shares.set_status(host, [share_mapping], ShareStatus.INACTIVE)


def deny_share(host: ComputeHost, context: RequestContext, *, instance: Any, share_mapping: Any) -> None:
    """Take a share from a server that is off: its mapping goes, and the access if nobody else needs it.

    After a failure the mapping is in error; one that is not being detached any more is left alone. Raises
    ShareProtocolNotSupported, ShareAccessRemovalError and what ShareService raises, but not that share or
    access are gone.
    """
    with _in_error_after(host, context, instance, share_mapping, "share_detach"):
        if not _is_to_change(context, instance, share_mapping, ShareStatus.DETACHING):
            return
        with announced(host, context, instance, "share_detach", **_told(share_mapping)):
            shares.give_up(host, context, instance, share_mapping)


def _told(share: Any) -> dict[str, Any]:
    return {"payload": {"share_id": share.share_id}}


def _is_to_change(context: RequestContext, instance: Any, share: Any, status: ShareStatus) -> bool:
    """Bring `instance` up to its record; whether the record of the mapping still has this status."""
    instance.refresh()
    instance.load(*PARTS)
    mappings = objects.ShareMappingList.get_by_instance_uuid(context, instance.uuid)
    found = next((each.status for each in mappings if each.share_id == share.share_id), None)
    if found != status:
        LOG.info("Instance %s: share %s is %s, not %s", instance.uuid, share.share_id, found, status)
    return bool(found == status)


@contextmanager
def _in_error_after(
    host: ComputeHost, context: RequestContext, instance: Any, share: Any, action: str
) -> Iterator[None]:
    """After a failure record it in the mapping and notify it."""
    try:
        yield
    except errors.InstanceNotFound:
        # A mapping that is saved is made when it is not there: not for an instance that is gone.
        raise
    except Exception as error:
        _put_into_error(host, share)
        announce(host, context, instance, action, "error", exception=error, **_told(share))
        raise


def _put_into_error(host: ComputeHost, share: Any) -> None:
    try:
        shares.set_status(host, [share], ShareStatus.ERROR)
    except errors.NotFound as error:
        LOG.info("The mapping of share %s is gone: %s", share.share_id, error)
    except Exception:
        LOG.exception("The mapping of share %s could not be put into error", share.share_id)
