"""Takes away rules of file shares that moves of instances have left behind."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed.steps.share_rules import drop_stale_rules

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def reconcile_stale_share_access(host: ComputeHost, context: Any) -> None:
    """Compare the rules of the shares that instances of this host have or had with what is needed."""
    drop_stale_rules(host, context)
