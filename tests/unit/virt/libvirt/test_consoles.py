"""Where consoles are, read from the definitions of guests."""

import socket

import pytest

from computed import errors
from computed.virt.libvirt import consoles, serial_ports
from computed.virt.libvirt.serial_ports import SerialPorts
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.specs import ConsoleAddress

RUNNING = """
<domain type='qemu'><devices>
  <serial type='tcp'>
    <source mode='bind' host='127.0.0.1' service='10007'/><protocol type='raw'/><target port='0'/>
  </serial>
  <serial type='tcp'><source mode='connect' host='127.0.0.1' service='10008'/><target port='1'/></serial>
  <serial type='tcp'><source mode='bind' host='127.0.0.1' service='10009'/><target port='2'/></serial>
  <graphics type='vnc' port='5903' autoport='yes' listen='0.0.0.0'/>
  <graphics type='spice' port='5904' tlsPort='5905' autoport='yes'/>
</devices></domain>"""
STOPPED = """
<domain type='qemu'><devices>
  <serial type='pty'><target port='0'/></serial>
  <graphics type='vnc' port='-1' autoport='yes'/>
</devices></domain>"""


def test_screens_of_a_running_guest():
    domain = Domain.from_xml(RUNNING)
    assert consoles.screen(domain, "vnc", "10.0.0.1") == ConsoleAddress("10.0.0.1", 5903)
    assert consoles.screen(domain, "spice", "10.0.0.2") == ConsoleAddress("10.0.0.2", 5904, tls_port=5905)


def test_a_spice_screen_with_nothing_but_tls():
    domain = Domain.from_xml("<domain><devices><graphics type='spice' tlsPort='5905'/></devices></domain>")
    assert consoles.screen(domain, "spice", "a") == ConsoleAddress("a", 0, tls_port=5905)


def test_a_stopped_guest_listens_nowhere():
    domain = Domain.from_xml(STOPPED)
    with pytest.raises(errors.ConsoleNotAvailable):
        consoles.screen(domain, "vnc", "10.0.0.1")
    with pytest.raises(errors.ConsoleTypeUnavailable, match="spice"):
        consoles.screen(domain, "spice", "10.0.0.1")
    with pytest.raises(errors.ConsoleTypeUnavailable, match="serial"):
        consoles.serial(domain)


def test_serial_ports_that_listen():
    domain = Domain.from_xml(RUNNING)
    assert list(serial_ports.listening(domain)) == [("127.0.0.1", 10007), ("127.0.0.1", 10009)]
    assert consoles.serial(domain) == ConsoleAddress("127.0.0.1", 10007)


def test_ports_are_given_out_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        first = taken.getsockname()[1]
        ports = SerialPorts("127.0.0.1", (first, first + 20))
        given = ports.of("a", 2)
        assert first not in given and len(set(given)) == 2
        assert ports.of("a", 2) == given
        assert ports.of("a", 3)[:2] == given
        assert not set(ports.of("b", 2)) & set(ports.of("a", 3))
        with pytest.raises(errors.SocketPortRangeExhaustedException):
            ports.of("c", 20)
        ports.release("a")
        assert ports.of("c", 2) == given
        assert ports.of("d", 0) == ()


@pytest.mark.parametrize(
    ("text", "found"), [("1:5", (1, 5)), ("10:10", (10000, 20000)), ("9:3", (10000, 20000))]
)
def test_the_range(text, found):
    assert serial_ports.parse_range(text) == found
