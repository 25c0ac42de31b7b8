"""The agents of a functional cloud: the first one, and those that a test adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oslo_config import cfg

from computed.clients.serializer import WireSerializer
from computed.cmd import wiring
from computed.embedded.bus import MemoryBus
from computed.embedded.cloud import OneHostCloud, settle_defaults
from computed.service import Parts, Service
from computed.steps.host import ComputeHost
from tests.functional.agent import Agent, make_conf

HOST = "alone"
PATIENCE_SECONDS = 20.0


class Fleet:
    """The part of a Cloud that knows its agents."""

    directory: Path
    executor: str
    embedded: OneHostCloud
    bus: MemoryBus
    agents: dict[str, Agent]

    @property
    def first(self) -> Agent:
        """The agent that every cloud has."""
        return self.agents[HOST]

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The options of the first agent."""
        return self.first.conf

    @property
    def host(self) -> ComputeHost:
        """What the operations of the first agent use."""
        return self.first.host

    @property
    def parts(self) -> Parts:
        """The parts of the first agent's service."""
        return self.first.parts

    @property
    def service(self) -> Service | None:
        """The service of the first agent, None while it is not running."""
        return self.first.service

    @service.setter
    def service(self, service: Service | None) -> None:
        self.first.service = service

    def add_host(
        self, name: str = "second", options: dict[str, Any] | None = None, **overrides: Any
    ) -> Agent:
        """One more agent on the same conductor, placement, network and bus, with options of its own."""
        mine = {"host": name, "state_path": str(self.directory / name), **(options or {})}
        conf = make_conf(self.directory, PATIENCE_SECONDS, mine)
        settle_defaults(conf)
        (self.directory / name).mkdir(exist_ok=True)
        self.agents[name] = agent = Agent(self.embedded, conf, self.executor)
        agent.start(**overrides)
        return agent

    def start_agent(self, **overrides: Any) -> Service:
        """Start the first agent on what the last one left; `overrides` as for wiring.build_host."""
        self._objects_transport = self.embedded.make_transport(self.conf)
        wiring.connect_objects(self.conf, self._objects_transport, WireSerializer())
        return self.first.start(**overrides)

    def stop_agent(self) -> bool:
        """Stop the first agent as SIGTERM would; True when everything in flight had finished."""
        return self.first.stop()

    def kill_agent(self) -> None:
        """Let the first agent die as by kill -9, as far as others can tell: from now on it says nothing more.

        Objects of all agents in this process go the same way to the conductor, so the others cannot reach
        it either until the first one, or `reconnect`, opens it again.
        """
        self.bus.disconnect(self._objects_transport)
        self.first.kill()

    def reconnect(self) -> None:
        """Let the agents that still live reach the conductor again after `kill_agent`."""
        self._objects_transport = self.embedded.make_transport(self.conf)
        wiring.connect_objects(self.conf, self._objects_transport, WireSerializer())

    def restart_agent(self) -> None:
        """Stop and start the first agent."""
        self.stop_agent()
        self.start_agent()

    def run_periodic(self, name: str) -> None:
        """Run one periodic task of the first agent now, in this thread."""
        self.first.run_periodic(name)
