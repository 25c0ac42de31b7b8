"""All ports of a guest at once: into the switches, and out again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def plug_all(engine: Engine, spec: GuestSpec) -> None:
    """Plug every port; one that is plugged stays so. Raises VirtualInterfacePlugException: some may be
    plugged then."""
    for vif in spec.network_info or ():
        engine.plugger.plug(spec.instance, vif)


def unplug_all(engine: Engine, spec: GuestSpec) -> None:
    """Unplug every port; one that stays is logged, for the guest that had it is gone."""
    for vif in spec.network_info or ():
        try:
            engine.plugger.unplug(spec.instance, vif)
        except Exception as error:
            LOG.warning("Instance %s: port %s stays plugged: %s", spec.instance.uuid, vif["id"], error)
