"""The smallest guests: 16-bit code that says on its serial port how it was started, and sleeps."""

from __future__ import annotations

from typing import Final

SECTOR_BYTES: Final = 512
_CODE: Final = bytes.fromhex(
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "be187c"  # mov si, 0x7c00 + the length of this code
    "baf803"  # mov dx, 0x3f8 (the first serial port)
    "ac"  # next: lodsb
    "84c0"  # test al, al
    "7403"  # jz end
    "ee"  # out dx, al
    "ebf8"  # jmp next
    "fb"  # end: sti
    "f4"  # sleep: hlt
    "ebfd"  # jmp sleep
    "9090"  # to an even address
)


def boot_sector(text: str) -> bytes:
    """Boots in real mode, so also where KVM cannot run more than that; prints `text`."""
    code = _CODE + text.encode("ascii") + b"\r\n\0"
    assert len(code) <= SECTOR_BYTES - 2
    return code.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


assert len(_CODE) == 0x18

_READY = b"GUEST ready mode=real\r\n\0"
_START = {"sector": "31c08ed8", "rom": "0e1f"}
"""ds = 0, where a boot sector is; ds = cs, where the ROM is."""
_PRINT = (
    "be0000"  # si = address of the text, filled in below
    "fcac"  # the next byte
    "84c07412"  # its end: halt
    "88c4bafd03eca82074f8"  # until the port at 0x3f8 takes a byte
    "88e0baf803eeebe9"  # send it, to the next byte
    "f4ebfd"  # halt
)


def _printing(kind: str, origin: int) -> bytes:
    """16-bit code that prints one line to the first serial port and halts."""
    code = bytearray.fromhex("fa" + _START[kind] + _PRINT)
    where = code.index(b"\xbe\0\0") + 1
    code[where : where + 2] = (origin + len(code)).to_bytes(2, "little")
    return bytes(code) + _READY


def partitioned_disk() -> bytes:
    """A disk whose boot record says `GUEST ready mode=real`; with a partition, for a record without any is
    refused as a trap."""
    partition = b"\x80\0\0\0\x83\0\0\0" + (1).to_bytes(4, "little") + (2000).to_bytes(4, "little")
    record = _printing("sector", 0x7C00).ljust(446, b"\0") + partition.ljust(64, b"\0") + b"\x55\xaa"
    return record + bytes(1 << 20)


def rom() -> bytes:
    """The same for a processor to start with, in place of a BIOS: its last paragraph jumps to f000:0000."""
    return _printing("rom", 0).ljust(0xFFF0, b"\0") + b"\xea\0\0\0\xf0".ljust(16, b"\0")
