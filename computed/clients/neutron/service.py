"""NeutronNetwork: the network service of the instances, made of neutron's REST calls."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging

from computed import errors
from computed.clients.neutron import info, ports, wanted
from computed.clients.neutron.ports import Binding
from computed.clients.neutron.rest import NeutronRest
from computed.clients.neutron.wanted import Asker, Wanted
from computed.lib.undo import UndoStack, undo_on_error
from computed.objects.network_model import NetworkInfo

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

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


class NeutronNetwork:
    """Implements clients.network.NetworkService with neutron.

    `requests` counts what was asked, by "METHOD noun". Errors: the NovaException family that each method
    names; NetworkServiceUnavailable when neutron did not answer, NetworkRequestRefused for a refusal with
    no class of its own.
    """

    def __init__(self, conf: cfg.ConfigOpts, *, adapters: AdapterMaker | None = None) -> None:
        self._conf = conf
        self._adapters = adapters or self._adapter
        self._facts = ProviderFacts(conf.neutron.extension_sync_interval)
        self._counting = threading.Lock()
        self.requests: Counter[str] = Counter()

    def allocate(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        requested: Any,
        security_groups: Sequence[str],
        providers: Mapping[str, Sequence[str]] | None = None,
    ) -> NetworkInfo:
        """Make or take ports and bind them to `host`; on failure everything is given back.

        `providers` maps resource request ids of given ports to the provider uuids that serve them.
        Raises what wanted.find, wanted.security_group_ids, wanted.check_security, ports.make and
        ports.bind raise.
        """
        requests = list(requested or ())
        if getattr(requested, "no_allocate", False):
            return NetworkInfo()
        asker = self._asker(context, instance)
        found = wanted.find(asker, requests, self._facts)
        if not found:
            return NetworkInfo()
        group_ids = wanted.security_group_ids(asker, security_groups)
        wanted.check_security(found, group_ids)
        owner = _device_owner(instance)
        try:
            with undo_on_error() as undo:
                taken = [_take(asker, one, group_ids, undo) for one in found]
                bound = [
                    _bind(asker, one, port, Binding(owner, host, providers or {}), undo)
                    for one, port in zip(found, taken, strict=True)
                ]
                networks = {one.network["id"]: one.network for one in found}
                given = frozenset(one.port["id"] for one in found if one.port is not None)
                return self._describe(asker.admin, bound, networks, given)
        except errors.NetworkServiceUnavailable:
            self._delete_strays(asker, found, instance)
            raise

    def _delete_strays(self, asker: Asker, found: Sequence[Wanted], instance: Any) -> None:
        """Delete ports that an unanswered request may have made after all.

        They bear the instance's uuid, are on its networks, and nobody has bound them.
        """
        keep = {vif["id"] for vif in _cached(instance)}
        try:
            on = [one.network["id"] for one in found if one.port is None]
            for port in asker.admin.search("ports", device_id=asker.instance_uuid, network_id=on):
                if not port["device_owner"] and port["id"] not in keep:
                    ports.delete(asker.user, asker.admin, port["id"])
        except Exception as exc:
            LOG.warning("Ports may be left behind in neutron for instance %s: %s", asker.instance_uuid, exc)

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Delete the ports made for the instance and release those it was given; idempotent.

        Given are the ports that `requested` names and those the info cache marks so. Every port is tried;
        the first error is raised at the end.
        """
        user, admin = self._views(context)
        given = {str(r.port_id) for r in requested or () if r.port_id}
        given |= {vif["id"] for vif in _cached(instance) if vif["preserve_on_delete"]}
        # Only ports that bear the instance's uuid: one that was refused it may serve another by now.
        there = admin.search("ports", device_id=instance.uuid)
        domains = _dns_domains(admin, [p for p in there if p["id"] in given])
        failures: list[Exception] = []
        for port in there:
            try:
                if port["id"] in given:
                    ports.release(user, admin, port, domains.get(port["network_id"], ""))
                else:
                    ports.delete(user, admin, port["id"])
            except Exception as exc:
                LOG.warning("Port %s of instance %s was not freed: %s", port["id"], instance.uuid, exc)
                failures.append(exc)
        if failures:
            raise failures[0]

    def unbind(self, context: Any, instance: Any) -> None:
        """Take this host out of the bindings of the instance's ports; the ports stay the instance's.

        Raises PortBindingDeletionFailed naming the ports whose binding may be left.
        """
        host = self._conf.host
        admin = self._admin(context)
        failed: list[str] = []
        for port in self._ports_of(admin, instance):
            try:
                ports.unbind(admin, port, host)
            except Exception as exc:
                LOG.warning("Port %s was not unbound from host %s: %s", port["id"], host, exc)
                failed.append(port["id"])
        if failed:
            raise errors.PortBindingDeletionFailed(port_id=",".join(failed), host=host)

    def network_info(self, context: Any, instance: Any) -> NetworkInfo:
        """The ports of the instance as neutron has them: those of the info cache in its order, then others.

        Five requests, however many ports there are.
        """
        admin = self._admin(context)
        cached = _cached(instance)
        place = {vif["id"]: number for number, vif in enumerate(cached)}
        there = sorted(self._ports_of(admin, instance), key=lambda p: place.get(p["id"], len(place)))
        if not there:
            return NetworkInfo()
        networks = {n["id"]: n for n in admin.search("networks", id=[p["network_id"] for p in there])}
        given = frozenset(vif["id"] for vif in cached if vif["preserve_on_delete"])
        return self._describe(admin, there, networks, given, _floating_ips(admin, there))

    def bind_to_host(self, context: Any, instance: Any, *, host: str) -> None:
        """Bind the instance's ports to `host` where they are bound elsewhere or not at all."""
        admin = self._admin(context)
        for port in self._ports_of(admin, instance):
            if ports.rebind(admin, port, _device_owner(instance), host):
                LOG.info("Port %s of instance %s is now bound to host %s", port["id"], instance.uuid, host)

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


def _take(asker: Asker, one: Wanted, group_ids: Sequence[str], undo: UndoStack) -> Record:
    """The port of `one`, made if need be, with what gives it back pushed on `undo`."""
    if one.port is not None:
        return one.port
    port = ports.make(asker, one, group_ids)
    ports.push_undo_of_make(asker, port["id"], undo)
    if wanted.has_resource_request(port):
        # Nothing was allocated in placement for a port that did not exist when the host was chosen.
        raise errors.NetworksWithQoSPolicyNotSupported(
            instance_uuid=asker.instance_uuid, network_id=one.network["id"]
        )
    return port


def _bind(asker: Asker, one: Wanted, port: Record, binding: Binding, undo: UndoStack) -> Record:
    if one.port is not None:
        ports.push_undo_of_bind(asker, one.port, undo)
    return ports.bind(asker, one, port, binding)


def _device_owner(instance: Any) -> str:
    return f"compute:{instance.availability_zone}"


def _cached(instance: Any) -> Sequence[Record]:
    """The interfaces in the info cache that came with the instance; nothing is fetched for it."""
    if not instance.obj_attr_is_set("info_cache") or instance.info_cache is None:
        return ()
    return instance.info_cache.network_info or ()


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
