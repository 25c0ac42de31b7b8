"""Whether this host is who the records say it is; an agent that is not sure does not start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.resources import node_finder
from computed.virt import node_identity

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.port import Driver

LOG = logging.getLogger(__name__)

IDENTITY_VERSION: Final = 65
"""Services of this version and later keep their node's identity in a file (contract: service.json)."""


class Identity:
    """The checks of one host's start.

    Contract: periodic_tasks.json, init_host_order; host_files.json, compute_id.

    The rules hold for a driver whose nodes have an identity of their own. One that can adopt a node (the
    fake driver: the stock one writes no identity file) takes over the records there are instead of
    refusing, and writes the file that it would have had.
    """

    def __init__(self, conf: cfg.ConfigOpts, driver: Driver, host_name: str) -> None:
        self._conf = conf
        self._driver = driver
        self._host_name = host_name

    def settle(self, context: Any, service: Any | None) -> None:
        """Check, and on a first start write, who this host is. `service` is its record, or None.

        Raises InvalidConfiguration or InvalidNodeConfiguration where going on would risk a second
        identity, HypervisorUnavailable where the driver cannot tell.
        """
        if service is None:
            self._refuse_foreign_guests()
        if not self._adopt_recorded_nodes(context):
            self._require_identity(context, service)
        if node_identity.read(self._conf) is None:
            self._write(next(iter(self._driver.node_uuids().values())))
        self._check_records(context)

    def _refuse_foreign_guests(self) -> None:
        """A new service whose hypervisor has guests already was given the wrong database."""
        guests = self._driver.states()
        if guests:
            raise errors.InvalidConfiguration(
                f"The hypervisor has {len(guests)} guests, but no service is recorded for host "
                f"{self._host_name}: is this the right cell, message bus and host name?"
            )

    def _adopt_recorded_nodes(self, context: Any) -> bool:
        """Let the driver's nodes be those recorded for this host; False when the driver cannot adopt."""
        if not self._driver.can_adopt_nodes:
            return False
        recorded: dict[str, list[str]] = {}
        names = list(self._driver.node_uuids())
        for node in node_finder.listed_records(context, self._host_name):
            recorded.setdefault(node.hypervisor_hostname, []).append(node.uuid)
        for name in names:
            uuids = recorded.get(name, [])
            if len(uuids) > 1:
                raise errors.InvalidConfiguration(
                    f"Host {self._host_name} has {len(uuids)} compute nodes called {name} "
                    f"({', '.join(sorted(uuids))}); write the right uuid into {node_identity.FILE_NAME}"
                )
            if uuids:
                self._driver.adopt_node(name, uuids[0])
        return True

    def _require_identity(self, context: Any, service: Any | None) -> None:
        """The rules for a host that has been here before."""
        if service is None or node_identity.read(self._conf) is not None:
            return
        if service.version >= IDENTITY_VERSION:
            raise errors.InvalidConfiguration(
                f"Host {self._host_name} has run before, but its identity file {node_identity.FILE_NAME} is "
                "missing: not starting with a new identity. Has state_path been lost or changed?"
            )
        nodes = node_finder.listed_records(context, self._host_name)
        if len(nodes) != 1:
            raise errors.InvalidConfiguration(
                f"Host {self._host_name} has a service of version {service.version} and {len(nodes)} compute "
                f"nodes; just one would become its identity. Renamed? Else write {node_identity.FILE_NAME}."
            )
        self._write(nodes[0].uuid)

    def _write(self, uuid: str) -> None:
        path = node_identity.write(self._conf, uuid)
        LOG.info("This host's identity is %s, written to %s", uuid, path)

    def _check_records(self, context: Any) -> None:
        """The compute nodes with our uuids must bear our names; other names mean a renamed host."""
        names = {uuid: name for name, uuid in self._driver.node_uuids().items()}
        for node in objects.ComputeNodeList.get_all_by_uuids(context, sorted(names)):
            if node.hypervisor_hostname != names.get(node.uuid):
                raise errors.InvalidConfiguration(
                    f"Compute node {node.uuid} is recorded as {node.hypervisor_hostname}, but the hypervisor "
                    f"calls it {names.get(node.uuid)}: not starting on a renamed node"
                )
            if node.host != self._host_name:
                raise errors.InvalidConfiguration(
                    f"Compute node {node.uuid} is recorded for host {node.host}, but this is host "
                    f"{self._host_name}: not starting on a renamed host"
                )
