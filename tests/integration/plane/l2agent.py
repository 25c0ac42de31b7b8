"""A layer 2 agent for hosts without a network: neutron binds ports to them, and they come up.

ML2 binds a port only where a live agent is.  For each host named in a file (a line: HOST [DELAY_SECONDS])
this process reports the state of an Open vSwitch agent; when neutron says that a port was bound there, it
answers after the delay that the device is up.  The destination of a live migration has an inactive binding:
a real agent speaks when the tap device appears there, this one says it several times over some seconds, for
whoever waits by then.  It speaks neutron's RPC with oslo.messaging alone.

Usage: l2agent.py TRANSPORT_URL HOSTS_FILE DELAY_SECONDS
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import logging
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import oslo_messaging
from oslo_config import cfg

LOG = logging.getLogger("l2agent")
CONTEXT = {"is_admin": True, "user_id": None, "project_id": None, "roles": ["admin"], "is_advsvc": True}
_REPORT_SECONDS = 30
_UNBOUND = ("unbound", "binding_failed")
#: of neutron's versioned port, which alone tells of inactive bindings
_PORT_VERSION = "1.11"
_MIGRATING_SECONDS = (0.5, 1, 2, 4, 8)


class PortWatch:
    """Neutron's fan-out of versioned ports."""

    target = oslo_messaging.Target(version="1.1")

    def __init__(self, agent: L2Agent) -> None:
        self._agent = agent

    def push(self, _context: Any, *, resource_list: list[dict[str, Any]], event_type: str) -> None:
        for resource in resource_list if event_type == "updated" else ():
            port = resource["versioned_object.data"]
            bindings = [b["versioned_object.data"] for b in port.get("bindings") or []]
            inactive = [
                b["host"] for b in bindings if b["status"] == "INACTIVE" and b["vif_type"] not in _UNBOUND
            ]
            self._agent.bound_for_later(port["id"], inactive)


class L2Agent:
    """Reports agent states and answers bindings for the hosts in ``hosts_file``."""

    target = oslo_messaging.Target(version="1.5")

    def __init__(self, transport_url: str, hosts_file: Path, default_delay_seconds: float) -> None:
        # The global one: oslo.messaging registers some of its options nowhere else.
        cfg.CONF([])
        self._transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=transport_url)
        self._hosts_file, self._default_delay = hosts_file, default_delay_seconds
        self._reported: dict[str, float] = {}
        self._due: list[tuple[float, int, str, str]] = []
        self._migrating: dict[str, list[str]] = {}
        self._sequence = itertools.count()
        self._wake = threading.Condition()

    def port_update(self, _context: Any, *, port: dict[str, Any], **_network: Any) -> None:
        """Neutron's fan-out to all agents: this port was changed or bound."""
        host = port.get("binding:host_id")
        bound = port.get("binding:vif_type") not in _UNBOUND
        delay = self._hosts().get(host) if host and bound else None
        if delay is not None and port.get("status") != "ACTIVE":
            with self._wake:
                heapq.heappush(
                    self._due, (time.monotonic() + delay, next(self._sequence), str(port["id"]), str(host))
                )
                self._wake.notify()

    def bound_for_later(self, port: str, inactive: list[str]) -> None:
        """Neutron knows now: the port has inactive bindings on these hosts and on no others."""
        hosts = self._hosts()
        with self._wake:
            before = self._migrating.pop(port, [])
            if inactive:
                self._migrating[port] = inactive
            for host in set(inactive) & hosts.keys() - set(before):
                for seconds in _MIGRATING_SECONDS:
                    heapq.heappush(self._due, (time.monotonic() + seconds, next(self._sequence), port, host))
            self._wake.notify()

    def port_delete(self, _context: Any, **_port: Any) -> None:
        """Nothing to unplug."""

    def run(self) -> None:
        """Serve until the process is killed."""
        servers = [
            oslo_messaging.get_rpc_server(
                self._transport,
                oslo_messaging.Target(
                    exchange="neutron", topic=f"q-agent-notifier-port-{event}", server="l2agent", fanout=True
                ),
                [self],
                executor="threading",
                access_policy=oslo_messaging.DefaultRPCAccessPolicy,
            )
            for event in ("update", "delete")
        ]
        versioned = oslo_messaging.Target(
            exchange="neutron", topic=f"neutron-vo-Port-{_PORT_VERSION}", server="l2agent", fanout=True
        )
        servers.append(
            oslo_messaging.get_rpc_server(
                self._transport,
                versioned,
                [PortWatch(self)],
                executor="threading",
                access_policy=oslo_messaging.DefaultRPCAccessPolicy,
            )
        )
        for server in servers:
            server.start()
        threading.Thread(target=self._plug, daemon=True).start()
        while True:
            for host in self._hosts():
                if time.monotonic() - self._reported.get(host, -_REPORT_SECONDS) >= _REPORT_SECONDS:
                    self._report(host)
            time.sleep(0.3)

    def _hosts(self) -> dict[str, float]:
        """The hosts of this agent, each with the seconds until a port is plugged there."""
        hosts = {}
        for line in self._hosts_file.read_text().splitlines():
            host, *delay = line.split()
            hosts[host] = float(delay[0]) if delay else self._default_delay
        return hosts

    def _client(self, topic: str, version: str) -> Any:
        target = oslo_messaging.Target(exchange="neutron", topic=topic, version=version)
        return oslo_messaging.get_rpc_client(self._transport, target, timeout=20)

    def _report(self, host: str) -> None:
        state = {
            "binary": "neutron-openvswitch-agent",
            "agent_type": "Open vSwitch agent",
            "host": host,
            "topic": "N/A",
            "uuid": str(uuid.uuid4()),
            "start_flag": host not in self._reported,
            "resource_versions": {"Port": _PORT_VERSION},
            "configurations": {
                "tunnel_types": ["vxlan"],
                "tunneling_ip": "127.0.0.2",
                "bridge_mappings": {},
                "integration_bridge": "br-int",
                "datapath_type": "system",
                "l2_population": False,
                "ovs_hybrid_plug": False,
                "extensions": [],
                "devices": 0,
            },
        }
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        try:
            self._client("q-reports-plugin", "1.4").call(
                CONTEXT, "report_state", agent_state={"agent_state": state}, time=now
            )
            self._reported[host] = time.monotonic()
        except Exception:
            LOG.exception("report for %s", host)

    def _plug(self) -> None:
        while True:
            with self._wake:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._wake.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, port, host = heapq.heappop(self._due)
            try:
                self._client("q-plugin", "1.9").call(
                    CONTEXT, "update_device_up", device=port, agent_id=f"ovs-agent-{host}", host=host
                )
                LOG.info("port %s up on %s", port, host)
            except Exception:
                LOG.exception("port %s on %s; again in 2 s", port, host)
                with self._wake:
                    heapq.heappush(self._due, (time.monotonic() + 2, next(self._sequence), port, host))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    LOG.setLevel(logging.INFO)
    L2Agent(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])).run()
