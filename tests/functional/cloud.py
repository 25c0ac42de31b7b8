"""A whole one-host cloud with its agent in this process, and what tests may do to it."""

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
from oslo_config import cfg
from oslo_log import log
from oslo_messaging.rpc.client import _client_opts

from computed import errors, objects
from computed.clients.serializer import WireSerializer
from computed.cmd import wiring
from computed.conf import register_all
from computed.context import get_admin_context
from computed.embedded.cloud import OneHostCloud, settle_defaults
from computed.embedded.flavors import find_flavor
from computed.embedded.launch import instance_of_record
from computed.embedded.new_server import NewServer
from computed.embedded.servers import user_context
from computed.periodic.table import TASKS
from computed.service import Parts, Service

HOST = "alone"
PATIENCE_SECONDS = 20.0

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
    """Sends anything to the agent, as any client would."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def _client(self, topic: str, version: str, namespace: str | None, fanout: bool, **options: Any) -> Any:
        target = messaging.Target(topic=topic, version=version, namespace=namespace)
        client = messaging.get_rpc_client(self._transport, target, serializer=WireSerializer(), **options)
        return client.prepare(fanout=True) if fanout else client.prepare(server=HOST)

    def call(
        self,
        method: str,
        *,
        context: Any = None,
        topic: str = "compute",
        version: str = LATEST_VERSION,
        namespace: str | None = None,
        timeout: float = PATIENCE_SECONDS,
        **arguments: Any,
    ) -> Any:
        """The result of a method of the agent; raises what it raises."""
        client = self._client(topic, version, namespace, False, timeout=timeout)
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
        **arguments: Any,
    ) -> None:
        """Send and forget."""
        self._client(topic, version, namespace, fanout).cast(context or user_context(), method, **arguments)


class Cloud:
    """The cloud of one test. Give option values as `cloud(host_state_x=1)` or "group.option" in a dict."""

    def __init__(
        self, directory: Path, placement_template: Path | None, executor: str, options: dict[str, Any]
    ) -> None:
        """Make the files of a cloud in `directory`, or without a template go on with those that are there."""
        self.directory = directory
        self.executor = executor
        self.conf = _conf(directory, options)
        self.counts = Counts()
        self._closed = False
        self._troubles: list[Trouble] = []
        places = settle_defaults(self.conf)
        places.make()
        if placement_template is not None:
            shutil.copy(placement_template, places.placement)
        (places.images_dir / "guest.raw").write_bytes(b"\0" * 4096)
        self.embedded = OneHostCloud(self.conf, places, executor=executor, durable=False)
        self.socket = places.socket
        self.bus = self.embedded.bus
        assert self.bus is not None
        self.embedded.conductor.intercept = self._intercept
        self.embedded.placement.on_request = self.counts.note_placement
        self.embedded.start_conductor()
        self.rpc = Rpc(self.embedded.transport)
        self.start_agent()
        self.embedded.start_api()

    # The agent

    def start_agent(self, **overrides: Any) -> Service:
        """Start an agent on what the last one left; `overrides` as for wiring.build_host."""
        self._transport = self.embedded.make_transport(self.conf)
        serializer = WireSerializer()
        wiring.connect_objects(self.conf, self._transport, serializer)
        parts = {**self.embedded.overrides(), **overrides}
        self.host = wiring.build_host(self.conf, self._transport, serializer, **parts)
        self.parts: Parts = wiring.build_parts(self.host, self._transport, serializer, self.executor)
        self.service: Service | None = Service(self.parts)
        self.service.start()
        return self.service

    def stop_agent(self) -> bool:
        """Stop the agent as SIGTERM would; True when everything in flight had finished."""
        assert self.service is not None
        service, self.service = self.service, None
        return service.stop()

    def kill_agent(self) -> None:
        """Let the agent die as by kill -9, as far as others can tell: from now on it says nothing more."""
        assert self.service is not None
        self.bus.disconnect(self._transport)
        self.parts.runner.stop()
        self.host.stop_waiting()
        self.parts.servers.stop_primary()
        self.parts.servers.stop_alternate()
        self.service = None

    def restart_agent(self) -> None:
        """Stop and start."""
        self.stop_agent()
        self.start_agent()

    def run_periodic(self, name: str) -> None:
        """Run one periodic task now, in this thread."""
        task = next(task for task in TASKS if task.name == name)
        task.run(self.host, get_admin_context())

    def close(self) -> None:
        """End everything; calling it again changes nothing."""
        if self.service is not None:
            self.stop_agent()
        if not self._closed:
            self._closed = True
            self.embedded.stop()

    # What users do

    def boot(
        self,
        count: int = 1,
        *,
        networks: tuple[str, ...] = ("auto",),
        flavor: str = "m1.nano",
        name: str = "server",
        wait: bool = True,
        **order: Any,
    ) -> list[str]:
        """Have servers built through API and scheduler; with `wait` each is ACTIVE. Returns their ids."""
        image = self.embedded.images.find("guest")
        new = [
            self.embedded.servers.create(
                user_context(),
                NewServer(f"{name}-{number}", find_flavor(flavor), image, networks, **order),
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
        """Wait until the agent has finished everything that it has received or begun by itself."""
        assert self.host.lanes.wait_idle(PATIENCE_SECONDS), "work on an instance does not end"
        assert self.parts.manager.inflight.wait_idle(PATIENCE_SECONDS), self.parts.manager.inflight.counts()

    # What is recorded

    def row(self, uuid: str) -> dict[str, Any]:
        """The record of a server, deleted ones too."""
        return self.rows("Instance", uuid=uuid)[0]

    def rows(self, kind: str, **keys: Any) -> list[dict[str, Any]]:
        """Records of a kind, deleted ones too."""
        with self.embedded.store.transaction() as records:
            return records.find(kind, read_deleted="yes", **keys)

    def uuids(self) -> list[str]:
        """Servers that are not deleted."""
        return [row["uuid"] for row in self.embedded.servers.rows()]

    def instance(self, uuid: str) -> Any:
        """A server as the object that a caller of the agent sends; read without asking the conductor."""
        with self.embedded.store.transaction() as records:
            return objects.Instance.obj_from_primitive(instance_of_record(records, uuid), user_context())

    def set_fields(self, uuid: str, **fields: Any) -> None:
        """Change the record of a server behind everybody's back."""
        with self.embedded.store.transaction() as records:
            row = records.first("Instance", read_deleted="yes", uuid=uuid)
            assert row is not None
            records.update("Instance", row, fields)

    def faults(self, uuid: str) -> list[str]:
        """The messages of a server's faults, oldest first."""
        return [row["message"] for row in self.rows("InstanceFault", instance_uuid=uuid)]

    def events(self, uuid: str) -> list[tuple[str, str | None]]:
        """(event, result) of everything that was recorded of a server's actions, oldest first."""
        actions = [row["id"] for row in self.rows("InstanceAction", instance_uuid=uuid)]
        return [(row["event"], row["result"]) for row in self.rows("InstanceActionEvent", action_id=actions)]

    def allocations(self, uuid: str) -> dict[str, Any]:
        """What placement holds for a server: provider → resources; not counted."""
        answer = self.embedded.scheduler.allocations(user_context(), uuid)
        return {provider: said["resources"] for provider, said in answer.items()}

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


def _conf(directory: Path, options: dict[str, Any]) -> cfg.ConfigOpts:
    """Options of one cloud alone: nothing of them shows in those of another, nor in the process-wide ones."""
    conf = cfg.ConfigOpts()
    register_all(conf)
    log.register_options(conf)
    conf([], project="nova", prog="computed", default_config_files=[], default_config_dirs=[])
    values = {
        "host": HOST,
        "alone.state_dir": str(directory),
        "alone.network": "bridge",
        "alone.bridge": "br-test",
        # Tests run periodic tasks and count: nothing may happen by itself.
        "periodic_enable": False,
        "report_interval": 0,
        "rpc_response_timeout": int(PATIENCE_SECONDS),
        **options,
    }
    conf.register_opts(_client_opts)
    for name, value in values.items():
        group, _, option = name.rpartition(".")
        conf.set_override(option, value, group=group or None)
    return conf
