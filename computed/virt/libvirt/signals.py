"""What a running guest can be told: a new password, through its agent; an interrupt that it cannot mask."""

from __future__ import annotations

import logging
from typing import Any, Final

from computed import errors
from computed.virt.libvirt import stored_password
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.port.signals import SignalPort

LOG = logging.getLogger(__name__)

QEMU_TYPES: Final = frozenset({"kvm", "qemu"})
"""The virt_types whose guests can have an agent."""


class LibvirtSignals(LibvirtPart, SignalPort):
    """Nobody but us switches these guests, so there are no power updates to take note of."""

    def trigger_crash_dump(self, instance: Any) -> None:
        guest = self._engine.connection.guest(instance.uuid)
        try:
            guest.inject_nmi()
        except errors.LibvirtFailed as error:
            if error.code in (Failure.NO_SUPPORT, Failure.OPERATION_UNSUPPORTED):
                raise errors.TriggerCrashDumpNotSupported() from error
            if error.code == Failure.OPERATION_INVALID:
                raise errors.InstanceNotRunning(instance_id=instance.uuid) from error
            raise

    def set_admin_password(self, instance: Any, password: str) -> None:
        if self._engine.options.virt_type not in QEMU_TYPES:
            raise errors.SetAdminPasswdNotSupported()
        require_agent(instance.image_meta)
        guest = self._engine.connection.guest(instance.uuid)
        try:
            guest.set_password(administrator(instance), password)
        except errors.LibvirtFailed as error:
            code = error.code
        else:
            self._keep(instance, password)
            return
        # From None, and without libvirt's text: it could repeat what it was given.
        if code == Failure.AGENT_UNRESPONSIVE:
            raise NotImplementedError("the agent of the guest does not answer") from None
        raise errors.InternalError(err=f"libvirt did not set the password, failure {code}") from None

    def _keep(self, instance: Any, password: str) -> None:
        """Let the owner read it later; the caller saves the instance. It is set, whatever becomes of this."""
        try:
            instance.system_metadata.update(stored_password.encrypted(instance.key_data, password))
        except errors.EncryptionFailure as error:
            LOG.warning("The new password of %s is not in its metadata: %s", instance.uuid, error)


def require_agent(image_meta: Any) -> None:
    """Raise QemuGuestAgentNotEnabled unless the image says that its guests have one."""
    if not image_meta.properties.get("hw_qemu_guest_agent", False):
        raise errors.QemuGuestAgentNotEnabled()


def administrator(instance: Any) -> str:
    """Whose password it is: whom the image names, or as the operating system calls him."""
    named = instance.image_meta.properties.get("os_admin_user")
    return str(named or ("Administrator" if instance.os_type == "windows" else "root"))
