"""Network devices: bridges, tap devices, VLANs and virtual functions, made by netlink and by nothing else.

Names are checked here, on the privileged side: what is deleted is a guest's tap device, never a host's card.
Errors are OSError (with the kernel's number) and ValueError (a name or number that is none).
"""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path
from typing import Any, Final

from computed.privileged import network_context, runs_in

_DEVICES: Final = Path("/sys/class/net")
_SETTINGS: Final = Path("/proc/sys/net")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,14}", re.ASCII)
_TAP_NAME: Final = re.compile(r"(tap|nic)[A-Za-z0-9_\-]{1,12}", re.ASCII)
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)


@runs_in(network_context)
def create_bridge(name: str, mtu: int) -> None:
    """Make a Linux bridge without addresses of its own and start it; one that is there stays as it is."""
    _check_name(name)
    if (_DEVICES / name).exists():
        return
    _link("add", ifname=name, kind="bridge", br_forward_delay=0, br_stp_state=0)
    _have_no_address(name)
    _link("set", index=_index(name), state="up", **_mtu(mtu))


@runs_in(network_context)
def ensure_tap(name: str, mac: str, mtu: int, is_multiqueue: bool) -> None:
    """Make a guest's tap device as far as it is not there and start it; `mac` "" and `mtu` 0 leave both to
    the kernel."""
    _check_tap(name)
    if not (_DEVICES / name).exists():
        _link("add", ifname=name, kind="tuntap", mode="tap", ifr={"multi_queue": bool(is_multiqueue)})
        _have_no_address(name)
    _link("set", index=_index(name), state="up", **_mtu(mtu), **_address(mac))


@runs_in(network_context)
def delete_tap(name: str) -> None:
    """Remove a guest's tap device; none is no error."""
    _check_tap(name)
    if not (_DEVICES / name / "tun_flags").exists():
        if (_DEVICES / name).exists():
            raise ValueError(f"{name} is not a tap device")
        return
    try:
        _link("del", index=_index(name))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


@runs_in(network_context)
def ensure_vlan(parent: str, name: str, tag: int) -> None:
    """Make the VLAN `tag` of a card as far as it is not there, and start it."""
    _check_name(parent)
    _check_name(name)
    _check_tag(tag)
    if not (_DEVICES / name).exists():
        _link("add", ifname=name, kind="vlan", link=_index(parent), vlan_id=tag)
    _link("set", index=_index(name), state="up")


@runs_in(network_context)
def set_virtual_function(parent: str, number: int, device: str, mac: str, tag: int) -> None:
    """Give virtual function `number` of a card an address and a VLAN (0: none); its own device goes up with a
    VLAN and down without."""
    _check_name(parent)
    _check_name(device)
    _check_number(number)
    _check_tag(tag)
    function = {"vf": number, "mac": _address(mac)["address"], "vlan": tag}
    _link("set", index=_index(parent), vf=function)
    _link("set", index=_index(device), state="up" if tag else "down", **_address(mac))


@runs_in(network_context)
def trust_virtual_function(parent: str, number: int, is_trusted: bool) -> None:
    """Let virtual function `number` of a card change its address and listen to all, or no longer."""
    _check_name(parent)
    _check_number(number)
    _link("set", index=_index(parent), vf={"vf": number, "trust": int(bool(is_trusted))})


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a network device")


def _check_tap(name: str) -> None:
    if not isinstance(name, str) or not _TAP_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a guest's tap device")


def _check_number(number: int) -> None:
    if not isinstance(number, int) or not 0 <= number < 1024:
        raise ValueError(f"{number!r} is not the number of a virtual function")


def _check_tag(tag: int) -> None:
    if not isinstance(tag, int) or not 0 <= tag < 4095:
        raise ValueError(f"{tag!r} is not a VLAN")


def _mtu(mtu: int) -> dict[str, int]:
    if not isinstance(mtu, int) or not (mtu == 0 or 68 <= mtu <= 65535):
        raise ValueError(f"{mtu!r} is not the size of a packet")
    return {"mtu": mtu} if mtu else {}


def _address(mac: str) -> dict[str, str]:
    if mac == "":
        return {}
    if not isinstance(mac, str) or not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is not a MAC address")
    return {"address": mac}


def _index(name: str) -> int:
    return socket.if_nametoindex(name)


def _have_no_address(name: str) -> None:
    """Keep the host off the guest's wire: no IPv6 address of its own, no answers for others' addresses."""
    for path, value in (
        (_SETTINGS / "ipv6/conf" / name / "disable_ipv6", "1"),
        (_SETTINGS / "ipv4/conf" / name / "arp_ignore", "1"),
        (_SETTINGS / "ipv4/conf" / name / "arp_announce", "2"),
    ):
        if path.exists():
            path.write_text(value)


def _link(command: str, **words: Any) -> None:
    # Only the helper process pays for loading it.
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as route:
            route.link(command, **words)
    except NetlinkError as error:
        raise OSError(error.code, f"the kernel refused to {command} {words}") from error
