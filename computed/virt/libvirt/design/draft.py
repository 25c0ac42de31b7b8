"""The table at which designers sit: the request, and what all of them need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from computed import errors
from computed.virt.libvirt.design.host_facts import DomainFacts, HostFacts
from computed.virt.libvirt.design.machine import Machine, domain_facts, machine_of
from computed.virt.libvirt.design.options import DesignOptions
from computed.virt.libvirt.design.request import GuestRequest
from computed.virt.libvirt.design.wishes import Wishes
from computed.virt.libvirt.storage.plan import DiskPlan

_MODES = {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}  # what old images call them


@dataclass(frozen=True)
class Draft:
    """A request with what follows from it; nothing here changes while a guest is designed."""

    request: GuestRequest

    @property
    def instance(self) -> Any:
        """The objects.Instance."""
        return self.request.spec.instance

    @property
    def host(self) -> HostFacts:
        """Facts of the host."""
        return self.request.host

    @property
    def options(self) -> DesignOptions:
        """Options of the agent."""
        return self.request.options

    @property
    def is_container(self) -> bool:
        """Whether it is a guest of lxc."""
        return self.options.virt_type == "lxc"

    @cached_property
    def wishes(self) -> Wishes:
        """What flavor and image ask for."""
        flavor = self.instance.flavor
        specs = flavor.extra_specs if "extra_specs" in flavor else {}
        return Wishes(flavor.name, specs or {}, self.request.spec.image_meta)

    @cached_property
    def machine(self) -> Machine:
        """Which machine it is; raises InvalidMachineType."""
        return machine_of(self.wishes, self.host, self.options)

    @cached_property
    def facts(self) -> DomainFacts:
        """What QEMU can do for that machine."""
        return domain_facts(self.machine, self.host)

    @property
    def is_windows(self) -> bool:
        """Whether Windows runs in it."""
        return bool(self.instance.os_type == "windows")

    @cached_property
    def os_type(self) -> str:
        """hvm, or exe for a container; raises InvalidVirtualMachineMode for another."""
        usual = "exe" if self.is_container else "hvm"
        asked = self.instance.vm_mode or self.wishes.prop("hw_vm_mode")
        if not asked:
            return usual
        mode = _MODES.get(asked.lower(), asked.lower())
        if mode != usual:
            raise errors.InvalidVirtualMachineMode(
                f"hw_vm_mode or vm_mode is {asked!r}; under {self.options.virt_type} it can be {usual}."
            )
        return usual

    @property
    def disks(self) -> tuple[DiskPlan, ...]:
        """All disks in the order in which the guest finds them."""
        return self.request.all_disks

    @property
    def is_rescue(self) -> bool:
        """Whether the guest boots a rescue disk."""
        return any(disk.kind == "rescue" for disk in self.disks)
