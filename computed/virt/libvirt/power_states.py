"""Our word for what libvirt says of a domain's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from computed.states import PowerState
from computed.virt.libvirt.codes import RunState

# Contract: states.json. What libvirt calls blocked waits for a disk; its two kinds of off are one.
POWER_STATES: Final[Mapping[int, PowerState]] = {
    RunState.NOSTATE: PowerState.NOSTATE,
    RunState.RUNNING: PowerState.RUNNING,
    RunState.BLOCKED: PowerState.RUNNING,
    RunState.PAUSED: PowerState.PAUSED,
    RunState.SHUTDOWN: PowerState.SHUTDOWN,
    RunState.SHUTOFF: PowerState.SHUTDOWN,
    RunState.CRASHED: PowerState.CRASHED,
    RunState.PMSUSPENDED: PowerState.SUSPENDED,
}


def power_state(run_state: int) -> PowerState:
    """The power state for a state of libvirt's (codes.RunState)."""
    return POWER_STATES.get(run_state, PowerState.NOSTATE)
