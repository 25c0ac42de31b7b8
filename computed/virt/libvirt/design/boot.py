"""How a guest begins: machine, firmware, kernel, boot order; of a container its init."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.host_facts import DomainFacts
from computed.virt.libvirt.design.request import DirectBoot
from computed.virt.libvirt.xml.boot import FirmwareFeature, InitVariable, Os
from computed.virt.libvirt.xml.domain import Domain

_CONSOLE: Final = "console=tty0 console=ttyS0 console=hvc0"
_BOOT_DEVICES: Final = {"disk": "hd", "lun": "hd", "cdrom": "cdrom", "floppy": "fd"}
_SECURE_BOOT: Final = ("required", "disabled", "optional")
_KERNEL: Final = "kernel"
_RAMDISK: Final = "ramdisk"


def design_boot(draft: Draft, domain: Domain) -> None:
    """The `os` element. Raises InvalidVirtualMachineMode and what `design_firmware` raises."""
    domain.os = Os(type=draft.os_type)
    if draft.is_container:
        domain.os.init = "/sbin/init"
        domain.os.cmdline = _CONSOLE
        domain.os.init_variables = [InitVariable(name="product_name", value="OpenStack Nova")]
        return
    domain.os.arch = draft.machine.arch
    domain.os.machine = draft.machine.type
    if draft.machine.is_x86:
        domain.os.smbios_mode = "sysinfo"
    if _has_boot_menu(draft):
        domain.os.boot_menu = True
    _start_from(draft, domain.os)
    _design_firmware(draft, domain, domain.os)


def _has_boot_menu(draft: Draft) -> bool:
    of_image = draft.wishes.prop("hw_boot_menu")
    return draft.wishes.extra_flag("hw:boot_menu") if of_image is None else bool(of_image)


def _start_from(draft: Draft, os: Os) -> None:
    direct = _direct_boot(draft)
    if direct is None:
        if not draft.is_rescue:  # then the disks say themselves which is the first
            os.boot_devices = _boot_devices(draft)
        return
    root = next((disk.target for disk in draft.disks if disk.boot_order == 1), None)
    os.kernel = str(direct.kernel)
    os.initrd = None if direct.initrd is None else str(direct.initrd)
    command_line = None if draft.is_rescue else draft.wishes.prop("os_command_line")
    if not command_line:
        command_line = f"root=/dev/{root or 'vda'} {_CONSOLE}"
        if draft.options.virt_type == "qemu":
            command_line += " no_timer_check"
    os.cmdline = command_line


def _direct_boot(draft: Draft) -> DirectBoot | None:
    """The kernel that was given, or that of the image in the instance's directory."""
    if draft.request.direct_boot is not None or draft.is_rescue or not draft.instance.kernel_id:
        return draft.request.direct_boot
    paths = draft.request.paths
    initrd = paths.disk(_RAMDISK) if draft.instance.ramdisk_id else None
    return DirectBoot(kernel=paths.disk(_KERNEL), initrd=initrd)


def _boot_devices(draft: Draft) -> list[str]:
    ordered = sorted((disk.boot_order, disk.device) for disk in draft.disks if disk.boot_order is not None)
    return list(dict.fromkeys(_BOOT_DEVICES[device] for _, device in ordered))


def _design_firmware(draft: Draft, domain: Domain, os: Os) -> None:
    """UEFI: libvirt chooses the files when the guest is new, and a guest keeps those that it has.

    Raises UEFINotSupported, SecureBootNotSupported, FlavorImageConflict, Invalid.
    """
    wishes = draft.wishes
    kind = wishes.prop("hw_firmware_type") or ("uefi" if draft.machine.arch == "aarch64" else "bios")
    secure_boot = wishes.one_of("secure_boot", _SECURE_BOOT, prefix="os")
    if kind != "uefi":
        # Stock heeds it only for UEFI: its guests go on as they are, new ones get what their image requires.
        if secure_boot == "required" and draft.request.old is None:
            raise errors.SecureBootNotSupported(
                f"os_secure_boot is 'required' and hw_firmware_type is {kind!r}, which cannot boot securely."
            )
        return
    if draft.machine.type is None or not _supports(draft, "efi"):
        raise errors.UEFINotSupported(
            f"hw_firmware_type {kind!r} is asked for, and this host has no UEFI firmware for machine type "
            f"{draft.machine.type} on {draft.machine.arch}."
        )
    is_secure = secure_boot in ("required", "optional") and _can_boot_securely(draft)
    if secure_boot == "required" and not is_secure:
        raise errors.SecureBootNotSupported(
            f"os_secure_boot or os:secure_boot is {secure_boot!r}, and this host cannot boot machine type "
            f"{draft.machine.type} on {draft.machine.arch} securely."
        )
    # A libvirt that chooses the firmware refuses to be told secure=no; the feature says it.
    os.loader_secure = True if is_secure else None
    if wishes.prop("hw_firmware_stateless"):
        _check_stateless(draft)
        os.loader_stateless = True
    if _keeps_firmware(draft, domain, os):
        return
    os.firmware = "efi"
    os.firmware_features = [FirmwareFeature(enabled=is_secure, name="secure-boot")]


def _check_stateless(draft: Draft) -> None:
    arch, kind = draft.machine.arch, draft.machine.type or ""
    fitting = [each for each in draft.host.firmwares if any(of == arch for of, _ in each.targets)]
    if fitting and not any(each.is_stateless for each in fitting):
        raise errors.UEFINotSupported(
            f"hw_firmware_stateless is true, and this host has no stateless firmware for {kind} on {arch}."
        )


def _keeps_firmware(draft: Draft, domain: Domain, os: Os) -> bool:
    """Take over loader, NVRAM and SMM of the guest as it is defined, unless secure boot changes."""
    old = draft.request.old
    if old is None or old.os is None or not old.os.loader:
        return False
    if bool(old.os.loader_secure) != bool(os.loader_secure):
        return False
    os.loader_secure = bool(os.loader_secure)
    os.loader = old.os.loader
    os.loader_type = old.os.loader_type
    os.loader_readonly = old.os.loader_readonly
    os.nvram = old.os.nvram
    os.nvram_template = old.os.nvram_template
    if old.features is not None and old.features.smm and domain.features is not None:
        domain.features.smm = True
    return True


def _can_boot_securely(draft: Draft) -> bool:
    if draft.machine.arch == "x86_64" and not draft.machine.is_q35:
        return False
    return any(facts.supports_secure_loader for facts in _facts_to_ask(draft))


def _supports(draft: Draft, firmware: str) -> bool:
    return any(facts.firmwares is None or firmware in facts.firmwares for facts in _facts_to_ask(draft))


def _facts_to_ask(draft: Draft) -> tuple[DomainFacts, ...]:
    """Those of the machine itself, else of all machines of its architecture, else such as say nothing."""
    if draft.facts.firmwares is not None:
        return (draft.facts,)
    arch = draft.machine.arch
    return tuple(facts for (of, _), facts in draft.host.domains.items() if of == arch) or (draft.facts,)
