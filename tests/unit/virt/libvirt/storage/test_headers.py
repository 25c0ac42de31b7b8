"""The checks of headers by themselves: they hold even where the format inspector lets something pass."""

import pytest

from computed.virt.libvirt.storage.headers import Trap, check_qcow2, hidden_format, qcow2_backing_file
from tests.unit.virt.libvirt.storage.hostile import extension, qcow2_bytes


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"backing": b"/etc/passwd"}, "backing file"),
        ({"version": 2, "backing": b"/etc/passwd"}, "backing file"),
        ({"features": 4}, "data file"),
        ({"extensions": extension(0x44415441, b"/etc/passwd")}, "data file"),
        ({"extensions": extension(1, b"x" * 70000), "total": 1 << 18}, "no end"),
        ({"crypt": 1}, "encrypted"),
        ({"cluster_bits": 8}, "clusters"),
        ({"cluster_bits": 22}, "clusters"),
    ],
)
def test_a_qcow2_that_leads_out_of_itself_is_a_trap(more, reason):
    contents = qcow2_bytes(**more)
    with pytest.raises(Trap, match=reason):
        check_qcow2(contents, len(contents))


def test_an_honest_qcow2_is_none():
    check_qcow2(qcow2_bytes(), len(qcow2_bytes()))


def test_what_a_disk_lies_on():
    assert qcow2_backing_file(qcow2_bytes(backing=b"/base/x")) == "/base/x"
    assert qcow2_backing_file(qcow2_bytes()) is None
    for broken in (b"raw", qcow2_bytes()[:60], qcow2_bytes(backing=b"/base/x")[:115]):
        with pytest.raises(Trap):
            qcow2_backing_file(broken)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"", None),
        (b"\0" * 512, None),
        (b"#comment only\n# more\n", None),
        (b"# comment\r\n  VERSION = 2\n", "vmdk"),
        (b"text\nversion=1\n", None),
        (b"QFI\xfb", "qcow"),
        (b"\0" * 64 + b"\x7f\x10\xda\xbe", "vdi"),
    ],
)
def test_what_a_tool_that_guesses_would_take_a_file_for(head, found):
    assert hidden_format(head) == found
