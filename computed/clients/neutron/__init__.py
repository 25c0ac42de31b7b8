"""Neutron as the network service of the instances, spoken to in plain REST."""

from computed.clients.neutron.service import NeutronNetwork

__all__ = ["NeutronNetwork"]
