"""Holding the file systems of a guest still, through its agent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.signals import QEMU_TYPES, require_agent

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stillness:
    """Whether the file systems can be held still at the moment of a copy, and whether they must; `mark` is a
    file that is there from before that on: whoever finds it later lets the guest write again."""

    can: bool
    must: bool
    mark: Path


def require_quiescing(virt_type: str, instance: Any, image_meta: Any) -> None:
    """Raise InstanceQuiesceNotSupported, QemuGuestAgentNotEnabled for a guest that cannot be held still."""
    if virt_type not in QEMU_TYPES:
        raise errors.InstanceQuiesceNotSupported(instance_id=instance.uuid)
    require_agent(image_meta)


def freeze(guest: Guest) -> None:
    """Write out and hold. Raises InstanceQuiesceFailed when no agent answers, InternalError if it refuses."""
    try:
        guest.freeze()
    except errors.LibvirtFailed as error:
        raise _refused(guest, error) from error


def thaw(guest: Guest) -> None:
    """Let the guest write again; raises as `freeze`."""
    try:
        guest.thaw()
    except errors.LibvirtFailed as error:
        raise _refused(guest, error) from error


def _refused(guest: Guest, error: errors.LibvirtFailed) -> errors.NovaException:
    said = f"libvirt on {guest.name}: {error}"
    if error.code == Failure.AGENT_UNRESPONSIVE:
        return errors.InstanceQuiesceFailed(reason=f"{said}; the agent in the guest does not answer")
    return errors.InternalError(err=said)


@contextmanager
def held_still(guest: Guest, stillness: Stillness) -> Iterator[None]:
    """Hold the file systems during the block if that can be done; when the image insists on it a failure is
    raised, else the disk is as after a power cut. Whatever happens, the guest writes again."""
    is_held = False
    if stillness.can:
        try:
            stillness.mark.touch()
            freeze(guest)
            is_held = True
        except errors.NovaException as error:
            # It may have been frozen all the same, and have answered too late.
            _thaw_quietly(guest, logging.DEBUG)
            if stillness.must:
                raise
            LOG.info("%r is not held still for its snapshot: %s", guest, error)
    try:
        yield
    finally:
        if is_held:
            _thaw_quietly(guest, logging.ERROR)


def _thaw_quietly(guest: Guest, level: int) -> None:
    try:
        thaw(guest)
    except errors.NovaException as error:
        LOG.log(level, "%r may not be able to write; unquiesce it or reboot it: %s", guest, error)
