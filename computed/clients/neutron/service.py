"""NeutronNetwork: the network service of the instances, made of neutron's REST calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_log import log as logging

from computed import errors
from computed.clients.neutron import ports, wanted
from computed.clients.neutron.bindings import Bindings
from computed.clients.neutron.interfaces import Interfaces
from computed.clients.neutron.ports import Binding
from computed.clients.neutron.views import Freeing, cached, device_owner, given_ports
from computed.clients.neutron.wanted import Asker, Wanted
from computed.clients.port_resources import FindProviders, Providers
from computed.lib.undo import UndoStack, undo_on_error
from computed.objects.network_model import NetworkInfo

LOG = logging.getLogger(__name__)

Record = Mapping[str, Any]


class NeutronNetwork(Bindings, Interfaces):
    """Implements clients.network.NetworkService with neutron.

    Errors: the NovaException family that each method names; NetworkServiceUnavailable when neutron did
    not answer, NetworkRequestRefused for a refusal with no class of its own.
    """

    def allocate(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        requested: Any,
        security_groups: Sequence[str],
        providers: Providers | FindProviders | None = None,
    ) -> NetworkInfo:
        """Make or take ports and bind them to `host`; on failure everything is given back.

        `providers` maps resource request ids of given ports to the provider uuids that serve them, or is
        asked for that mapping.
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
        owner = device_owner(instance)
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
        keep = {vif["id"] for vif in cached(instance)}
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
        # Only ports that bear the instance's uuid: one that was refused it may serve another by now.
        there = admin.search("ports", device_id=instance.uuid)
        freeing = Freeing(user, admin, given_ports(instance, requested))
        freeing.look_up(there)
        failures: list[Exception] = []
        for port in there:
            try:
                freeing.free(port)
            except Exception as exc:
                LOG.warning("Port %s of instance %s was not freed: %s", port["id"], instance.uuid, exc)
                failures.append(exc)
        if failures:
            raise failures[0]


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
