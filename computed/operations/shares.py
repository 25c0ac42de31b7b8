"""File shares of a server: attached while it is off, and detached again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import ShareStatus
from computed.steps import shares
from computed.steps.announce import announce
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def allow_share(host: ComputeHost, context: RequestContext, *, instance: Any, share_mapping: Any) -> None:
    """Let this host use a share, so that the server has it at its next start.

    The mapping is inactive then; after any failure it is in error. Raises NotImplementedError for a driver
    that cannot mount, and what steps.shares.grant raises.
    """
    with _told(host, context, instance, share_mapping, "share_attach"):
        if not host.driver.capabilities.get("supports_virtio_fs", False):
            raise NotImplementedError("The driver of this host cannot give guests file shares.")
        with shares.share_lock(host, share_mapping.share_id):
            shares.grant(host, context, share_mapping)
            shares.set_status(host, [share_mapping], ShareStatus.INACTIVE)


def deny_share(host: ComputeHost, context: RequestContext, *, instance: Any, share_mapping: Any) -> None:
    """Take a share from a server that is off: its mapping goes, and the access if nobody else needs it.

    After a failure the mapping is in error. Raises ShareProtocolNotSupported, ShareAccessRemovalError and
    what ShareService raises, but not that share or access are gone.
    """
    with _told(host, context, instance, share_mapping, "share_detach"):
        shares.give_up(host, context, instance, share_mapping)


@contextmanager
def _told(
    host: ComputeHost, context: RequestContext, instance: Any, share: Any, action: str
) -> Iterator[None]:
    """Notify start and end; after a failure record it in the mapping and notify the error."""
    told = {"payload": {"share_id": share.share_id}}
    try:
        instance.refresh()
        instance.load(*PARTS)
        announce(host, context, instance, action, "start", **told)
        yield
    except errors.InstanceNotFound:
        # A mapping that is saved is made when it is not there: not for an instance that is gone.
        raise
    except Exception as error:
        _put_into_error(host, share)
        announce(host, context, instance, action, "error", exception=error, **told)
        raise
    announce(host, context, instance, action, "end", **told)


def _put_into_error(host: ComputeHost, share: Any) -> None:
    try:
        shares.set_status(host, [share], ShareStatus.ERROR)
    except errors.NotFound as error:
        LOG.info("The mapping of share %s is gone: %s", share.share_id, error)
    except Exception:
        LOG.exception("The mapping of share %s could not be put into error", share.share_id)
