"""Neutron's refusals put into the errors that the rest of nova knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from computed import errors


@dataclass(frozen=True)
class About:
    """What a request was about: the words for its error, should it fail."""

    what: str
    port_id: str | None = None
    network_id: str | None = None
    address: str | None = None
    mac_address: str | None = None


Maker = Callable[[About, str], Exception]

# NeutronError types (answers recorded from neutron 29) and the class a nova service expects for each.
_BY_TYPE: Mapping[str, Maker] = {
    "OverQuota": lambda about, text: errors.PortLimitExceeded(overs="ports"),
    "IpAddressGenerationFailure": lambda about, text: errors.NoMoreFixedIps(net=about.network_id),
    "IpAddressInUse": lambda about, text: _address_in_use(about),
    "IpAddressAlreadyAllocated": lambda about, text: _address_in_use(about),
    "InvalidIpForNetwork": lambda about, text: errors.InvalidInput(
        reason=f"address {about.address} does not fit network {about.network_id}"
    ),
    "InvalidIpForSubnet": lambda about, text: errors.InvalidInput(
        reason=f"address {about.address} does not fit network {about.network_id}"
    ),
    "MacAddressInUse": lambda about, text: errors.PortInUse(port_id=about.mac_address or about.port_id),
    "HostNotCompatibleWithFixedIps": lambda about, text: errors.FixedIpInvalidOnHost(port_id=about.port_id),
    "PortNotFound": lambda about, text: errors.PortNotFound(port_id=about.port_id),
    "NetworkNotFound": lambda about, text: errors.NetworkNotFound(network_id=about.network_id),
    "SecurityGroupNotFound": lambda about, text: errors.SecurityGroupNotFound(text),
}


def _address_in_use(about: About) -> Exception:
    return errors.FixedIpAlreadyInUse(f"Address {about.address} is in use.")


def error_for(status: int, body: Any, about: About, *, is_admin: bool) -> Exception:
    """The error for an answer with HTTP `status` >= 400 and the decoded JSON `body` (None when it had none).

    Only neutron's own type and message enter the text, never a header of the request.
    """
    kind, text = _read(body)
    maker = _BY_TYPE.get(kind)
    if maker is not None:
        return maker(about, text)
    if status == 401:
        return errors.NeutronAdminCredentialConfigurationInvalid() if is_admin else errors.Unauthorized()
    if status == 403:
        return errors.Forbidden(f"Neutron does not allow to {about.what}: {text}")
    if status >= 500:
        return errors.NetworkServiceUnavailable(f"Neutron failed to {about.what}: HTTP {status} {text}")
    return errors.NetworkRequestRefused(
        f"Neutron refused to {about.what}: HTTP {status} {kind} {text}".strip(), status
    )


def _read(body: Any) -> tuple[str, str]:
    """Type and message of a NeutronError body; older and foreign answers carry a bare string."""
    fault = body.get("NeutronError") if isinstance(body, Mapping) else None
    if isinstance(fault, Mapping):
        return str(fault.get("type", "")), str(fault.get("message", ""))
    return "", fault if isinstance(fault, str) else ""
