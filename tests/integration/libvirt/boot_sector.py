"""The smallest guest: a boot sector that says on its serial port how it was started, and sleeps."""

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
