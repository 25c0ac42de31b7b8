"""Starting a guest that is defined: held still until its ports are plugged, then let run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest
    from computed.virt.specs import GuestSpec

HELD_STILL: Final = frozenset({"kvm", "qemu"})
"""The types of guests that can be started without letting them run."""


def start(engine: Engine, guest: Guest, spec: GuestSpec) -> None:
    """Start the guest if it is to run.

    It does not run before the network has plugged its ports, so that its first packets are not lost. Raises
    what `spec.wait_for_plugs` raises, LibvirtFailed, HypervisorUnavailable.
    """
    if not spec.power_on:
        return
    wait = spec.wait_for_plugs if engine.options.virt_type in HELD_STILL else None
    guest.start(paused=wait is not None)
    if wait is not None:
        wait()
        guest.resume()
