"""What a guest talks through: serial ports with the console log, channels to its agents."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.machine import S390
from computed.virt.libvirt.design.request import GuestRequest
from computed.virt.libvirt.design.wishes import Wishes
from computed.virt.libvirt.xml.devices.character import Channel, Console, Serial
from computed.virt.libvirt.xml.domain import Domain

_MOST_PORTS: Final = 4  # QEMU's ISA bus has room for no more
_AGENT: Final = "org.qemu.guest_agent.0"
_SPICE: Final = "com.redhat.spice.0"
_SOCKETS: Final = "/var/lib/libvirt/qemu"


def serial_port_count(request: GuestRequest) -> int:
    """How many TCP ports the serial console of a guest needs; 0 when it has none.

    Raises ImageSerialPortNumberInvalid, ImageSerialPortNumberExceedFlavorValue,
    SerialPortNumberLimitExceeded.
    """
    if not request.options.serial_console_enabled or request.virt_type == "lxc":
        return 0
    return _count(Draft(request).wishes, request.virt_type)


def _count(wishes: Wishes, virt_type: str) -> int:
    text, image = wishes.both("serial_port_count")
    try:
        flavor = int(text or 0)
    except ValueError:
        raise errors.ImageSerialPortNumberInvalid(
            f"Extra spec hw:serial_port_count is {text!r}, which is no whole number."
        ) from None
    if flavor and image and image > flavor:
        raise errors.ImageSerialPortNumberExceedFlavorValue(
            f"Image property hw_serial_port_count is {image}; hw:serial_port_count allows {flavor}."
        )
    count = int(image or flavor or 1)
    if count < 0:
        raise errors.ImageSerialPortNumberInvalid(f"hw_serial_port_count is {count}; the least is 1.")
    if count > _MOST_PORTS:
        raise errors.SerialPortNumberLimitExceeded(
            f"hw:serial_port_count or hw_serial_port_count is {count}; a guest of {virt_type} has at most "
            f"{_MOST_PORTS} serial ports."
        )
    return count


def design_consoles(draft: Draft, domain: Domain) -> None:
    """A pty whose output virtlogd logs; with serial consoles TCP servers, of which the first is logged.

    Raises what `serial_port_count` raises, ValueError when the request has fewer ports than that.
    """
    log = str(draft.request.log_file)
    if draft.is_container:
        domain.consoles.append(Console(type="pty", log_file=log, log_append=False))
        return
    if not draft.options.serial_console_enabled:
        _count(draft.wishes, draft.options.virt_type)
        if draft.machine.arch in S390:
            domain.consoles.append(Console(type="pty", log_file=log, log_append=False, target_type="sclp"))
        else:
            domain.serials.append(Serial(type="pty", log_file=log, log_append=False))
        return
    for number, port in enumerate(_ports(draft)):
        serial = Serial(
            type="tcp",
            source_mode="bind",
            source_host=draft.options.serial_console_listen,
            source_service=str(port),
            target_port=number,
        )
        if number == 0:
            serial.log_file, serial.log_append = log, False
        domain.serials.append(serial)


def _ports(draft: Draft) -> list[int]:
    """The ports that were given out for this guest, or those that it has."""
    count = serial_port_count(draft.request)
    ports = list(draft.request.serial_ports)
    old = draft.request.old
    if not ports and old is not None:
        ports = [int(serial.source_service) for serial in old.serials if serial.source_service]
    if len(ports) < count:
        raise ValueError(f"the serial console needs {count} ports, {len(ports)} were given out")
    return ports[:count]


def design_channels(draft: Draft, domain: Domain) -> None:
    """Channels to the SPICE agent and to the QEMU guest agent."""
    if draft.is_container:
        return
    spice = draft.options.spice
    if spice.is_enabled and spice.has_agent:
        domain.channels.append(Channel(type="spicevmc", target_type="virtio", target_name=_SPICE))
    if draft.wishes.prop("hw_qemu_guest_agent"):
        domain.channels.append(
            Channel(
                type="unix",
                source_mode="bind",
                source_path=f"{_SOCKETS}/{_AGENT}.{domain.name}.sock",
                target_type="virtio",
                target_name=_AGENT,
            )
        )
