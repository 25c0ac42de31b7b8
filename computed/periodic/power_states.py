"""Aligns the recorded power states with the guests'."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import PowerState
from computed.steps import power_sync

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def sync_power_states(host: ComputeHost, context: Any) -> None:
    """Compare all records with all guests: one conductor call and one question to the hypervisor.

    Only where they differ is an instance looked at on its own. A hypervisor that cannot be asked says
    nothing of any guest, so nothing is done then.
    """
    instances = objects.InstanceList.get_by_host(context, host.name, expected_attrs=[], use_slave=True)
    try:
        guests = host.driver.states()
    except (errors.HypervisorUnavailable, errors.ReadIncomplete) as error:
        LOG.warning("No power state is synchronized: %s", error)
        return
    for instance in instances:
        # The states that others have written since an audit read the records.
        host.tracker.observe(instance)
        if instance.task_state is not None:
            continue
        guest = guests.get(instance.uuid)
        state = guest.power_state if guest is not None else int(PowerState.NOSTATE)
        if power_sync.differs(instance, state):
            # In a lane of its own: a guest may take a minute to shut down.
            host.lanes.start(instance.uuid, partial(power_sync.sync, host, context, instance))
        elif power_sync.remedy(instance.vm_state, state) is power_sync.Remedy.REPORT:
            LOG.warning(
                "Instance %s is %s and its guest's power is %s", instance.uuid, instance.vm_state, state
            )
