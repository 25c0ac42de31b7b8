"""Where the ports of an instance are bound: bindings made, switched and taken back when it moves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from computed import errors
from computed.clients.neutron import info, ports
from computed.clients.neutron.rest import NeutronRest
from computed.clients.neutron.views import Views, cached, device_owner
from computed.clients.port_resources import FindAllProviders, Providers, providers_for_all
from computed.objects.network_model import NetworkInfo
from computed.states import MigrationType

LOG = logging.getLogger(__name__)

Record = Mapping[str, Any]
_MULTIPLE_BINDINGS = "binding-extended"


class Bindings(Views):
    """The part of clients.network.NetworkService that moves ports between hosts."""

    def supports_multiple_bindings(self, context: Any) -> bool:
        """Whether a port may have a second, inactive binding; remembered for extension_sync_interval."""
        return self._extensions.has(self._admin(context), _MULTIPLE_BINDINGS)

    def unbind(self, context: Any, instance: Any) -> None:
        """Take this host out of the bindings of the instance's ports; the ports stay the instance's.

        Raises PortBindingDeletionFailed naming the ports whose binding may be left.
        """
        host = self._conf.host
        admin = self._admin(context)
        there = self._ports_of(admin, instance)
        _each(there, host, "unbound from", lambda port: ports.unbind(admin, port, host))

    def bind_to_host(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        migration: Any = None,
        providers: Providers | FindAllProviders | None = None,
    ) -> NetworkInfo:
        """Bind the instance's ports to `host` where they are bound elsewhere or not at all.

        Returns the NetworkInfo as it is then. Raises PortBindingFailed, PortUpdateFailed when nobody in
        `providers` serves a port's resource request, and what `providers` raises.
        """
        admin = self._admin(context)
        if migration is not None and migration.migration_type == MigrationType.LIVE_MIGRATION:
            # Whoever made the binding of the destination has put the providers into it.
            providers = None
        owner = device_owner(instance)
        there = self._ports_of(admin, instance)
        # What cannot be served is found out before any port has changed.
        found = providers_for_all(there, providers)
        bodies = [ports.rebinding(port, owner, host, found) for port in there]
        bound = [ports.rebind(admin, port, host, body) for port, body in zip(there, bodies, strict=True)]
        LOG.debug("Instance %s: %d ports are bound to host %s", instance.uuid, len(bound), host)
        return self._read(admin, instance, bound)

    def create_bindings(
        self, context: Any, instance: Any, *, host: str, vifs: Sequence[Record] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Give the ports of `vifs` (the info cache's) an inactive binding to `host`; all or none.

        A binding that is there already is taken as it is. Raises PortBindingFailed.
        """
        admin = self._admin(context)
        made: dict[str, dict[str, Any]] = {}
        for vif in cached(instance) if vifs is None else vifs:
            try:
                made[vif["id"]] = ports.create_binding(admin, vif, host)
            except Exception as error:
                LOG.warning("Port %s gets no binding to host %s: %s", vif["id"], host, error)
                for port_id in (*made, vif["id"]):
                    _delete_quietly(admin, port_id, host)
                raise errors.PortBindingFailed(port_id=vif["id"]) from error
        return made

    def activate_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Make the bindings to `host` the active ones; ports that have no binding there are left alone.

        Raises PortBindingActivationFailed.
        """
        admin = self._admin(context)
        for vif in cached(instance):
            try:
                admin.activate_binding(vif["id"], host)
            except Exception as error:
                is_no_such = isinstance(error, errors.PortNotFound)
                if not is_no_such and getattr(error, "status", None) not in (404, 409):
                    raise errors.PortBindingActivationFailed(port_id=vif["id"], host=host) from error
                LOG.debug("Port %s: no binding to host %s to switch to: %s", vif["id"], host, error)

    def delete_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Delete the bindings to `host`, which the ports must not need any more; idempotent.

        Raises PortBindingDeletionFailed naming the ports whose binding may be left.
        """
        admin = self._admin(context)
        there: Iterable[Record] = cached(instance) or self._ports_of(admin, instance)
        _each(there, host, "rid of its binding to", lambda port: admin.delete_binding(port["id"], host))

    def mark_migrating(self, context: Any, instance: Any, *, host: str) -> None:
        """Write into the profiles of ports bound elsewhere that they are about to move to `host`."""
        admin = self._admin(context)
        for port in self._ports_of(admin, instance):
            profile = info.binding_profile(port)
            if port.get("binding:host_id") != host and profile.get(ports.MIGRATING_TO) != host:
                admin.update_port(port["id"], {"binding:profile": {**profile, ports.MIGRATING_TO: host}})

    def unmark_migrating(self, context: Any, instance: Any) -> None:
        """Take what `mark_migrating` wrote out again."""
        admin = self._admin(context)
        for port in self._ports_of(admin, instance):
            profile = info.binding_profile(port)
            if profile.pop(ports.MIGRATING_TO, None):
                admin.update_port(port["id"], {"binding:profile": profile})


def _each(there: Iterable[Record], host: str, what: str, act: Any) -> None:
    """`act` on every port, whatever becomes of the others; raises PortBindingDeletionFailed at the end."""
    failed: list[str] = []
    for port in there:
        try:
            act(port)
        except Exception as exc:
            LOG.warning("Port %s was not %s host %s: %s", port["id"], what, host, exc)
            failed.append(port["id"])
    if failed:
        raise errors.PortBindingDeletionFailed(port_id=",".join(failed), host=host)


def _delete_quietly(admin: NeutronRest, port_id: str, host: str) -> None:
    try:
        admin.delete_binding(port_id, host)
    except Exception as error:
        LOG.warning("Port %s may keep a binding to host %s: %s", port_id, host, error)
