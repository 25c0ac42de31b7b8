"""The network model: what an instance's info cache says of its interfaces, as dictionaries of fixed keys.

Keys are those of the wire (contract objects.json, `network_model`); `meta` holds everything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self


class Model(dict[str, Any]):
    """A dictionary with every key of its kind present, and whatever else it is given under `meta`."""

    KEYS: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        meta = dict(values.pop("meta", None) or {})
        for key, default in self.KEYS.items():
            given = values.pop(key, None)
            self[key] = given if given is not None else (default() if callable(default) else default)
        meta.update(values)
        self["meta"] = meta

    @classmethod
    def hydrate(cls, data: Mapping[str, Any]) -> Self:
        """The model of a dictionary as it came from JSON."""
        return cls(**data)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(**json.loads(json.dumps(self)))

    def plain(self) -> dict[str, Any]:
        """The same as plain JSON, as a result on the wire has to be."""
        data: dict[str, Any] = json.loads(json.dumps(self))
        return data

    def meta(self, key: str, default: Any = None) -> Any:
        """A value of `meta`."""
        return self["meta"].get(key, default)


def _version_of(address: Any) -> int | None:
    if not address:
        return None
    return 6 if ":" in str(address) else 4


class IP(Model):
    """An address: a DNS server, a gateway."""

    KEYS = {"address": None, "type": None, "version": None}

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self["version"] is None:
            self["version"] = _version_of(self["address"])


class FixedIP(IP):
    """An address of an interface, with the floating addresses that lead to it."""

    KEYS = {"address": None, "type": "fixed", "version": None, "floating_ips": list}

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self["floating_ips"] = [IP.hydrate(ip) for ip in self["floating_ips"]]


class Route(Model):
    """A static route of a subnet."""

    KEYS = {"cidr": None, "gateway": None, "interface": None}

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if isinstance(self["gateway"], dict):
            self["gateway"] = IP.hydrate(self["gateway"])


class Subnet(Model):
    """A subnet, with those of its addresses that the interface has."""

    KEYS = {"cidr": None, "dns": list, "gateway": None, "ips": list, "routes": list, "version": None}

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self["dns"] = [IP.hydrate(ip) for ip in self["dns"]]
        self["ips"] = [FixedIP.hydrate(ip) for ip in self["ips"]]
        self["routes"] = [Route.hydrate(route) for route in self["routes"]]
        if isinstance(self["gateway"], dict):
            self["gateway"] = IP.hydrate(self["gateway"])
        if self["version"] is None and self["cidr"]:
            self["version"] = _version_of(str(self["cidr"]).partition("/")[0])


class Network(Model):
    """A network, with its subnets."""

    KEYS = {"id": None, "bridge": None, "label": None, "subnets": list}

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self["subnets"] = [Subnet.hydrate(subnet) for subnet in self["subnets"]]


class VIF(Model):
    """One interface of an instance (a port)."""

    KEYS = {
        "id": None,
        "address": None,
        "network": None,
        "type": None,
        "details": dict,
        "devname": None,
        "ovs_interfaceid": None,
        "qbh_params": None,
        "qbg_params": None,
        "active": False,
        "vnic_type": "normal",
        "profile": None,
        "preserve_on_delete": False,
        "delegate_create": False,
    }

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self["network"] is not None:
            self["network"] = Network.hydrate(self["network"])

    def fixed_ips(self) -> list[FixedIP]:
        """Every address of the interface."""
        network = self["network"] or {"subnets": []}
        return [ip for subnet in network["subnets"] for ip in subnet["ips"]]

    def floating_ips(self) -> list[IP]:
        """Every floating address that leads to the interface."""
        return [floating for ip in self.fixed_ips() for floating in ip["floating_ips"]]

    def physical_network(self) -> str | None:
        """The provider's name of the wire; the network's word goes before that of the binding."""
        of_network = self["network"].meta("physical_network") if self["network"] else None
        name: str | None = of_network or self["details"].get("physical_network")
        return name

    def has_allocation(self) -> bool:
        """Whether placement holds resources (bandwidth, packet rate) for the port."""
        return bool((self["profile"] or {}).get("allocation"))


class NetworkInfo(list[VIF]):
    """The interfaces of an instance, in order."""

    @classmethod
    def hydrate(cls, vifs: list[Mapping[str, Any]]) -> NetworkInfo:
        """The model of a list as it came from JSON."""
        return cls(vif if isinstance(vif, VIF) else VIF.hydrate(vif) for vif in vifs)

    @classmethod
    def from_json(cls, text: str) -> NetworkInfo:
        """The model of JSON text; raises ValueError for anything else."""
        return cls.hydrate(json.loads(text))

    def json(self) -> str:
        """JSON text, as the info cache carries it."""
        return json.dumps(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> NetworkInfo:
        return NetworkInfo.from_json(self.json())

    def vif(self, port_id: str) -> VIF | None:
        """The interface of a port, or None."""
        return next((vif for vif in self if vif["id"] == port_id), None)

    def fixed_ips(self) -> Iterator[FixedIP]:
        """Every address of every interface."""
        for vif in self:
            yield from vif.fixed_ips()
