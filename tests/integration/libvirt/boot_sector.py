"""The smallest guests: 16-bit code that says on its serial port how it was started, and sleeps."""

from __future__ import annotations

from typing import Final

SECTOR_BYTES: Final = 512
_SECTOR_ADDRESS: Final = 0x7C00
_READY: Final = "GUEST ready mode=real"
_START: Final = {"sector": "31c08ed8", "rom": "0e1f"}
"""ds = 0, where a boot sector is; ds = cs, where the ROM is."""
_PRINT: Final = (
    "be0000"  # si = address of the text, filled in below
    "fcac"  # the next byte
    "84c07412"  # its end: halt
    "88c4bafd03eca82074f8"  # until the port at 0x3f8 takes a byte
    "88e0baf803eeebe9"  # send it, to the next byte
    "f4ebfd"  # halt
)


def boot_sector(text: str = _READY) -> bytes:
    """Boots in real mode, so also where KVM cannot run more than that; prints `text`."""
    code = _printing("sector", _SECTOR_ADDRESS, text)
    assert len(code) <= SECTOR_BYTES - 2
    return code.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def partitioned_disk(text: str = _READY) -> bytes:
    """A disk of 1 MiB that boots as `boot_sector` does; with a partition, for a boot record without any is
    refused as a trap."""
    partition = b"\x80\0\0\0\x83\0\0\0" + (1).to_bytes(4, "little") + (2000).to_bytes(4, "little")
    sector = boot_sector(text)
    return (sector[:446] + partition.ljust(64, b"\0") + sector[510:]).ljust(1 << 20, b"\0")


def rom() -> bytes:
    """The same for a processor to start with, in place of a BIOS: its last paragraph jumps to f000:0000."""
    return _printing("rom", 0, _READY).ljust(0xFFF0, b"\0") + b"\xea\0\0\0\xf0".ljust(16, b"\0")


def _printing(kind: str, origin: int, text: str) -> bytes:
    """16-bit code that prints one line to the first serial port and halts."""
    code = bytearray.fromhex("fa" + _START[kind] + _PRINT)
    where = code.index(b"\xbe\0\0") + 1
    code[where : where + 2] = (origin + len(code)).to_bytes(2, "little")
    return bytes(code) + text.encode("ascii") + b"\r\n\0"
