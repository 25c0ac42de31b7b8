"""One guest: its power, its definition, its figures. Its devices, blocks and agent stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import libvirt
from oslo_log import log as logging

from computed import errors
from computed.virt.libvirt.codes import Failure, Stats
from computed.virt.libvirt.guest_agent import GuestAgent
from computed.virt.libvirt.guest_blocks import BlockDevice
from computed.virt.libvirt.guest_devices import GuestDevices
from computed.virt.libvirt.power_states import power_state
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.specs import GuestState

LOG = logging.getLogger(__name__)

_DESTROY_TRIES: Final = 3
# VIR_DOMAIN_UNDEFINE_KEEP_TPM, which neither libvirt nor its bindings have before 8.9.
_KEEP_TPM: Final = 1 << 6
# Drivers answer flags that they do not know with one of these.
_FLAG_UNKNOWN: Final = frozenset({Failure.NO_SUPPORT, Failure.INVALID_ARG, Failure.OPERATION_UNSUPPORTED})


class Guest(GuestDevices, GuestAgent):
    """A domain of libvirt.

    Every method raises InstanceNotFound (there is no such domain any more), HypervisorUnavailable and
    LibvirtFailed; a wrong state of the guest is LibvirtFailed OPERATION_INVALID.
    """

    # Looking

    def state(self) -> GuestState:
        """Whether and how the guest runs; does not wait for the guest."""
        run_state, _reason = self.call("state", 0)
        return GuestState(self.uuid, power_state(run_state), self.id)

    @property
    def id(self) -> str | None:
        """libvirt's number of the running guest; None when it does not run. Asks nobody."""
        number = self._domain.ID()
        return None if number < 0 else str(number)

    def is_active(self) -> bool:
        """Whether the guest has a process."""
        return bool(self.call("isActive"))

    def is_persistent(self) -> bool:
        """Whether the guest is defined, so that it stays when it is stopped."""
        return bool(self.call("isPersistent"))

    def xml(self, *, inactive: bool = False, migratable: bool = False, secure: bool = False) -> str:
        """The definition: as it runs, or with `inactive` as it starts next; `secure` with secrets."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        flags |= libvirt.VIR_DOMAIN_XML_MIGRATABLE if migratable else 0
        flags |= libvirt.VIR_DOMAIN_XML_SECURE if secure else 0
        text: str = self.call("XMLDesc", flags)
        return text

    def domain(self, *, inactive: bool = False, migratable: bool = False, secure: bool = False) -> Domain:
        """The same in our words; raises XmlError."""
        return Domain.from_xml(self.xml(inactive=inactive, migratable=migratable, secure=secure))

    def statistics(self, groups: int = Stats.ALL) -> Mapping[str, Any]:
        """Figures of this guest under libvirt's names, as `Connection.statistics` has them for all."""
        found = self._connection.perform(
            self.uuid, lambda raw: raw.domainListGetStats([self.on(raw)], int(groups), 0)
        )
        return dict(found[0][1]) if found else {}

    def block(self, disk: str) -> BlockDevice:
        """A disk, by the guest's name of it."""
        return BlockDevice(self, disk)

    # Power

    def start(self, *, paused: bool = False) -> None:
        """Start the guest, from its managed save if it has one."""
        self.call("createWithFlags", libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    def shutdown(self) -> None:
        """Ask the guest to stop; it may not listen."""
        self.call("shutdown")

    def destroy(self) -> None:
        """Take the guest's power; one that has none is no error. A transient guest is gone then."""
        for remaining in reversed(range(_DESTROY_TRIES)):
            try:
                self.call("destroy")
                return
            except errors.LibvirtFailed as error:
                if error.code == Failure.OPERATION_INVALID and not self.is_active():
                    return
                # A process that waits for its disk does not die when it is told to; libvirt has waited
                # some 15 seconds for it already.
                if error.code != Failure.SYSTEM_ERROR or not remaining:
                    raise
                LOG.warning("%r has not ended yet (%s); it is told again", self, error)

    def pause(self) -> None:
        """Hold the guest's processors."""
        self.call("suspend")

    def resume(self) -> None:
        """Let the guest's processors run."""
        self.call("resume")

    def inject_nmi(self) -> None:
        """Send the guest a non-maskable interrupt."""
        self.call("injectNMI", 0)

    def managed_save(self) -> None:
        """Write the guest's memory to libvirt's own file and end it; the next `start` goes on from there."""
        self.call("managedSave", 0)

    def drop_managed_save(self) -> None:
        """Remove the saved memory, if there is any."""
        if self.has_managed_save():
            self.call("managedSaveRemove", 0)

    def has_managed_save(self) -> bool:
        """Whether the next `start` goes on from saved memory."""
        return bool(self.call("hasManagedSaveImage", 0))

    # Definition

    def undefine(self, *, keep_nvram: bool = False) -> None:
        """Forget the definition with what libvirt keeps beside it, but for what the guest's firmware and its
        TPM remember if that is wanted; the guest goes on if it runs."""
        flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM if keep_nvram else libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        for known in (flags | _KEEP_TPM, flags) if keep_nvram else (flags,):
            try:
                self.call("undefineFlags", known)
                return
            except errors.LibvirtFailed as error:
                if error.code not in _FLAG_UNKNOWN:
                    raise
        # Containers and libvirt's test driver know no flags, and have nothing beside the definition.
        self.call("undefine")

    @contextmanager
    def transient(self) -> Iterator[None]:
        """Run a block without the definition, which some block jobs demand, and define the guest again
        after it, also when the block has failed. Of a guest that has no definition it is as it was."""
        if not self.is_persistent():
            yield
            return
        xml = self.xml(inactive=True, secure=True)
        self.undefine(keep_nvram=True)
        try:
            yield
        finally:
            self.redefine(xml)

    def redefine(self, xml: str) -> None:
        """Give the guest a (new) definition; it takes effect with the next start."""
        self._connection.call("defineXML", xml)
