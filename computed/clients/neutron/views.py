"""What every part of the neutron client stands on: whose token asks, and ports described as NetworkInfo."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.clients.neutron import info, ports
from computed.clients.neutron.rest import NeutronRest
from computed.clients.neutron.wanted import Asker
from computed.objects.network_model import NetworkInfo

if TYPE_CHECKING:
    from oslo_config import cfg

Record = Mapping[str, Any]
AdapterMaker = Callable[[Any, bool], Any]


class ProviderFacts:
    """The physical side of networks, remembered: it never changes while the network exists.

    Saves a request at each boot for which the network was found with the user's token.
    """

    def __init__(self, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._known: dict[str, tuple[float, Record]] = {}

    def complete(self, admin: NeutronRest, network: Record) -> Record:
        """`network` with its physical side, read as administrator unless it is there or known."""
        if "provider:network_type" in network or "segments" in network:
            return network
        read_at, facts = self._known.get(network["id"], (0.0, {}))
        if not facts or time.monotonic() - read_at > self._keep_seconds:
            found = admin.search("networks", id=[network["id"]])
            facts = {
                key: value
                for key, value in (found[0] if found else {}).items()
                if key.startswith("provider:") or key == "segments"
            }
            self._known[network["id"]] = time.monotonic(), facts
        return {**network, **facts}


class Extensions:
    """The extensions that neutron has, asked again after `keep_seconds`."""

    def __init__(self, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._read_at = 0.0
        self._aliases: frozenset[str] = frozenset()

    def has(self, admin: NeutronRest, alias: str) -> bool:
        """Whether neutron has the extension; raises what a request raises."""
        if not self._aliases or time.monotonic() - self._read_at > self._keep_seconds:
            self._aliases = frozenset(known["alias"] for known in admin.search("extensions"))
            self._read_at = time.monotonic()
        return alias in self._aliases


class Views:
    """Neutron as the user and as administrator see it. `requests` counts what was asked, by "METHOD noun"."""

    def __init__(self, conf: cfg.ConfigOpts, *, adapters: AdapterMaker | None = None) -> None:
        self._conf = conf
        self._adapters = adapters or self._adapter
        self._facts = ProviderFacts(conf.neutron.extension_sync_interval)
        self._extensions = Extensions(conf.neutron.extension_sync_interval)
        self._counting = threading.Lock()
        self.requests: Counter[str] = Counter()

    def _read(self, admin: NeutronRest, instance: Any, there: Sequence[Record]) -> NetworkInfo:
        """`there`, the ports of the instance: those of the info cache in its order, then others.

        Four requests, however many ports there are; none when there is no port.
        """
        if not there:
            return NetworkInfo()
        known = cached(instance)
        place = {vif["id"]: number for number, vif in enumerate(known)}
        there = sorted(there, key=lambda p: place.get(p["id"], len(place)))
        networks = {n["id"]: n for n in admin.search("networks", id=[p["network_id"] for p in there])}
        given = frozenset(vif["id"] for vif in known if vif["preserve_on_delete"])
        return self._describe(admin, there, networks, given, _floating_ips(admin, there))

    def _describe(
        self,
        admin: NeutronRest,
        described: Sequence[Record],
        networks: Mapping[str, Record],
        given: frozenset[str],
        floating_ips: Sequence[Record] = (),
    ) -> NetworkInfo:
        subnets = admin.search("subnets", id=info.subnet_ids(described))
        with_dhcp = {subnet["network_id"] for subnet in subnets}
        records = info.Records(
            networks=networks,
            subnets=subnets,
            dhcp_ports=admin.search("ports", network_id=with_dhcp, device_owner="network:dhcp"),
            floating_ips=floating_ips,
            preserved_port_ids=given,
            ovs_bridge=self._conf.neutron.ovs_bridge,
            injected=self._conf.flat_injected,
        )
        return NetworkInfo.hydrate([info.vif(port, records) for port in described])

    @staticmethod
    def _ports_of(admin: NeutronRest, instance: Any) -> list[dict[str, Any]]:
        return admin.search("ports", device_id=instance.uuid, tenant_id=instance.project_id)

    def _asker(self, context: Any, instance: Any) -> Asker:
        if not instance.project_id:
            raise errors.InvalidInput(reason=f"instance {instance.uuid} belongs to no project")
        user, admin = self._views(context)
        return Asker(
            user, admin, instance.uuid, instance.project_id, instance.hostname, bool(context.is_admin)
        )

    def _views(self, context: Any) -> tuple[NeutronRest, NeutronRest]:
        """(as the user, as administrator); a context of our own, which has no token, is administrator."""
        admin = self._admin(context)
        if context.auth_token:
            return self._rest(context, context.is_admin, self._adapters(context, False)), admin
        if not context.is_admin:
            raise errors.Unauthorized()
        return admin, admin

    def _admin(self, context: Any) -> NeutronRest:
        return self._rest(context, True, self._adapters(context, True))

    def _rest(self, context: Any, is_admin: bool, adapter: Any) -> NeutronRest:
        retries = getattr(adapter, "connect_retries", None)
        if retries is None:
            retries = self._conf.neutron.http_retries
        return NeutronRest(adapter, is_admin=is_admin, retries=retries, count=self._count)

    def _adapter(self, context: Any, admin: bool) -> Any:
        from computed.clients.keystone import adapter_for

        return adapter_for(self._conf, "neutron", context=context, admin=admin)

    def _count(self, what: str) -> None:
        with self._counting:
            self.requests[what] += 1


def device_owner(instance: Any) -> str:
    """What neutron shall show as the owner of the instance's ports."""
    return f"compute:{instance.availability_zone}"


def cached(instance: Any) -> Sequence[Record]:
    """The interfaces in the info cache that came with the instance; nothing is fetched for it."""
    if not instance.obj_attr_is_set("info_cache") or instance.info_cache is None:
        return ()
    return instance.info_cache.network_info or ()


def given_ports(instance: Any, requested: Any = None) -> set[str]:
    """Ports that the user gave: those that `requested` names and those the info cache marks so."""
    given = {str(r.port_id) for r in requested or () if r.port_id}
    return given | {vif["id"] for vif in cached(instance) if vif["preserve_on_delete"]}


class Freeing:
    """Gives back ports of an instance: those that were made for it are deleted, the given ones released."""

    def __init__(self, user: NeutronRest, admin: NeutronRest, given: set[str]) -> None:
        self._user, self._admin, self._given = user, admin, given
        self._domains: dict[str, str] = {}

    def look_up(self, there: Iterable[Record]) -> None:
        """Ask for the DNS domains that releasing `there` needs."""
        self._domains = _dns_domains(self._admin, [p for p in there if p["id"] in self._given])

    def free(self, port: Record) -> None:
        """Give one port back; one that is gone is as good as given back."""
        if port["id"] in self._given:
            ports.release(self._user, self._admin, port, self._domains.get(port["network_id"], ""))
        else:
            ports.delete(self._user, self._admin, port["id"])


def _dns_domains(admin: NeutronRest, given: Iterable[Record]) -> dict[str, str]:
    """DNS domains by network, asked only when a port bears a name (neutron then has DNS integration)."""
    networks = {p["network_id"] for p in given if p.get("dns_name")}
    return {n["id"]: n.get("dns_domain") or "" for n in admin.search("networks", id=networks)}


def _floating_ips(admin: NeutronRest, described: Sequence[Record]) -> list[dict[str, Any]]:
    """Floating addresses of the ports; a neutron without routers answers 404 and has none."""
    try:
        return admin.search("floatingips", port_id=[p["id"] for p in described])
    except errors.NetworkRequestRefused as exc:
        if exc.status != 404:
            raise
        return []
