"""The whole driver: what `loader.load_driver` returns and every operation uses."""

from __future__ import annotations

from computed.virt.port.guests import LifecyclePort, StatePort
from computed.virt.port.host import HostPort


class Driver(HostPort, LifecyclePort, StatePort):
    """One hypervisor. Later verbs add their own small ports beside these (snapshots, migration, consoles)."""

    vif_plug_events = False
    """Whether `spawn` plugs interfaces whose plugging neutron reports (a build then waits for it)."""
