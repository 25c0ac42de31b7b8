"""Single interfaces and addresses, taken from and added to an instance that exists."""

from __future__ import annotations

import logging
from typing import Any

from computed import errors
from computed.clients.network import Located
from computed.clients.neutron.views import Freeing, Views, given_ports
from computed.clients.port_resources import held_by
from computed.objects.network_model import NetworkInfo

LOG = logging.getLogger(__name__)

PortAllocation = dict[str, dict[str, dict[str, int]]]


class Interfaces(Views):
    """The part of clients.network.NetworkService about one port or one address."""

    def detach_port(self, context: Any, instance: Any, port_id: str) -> PortAllocation:
        """Delete a port that was made for the instance, or release one it was given; idempotent.

        Returns what placement holds for the port: provider uuid → {"resources": {class: amount}}.
        """
        user, admin = self._views(context)
        there = admin.search("ports", id=[port_id], device_id=instance.uuid)
        freeing = Freeing(user, admin, given_ports(instance))
        freeing.look_up(there)
        for port in there:
            freeing.free(port)
            return held_by(port)
        LOG.info("Port %s of instance %s is gone already", port_id, instance.uuid)
        return {}

    def add_fixed_ip(self, context: Any, instance: Any, network_id: str) -> NetworkInfo:
        """Give the instance's first port on the network one more address, of the first subnet that has any.

        Raises NetworkNotFoundForInstance when no port of the instance, or no subnet, can give one.
        """
        user, _ = self._views(context)
        subnets = user.search("subnets", network_id=network_id)
        there = user.search("ports", device_id=instance.uuid, network_id=network_id) if subnets else []
        for port in there:
            for subnet in subnets:
                addresses = [*port["fixed_ips"], {"subnet_id": subnet["id"]}]
                try:
                    user.update_port(port["id"], {"fixed_ips": addresses})
                except (errors.NovaException, errors.NetworkRequestRefused) as error:
                    LOG.info("Port %s gets no address of %s: %s", port["id"], subnet["id"], error)
                else:
                    return self.network_info(context, instance)
        raise errors.NetworkNotFoundForInstance(instance_id=instance.uuid)

    def remove_fixed_ip(self, context: Any, instance: Any, address: str) -> NetworkInfo:
        """Take an address away; raises FixedIpNotFoundForInstance when no port of the instance has it."""
        user, _ = self._views(context)
        there = user.search("ports", device_id=instance.uuid, fixed_ips=f"ip_address={address}")
        for port in there:
            left = [fixed for fixed in port["fixed_ips"] if fixed["ip_address"] != address]
            user.update_port(port["id"], {"fixed_ips": left})
        if not there:
            raise errors.FixedIpNotFoundForInstance(instance_uuid=instance.uuid, ip=address)
        return self.network_info(context, instance)

    def network_info(self, context: Any, instance: Any) -> NetworkInfo:
        """The ports of the instance as neutron has them: those of the info cache in its order, then others.

        Five requests, however many ports there are.
        """
        network_info: NetworkInfo = self.locate(context, instance).network_info
        return network_info

    def locate(self, context: Any, instance: Any) -> Located:
        """The same, and where they are bound."""
        admin = self._admin(context)
        there = self._ports_of(admin, instance)
        hosts = frozenset(port["binding:host_id"] for port in there if port.get("binding:host_id"))
        return Located(self._read(admin, instance, there), hosts)
