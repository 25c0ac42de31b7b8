"""Deleting a server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.steps import removal
from computed.steps.records import set_error

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def terminate_instance(host: ComputeHost, context: RequestContext, *, instance: Any, bdms: Any) -> None:
    """Delete a server and everything of it on this host.

    A deletion that fails leaves the server in ERROR, to be deleted again; it never becomes undeletable.
    """
    try:
        removal.delete(host, context, instance, bdms)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone before its deletion ended", instance.uuid)
    except Exception:
        set_error(host, instance)
        raise
