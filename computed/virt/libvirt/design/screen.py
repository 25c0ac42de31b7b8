"""What a guest shows and is typed on."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.machine import PPC
from computed.virt.libvirt.xml.devices.display import Graphics, Input, Sound, SpiceChannel, Video
from computed.virt.libvirt.xml.domain import Domain

_KIB_PER_MIB: Final = 1024
_VIDEO_MODELS: Final = ("cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs")
_SOUND_MODELS: Final = ("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio")
_SPICE_CHANNELS: Final = (
    "main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir",
)  # fmt: skip


def design_sound(draft: Draft, domain: Domain) -> None:
    """hw:sound_model or hw_sound_model. Raises FlavorImageConflict, Invalid."""
    model = None if draft.is_container else draft.wishes.one_of("sound_model", _SOUND_MODELS)
    if model is not None:
        domain.sounds.append(Sound(model=model))


def design_screen(draft: Draft, domain: Domain) -> None:
    """VNC, SPICE, and with either of them a graphics card, a pointer and a keyboard.

    Raises InvalidVideoMode, RequestedVRamTooHigh, Invalid.
    """
    if draft.is_container:
        return
    options = draft.options
    if options.vnc_enabled:
        domain.graphics.append(Graphics(type="vnc", autoport=True, listen=options.vnc_listen))
    if options.spice.is_enabled:
        known = draft.facts.graphics
        if known is not None and "spice" not in known:
            raise errors.Invalid("[spice]enabled is true, and this host's QEMU has no SPICE.")
        domain.graphics.append(_spice(draft))
    if not domain.graphics:
        return
    domain.videos.append(_video(draft))
    bus = draft.wishes.prop("hw_input_bus")
    pointer_bus = _pointer_bus(draft, bus)
    if pointer_bus is not None:
        domain.inputs.append(Input(type="tablet", bus=pointer_bus))
    # An ARM machine has no keyboard of its own, other machines get one from libvirt.
    keyboard_bus = bus or ("usb" if draft.machine.arch == "aarch64" else None)
    if keyboard_bus is not None:
        domain.inputs.append(Input(type="keyboard", bus=keyboard_bus))


def _spice(draft: Draft) -> Graphics:
    spice = draft.options.spice
    channels = _SPICE_CHANNELS if spice.require_secure else ()
    return Graphics(
        type="spice",
        autoport=True,
        listen=spice.listen,
        image_compression=spice.image_compression,
        jpeg_compression=spice.jpeg_compression,
        zlib_compression=spice.zlib_compression,
        playback_compression=spice.playback_compression,
        streaming_mode=spice.streaming_mode,
        channels=[SpiceChannel(name=name, mode="secure") for name in channels],
    )


def _video(draft: Draft) -> Video:
    asked = draft.wishes.prop("hw_video_model")
    known = draft.facts.video_models
    if asked and (asked not in _VIDEO_MODELS or (known is not None and asked not in known)):
        raise errors.InvalidVideoMode(f"This host's QEMU has no hw_video_model {asked!r}.")
    video = Video(model=asked or ("vga" if draft.machine.arch in PPC else "virtio"))
    memory_mib = draft.wishes.prop("hw_video_ram") or 0
    most_mib = draft.wishes.number("hw_video:ram_max_mb") or 0
    if memory_mib > most_mib:
        raise errors.RequestedVRamTooHigh(
            f"Image property hw_video_ram is {memory_mib} MiB; hw_video:ram_max_mb allows {most_mib}."
        )
    video.vram_kib = memory_mib * _KIB_PER_MIB or None
    return video


def _pointer_bus(draft: Draft, asked: str | None) -> str | None:
    options = draft.options
    if asked is None and not draft.wishes.prop("hw_pointer_model") and options.pointer_model != "usbtablet":
        return None
    # The SPICE agent brings a pointer that costs less; VNC needs the tablet all the same.
    if options.spice.is_enabled and options.spice.has_agent and not options.vnc_enabled:
        return None
    return asked or "usb"
