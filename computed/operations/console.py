"""What a server has written on its console, and permission to reach the console itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from computed import errors, objects
from computed.states import VmState

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.context import RequestContext
    from computed.steps.host import ComputeHost
    from computed.virt.port import Driver
    from computed.virt.specs import ConsoleAddress


def get_console_output(
    host: ComputeHost, context: RequestContext, *, instance: Any, tail_length: int | str | None
) -> str:
    """The console log, or its last `tail_length` lines; what is not ASCII shows as a replacement character.

    Raises NotImplementedError, ConsoleNotAvailable, InstanceNotFound.
    """
    log = host.driver.console_output(context.elevated(), instance)
    return tail(log, tail_length).decode("ascii", "replace")


def tail(log: bytes, length: int | str | None) -> bytes:
    """The last `length` lines, all of them for None or a negative number, none for what is no number."""
    if length is None:
        return log
    try:
        count = int(length)
    except ValueError:
        count = 0
    if count < 0:
        # The API lets users say -1 for "as much as there is".
        return log
    return b"\n".join(log.split(b"\n")[-count:]) if count else b""


@dataclass(frozen=True)
class _Kind:
    """One kind of console: whether it is offered, its types with the addresses of their proxies, and who
    is asked where it is."""

    is_enabled: Callable[[cfg.ConfigOpts], bool]
    proxies: Mapping[str, Callable[[cfg.ConfigOpts], str]]
    ask: Callable[[Driver, Any, Any], ConsoleAddress]


_VNC: Final = _Kind(
    lambda conf: conf.vnc.enabled,
    {"novnc": lambda conf: conf.vnc.novncproxy_base_url},
    lambda driver, context, instance: driver.vnc_console(context, instance),
)
_SPICE: Final = _Kind(
    lambda conf: conf.spice.enabled,
    {
        "spice-html5": lambda conf: conf.spice.html5proxy_base_url,
        "spice-direct": lambda conf: conf.spice.spice_direct_proxy_base_url,
    },
    lambda driver, context, instance: driver.spice_console(context, instance),
)
_SERIAL: Final = _Kind(
    lambda conf: conf.serial_console.enabled,
    {"serial": lambda conf: conf.serial_console.base_url},
    lambda driver, context, instance: driver.serial_console(context, instance),
)
_MKS: Final = _Kind(
    lambda conf: conf.mks.enabled,
    {"webmks": lambda conf: conf.mks.mksproxy_base_url},
    lambda driver, context, instance: driver.mks_console(context, instance),
)
_KINDS: Final = {kind_type: kind for kind in (_VNC, _SPICE, _SERIAL, _MKS) for kind_type in kind.proxies}

Connection = dict[str, Any]
"""What the API is told of a console: host, port, internal_access_path, token, access_url; of a SPICE console
also tlsPort."""


def get_vnc_console(
    host: ComputeHost, context: RequestContext, *, console_type: str, instance: Any
) -> Connection:
    """A VNC console ("novnc"); raises as `_connect`."""
    return _connect(host, context, _VNC, console_type, instance)


def get_spice_console(
    host: ComputeHost, context: RequestContext, *, console_type: str, instance: Any
) -> Connection:
    """A SPICE console ("spice-html5", "spice-direct"); raises as `_connect`."""
    return _connect(host, context, _SPICE, console_type, instance)


def get_serial_console(
    host: ComputeHost, context: RequestContext, *, console_type: str, instance: Any
) -> Connection:
    """A serial console ("serial"); raises as `_connect`."""
    return _connect(host, context, _SERIAL, console_type, instance)


def get_mks_console(
    host: ComputeHost, context: RequestContext, *, console_type: str, instance: Any
) -> Connection:
    """An MKS console ("webmks"); raises as `_connect`."""
    return _connect(host, context, _MKS, console_type, instance)


def get_rdp_console(
    host: ComputeHost, context: RequestContext, *, console_type: str, instance: Any
) -> Connection:
    """Always NotImplementedError: the only driver that had RDP consoles is no more."""
    raise NotImplementedError("no driver has RDP consoles")


def validate_console_port(
    host: ComputeHost, context: RequestContext, *, instance: Any, port: str, console_type: str
) -> bool:
    """Whether the console of a token is still at that port: a proxy asks before it connects a user.

    A type that is not known is taken for VNC. Raises InstanceNotFound and what the driver raises.
    """
    address = _KINDS.get(console_type, _VNC).ask(host.driver, context, instance)
    return str(address.port) == str(port)


def _connect(
    host: ComputeHost, context: RequestContext, kind: _Kind, console_type: str, instance: Any
) -> Connection:
    """Ask the driver where the console is and the conductor for a token that opens it for a while.

    Raises ConsoleTypeUnavailable, ConsoleTypeInvalid, InstanceNotFound, InstanceNotReady while the server is
    being built, NotImplementedError.
    """
    if not kind.is_enabled(host.conf):
        raise errors.ConsoleTypeUnavailable(console_type=console_type)
    proxy = kind.proxies.get(console_type)
    if proxy is None:
        raise errors.ConsoleTypeInvalid(console_type=console_type)
    try:
        address = kind.ask(host.driver, context.elevated(), instance)
    except errors.InstanceNotFound:
        if instance.vm_state != VmState.BUILDING:
            raise
        raise errors.InstanceNotReady(instance_id=instance.uuid) from None
    base_url = proxy(host.conf)
    token = _authorize(host, context.elevated(), instance, console_type, address, base_url)
    connection: Connection = {
        "host": address.host,
        "port": address.port,
        "internal_access_path": address.internal_access_path,
        "token": token,
        "access_url": access_url(base_url, console_type, token),
    }
    if kind is _SPICE:
        connection["tlsPort"] = address.tls_port
    return connection


def _authorize(
    host: ComputeHost, context: Any, instance: Any, console_type: str, address: ConsoleAddress, base_url: str
) -> str:
    """A token of the conductor, which keeps its hash only; one conductor call."""
    # The proxy for direct SPICE opens no path.
    path = None if console_type == "spice-direct" else address.internal_access_path
    permission = objects.ConsoleAuthToken(
        context=context,
        console_type=console_type,
        host=address.host,
        port=address.port,
        internal_access_path=path,
        instance_uuid=instance.uuid,
        access_url_base=base_url,
        **({"tls_port": address.tls_port} if address.tls_port is not None else {}),
    )
    host.console_tokens.note(instance.uuid, host.conf.consoleauth.token_ttl)
    return str(permission.authorize(host.conf.consoleauth.token_ttl))


def access_url(base_url: str, console_type: str, token: str) -> str:
    """The address that a user opens. noVNC takes the token inside its parameter `path`, the others as one
    of their own (contract: what stock's API shows)."""
    if console_type != "novnc":
        return f"{base_url}?token={token}"
    parts = urlsplit(base_url)
    query = parse_qs(parts.query)
    path = query.get("path", [""])[0]
    return parts._replace(query=urlencode({**query, "path": f"{path}?token={token}"}, doseq=True)).geturl()
