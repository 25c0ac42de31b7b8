"""A whole cloud with its agent, or several, in this process, and what tests may do to it."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oslo_messaging as messaging

from computed import errors, objects
from computed.clients.serializer import WireSerializer
from computed.embedded.cloud import OneHostCloud, settle_defaults
from computed.embedded.flavors import find_flavor
from computed.embedded.new_server import NewServer
from computed.embedded.servers import user_context
from tests.functional.agent import Agent, make_conf
from tests.functional.fleet import HOST, PATIENCE_SECONDS, Fleet
from tests.functional.records import Records

ALT_TOPIC_VERSION = LATEST_VERSION = "6.5"

objects.register_all()
errors.install_remote_module()


class Counts:
    """What the agent has asked of the others since the last `clear`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin a new count."""
        with self._lock:
            self.conductor: Counter[tuple[str, str]] = Counter()
            self.placement: Counter[tuple[str, str]] = Counter()

    def note_conductor(self, objname: str, objmethod: str) -> None:
        with self._lock:
            self.conductor[objname, objmethod] += 1

    def note_placement(self, method: str, path: str) -> None:
        with self._lock:
            self.placement[method, path] += 1

    @property
    def conductor_calls(self) -> int:
        return sum(self.conductor.values())

    @property
    def placement_requests(self) -> int:
        return sum(self.placement.values())


class Trouble:
    """One trouble planted at the conductor: see Cloud.trouble."""

    def __init__(self, objname: str, objmethod: str, nth: int, times: int, act: Callable[[Any], Any]) -> None:
        self.objname, self.objmethod = objname, objmethod
        self.first, self.last = nth, nth + times - 1
        self.act = act
        self.met = 0
        self.done = threading.Event()


class Rpc:
    """Sends anything to an agent, as any client would; to the first one when no `server` is named."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def _client(
        self, topic: str, version: str, namespace: str | None, fanout: bool, server: str, **options: Any
    ) -> Any:
        target = messaging.Target(topic=topic, version=version, namespace=namespace)
        client = messaging.get_rpc_client(self._transport, target, serializer=WireSerializer(), **options)
        return client.prepare(fanout=True) if fanout else client.prepare(server=server)

    def call(
        self,
        method: str,
        *,
        context: Any = None,
        topic: str = "compute",
        version: str = LATEST_VERSION,
        namespace: str | None = None,
        timeout: float = PATIENCE_SECONDS,
        server: str = HOST,
        **arguments: Any,
    ) -> Any:
        """The result of a method of the agent; raises what it raises."""
        client = self._client(topic, version, namespace, False, server, timeout=timeout)
        return client.call(context or user_context(), method, **arguments)

    def cast(
        self,
        method: str,
        *,
        context: Any = None,
        topic: str = "compute",
        version: str = LATEST_VERSION,
        namespace: str | None = None,
        fanout: bool = False,
        server: str = HOST,
        **arguments: Any,
    ) -> None:
        """Send and forget."""
        self._client(topic, version, namespace, fanout, server).cast(
            context or user_context(), method, **arguments
        )


_SOCKETS = shutil.ignore_patterns("*.sock")


class Cloud(Fleet, Records):
    """The cloud of one test. Give option values as `cloud(host_state_x=1)` or "group.option" in a dict."""

    def __init__(
        self, directory: Path, template: Path | None, executor: str, options: dict[str, Any]
    ) -> None:
        """Begin with a copy of the files of another one, or without a template go on with those that are in
        `directory`."""
        self.directory = directory
        self.executor = executor
        conf = make_conf(directory, PATIENCE_SECONDS, {"host": HOST, **options})
        self.counts = Counts()
        self._closed = False
        self._troubles: list[Trouble] = []
        places = settle_defaults(conf)
        places.make()
        if template is not None:
            shutil.copytree(template, directory, ignore=_SOCKETS, dirs_exist_ok=True)
        (places.images_dir / "guest.raw").write_bytes(b"\0" * 4096)
        self.embedded = OneHostCloud(conf, places, executor=executor, durable=False)
        self.agents = {HOST: Agent(self.embedded, conf, executor)}
        self.socket = places.socket
        assert self.embedded.bus is not None
        self.bus = self.embedded.bus
        self.embedded.conductor.intercept = self._intercept
        self.embedded.placement.on_request = self.counts.note_placement
        self.embedded.start_conductor()
        self.rpc = Rpc(self.embedded.transport)
        self.start_agent()
        self.embedded.start_api()

    def close(self) -> None:
        """End everything; calling it again changes nothing."""
        for agent in self.agents.values():
            if agent.service is not None:
                agent.stop()
        if not self._closed:
            self._closed = True
            self.embedded.stop()

    # What users do

    def boot(
        self,
        count: int = 1,
        *,
        networks: tuple[str, ...] = ("auto",),
        flavor: Any = "m1.nano",
        name: str = "server",
        wait: bool = True,
        **order: Any,
    ) -> list[str]:
        """Have servers built through API and scheduler; with `wait` each is ACTIVE. Returns their ids.

        `flavor` is a name or an objects.Flavor; `host` in `order` names the agent that is to build them."""
        image = self.embedded.images.find("guest")
        size = find_flavor(flavor) if isinstance(flavor, str) else flavor
        new = [
            self.embedded.servers.create(
                user_context(),
                NewServer(f"{name}-{number}", size, image, networks, **order),
            )
            for number in range(count)
        ]
        if wait:
            for uuid in new:
                self.wait_for(uuid, vm_state="active", task_state=None)
            self.settle()
        return new

    def delete(self, *uuids: str, wait: bool = True) -> None:
        """Have servers deleted; with `wait` until they are gone."""
        for uuid in uuids:
            self.embedded.servers.delete(user_context(), uuid)
        if wait:
            self.wait(lambda: not set(uuids) & set(self.uuids()), "servers to be gone")
            self.settle()

    def verb(self, uuid: str, verb: str, **options: Any) -> None:
        """Have a server stopped, started or rebooted as a user would, and wait until nothing is being done
        to it."""
        options = options or ({"hard": False} if verb == "reboot" else {})
        getattr(self.embedded.servers, verb)(user_context(), uuid, **options)
        self.wait_for(uuid, task_state=None)
        self.settle()

    def settle(self) -> None:
        """Wait until the agents have finished everything that they have received or begun by themselves,
        and what they have sent each other meanwhile."""
        agents = [agent for agent in self.agents.values() if hasattr(agent, "host")]
        if len(agents) == 1:
            agents[0].wait_idle(PATIENCE_SECONDS)
            return
        quiet, end = 0, time.monotonic() + PATIENCE_SECONDS
        while quiet < 3:
            assert time.monotonic() < end, "the agents keep each other busy"
            for agent in agents:
                agent.wait_idle(PATIENCE_SECONDS)
            is_quiet = self.bus.is_quiet() and not any(agent.is_busy for agent in agents)
            quiet = quiet + 1 if is_quiet else 0
            time.sleep(0.005)

    # Waiting

    def wait(
        self, true: Callable[[], Any], what: str = "a condition", seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until `true()` is; fails the test after `seconds`."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
            time.sleep(0.005)

    def wait_for(self, uuid: str, **states: Any) -> None:
        """Wait until the record of a server has these values."""

        def reached() -> bool:
            row = self.row(uuid)
            return all(row[name] == value for name, value in states.items())

        end = time.monotonic() + PATIENCE_SECONDS
        while not reached():
            if time.monotonic() > end:
                row = self.row(uuid)
                found = {name: row[name] for name in (*states, "vm_state", "task_state")}
                raise AssertionError(f"{uuid} is {found}, not {states}; faults: {self.faults(uuid)}")
            time.sleep(0.005)

    # Counting and troubles

    @contextmanager
    def counting(self) -> Iterator[Counts]:
        """Count what the agent asks for inside the block, until it has finished."""
        self.settle()
        self.counts.clear()
        yield self.counts
        self.settle()

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Placement requests inside the block are a test's own."""
        placement = self.embedded.placement
        note, placement.on_request = placement.on_request, None
        try:
            yield
        finally:
            placement.on_request = note

    def trouble(
        self,
        objname: str,
        objmethod: str,
        act: Callable[[Callable[[], Any]], Any] | Exception,
        *,
        nth: int = 1,
        times: int = 1,
    ) -> Trouble:
        """Plant a trouble at the conductor: at the nth call (and `times` - 1 more) of a remotable an
        exception is raised, or `act(proceed)` runs, which may do what was asked by `proceed()` before or
        after whatever it does. `times=0` is never, use remove for that. Returns a handle with `met`, the
        number of calls seen, and `done`, set when the last trouble has been made."""
        if isinstance(act, Exception):
            error = act

            def fail(proceed: Callable[[], Any]) -> Any:
                raise error

            act = fail
        planted = Trouble(objname, objmethod, nth, times, act)
        self._troubles.append(planted)
        return planted

    def _intercept(self, objname: str, objmethod: str, proceed: Callable[[], Any]) -> Any:
        self.counts.note_conductor(objname, objmethod)
        for trouble in list(self._troubles):
            if (trouble.objname, trouble.objmethod) != (objname, objmethod):
                continue
            trouble.met += 1
            if trouble.first <= trouble.met <= trouble.last:
                try:
                    return trouble.act(proceed)
                finally:
                    if trouble.met == trouble.last:
                        trouble.done.set()
        return proceed()
