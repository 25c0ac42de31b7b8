"""The life of the service: what happens in which order, and what ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from computed import errors, objects
from computed.context import get_admin_context
from computed.objects.base import ComputedObject
from computed.objects.remote import NoConductor
from computed.rpc.inflight import InFlight
from computed.service import Parts, Phase, Service, refuse_old_computes, register
from computed.steps.arrivals import Arrivals
from computed.steps.console_tokens import ConsoleTokens
from computed.steps.departures import Departures
from computed.steps.lanes import Lanes

HOST = "here"
NODE = "aaaaaaaa-0000-4000-8000-000000000001"


class World(NoConductor):
    """A conductor, a driver, a tracker, servers and a runner that write down when they are used."""

    def __init__(self, state_path: Path) -> None:
        self.steps: list[str] = []
        self.record: dict[str, Any] | None = None
        self.minimum = 74
        self.create_trouble: Exception | None = None
        self.conf = SimpleNamespace(
            state_path=str(state_path),
            config_file=[],
            report_interval=0,
            manager_shutdown_timeout=5,
            graceful_shutdown_timeout=10,
            consoleauth=SimpleNamespace(token_ttl=600),
            compute=SimpleNamespace(max_disk_devices_to_attach=-1),
            workarounds=SimpleNamespace(disable_compute_service_check_for_ffu=False),
        )
        self.inflight = InFlight()
        self.runner_is_done = True
        self.phases: list[Phase] = []

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        self.steps.append(f"{objname}.{objmethod}")
        if objmethod == "get_minimum_version":
            return self.minimum
        if objname == "Service":
            return objects.Service(context, **self.record) if self.record else None
        return objects.ComputeNodeList(context, objects=[])

    def object_action(
        self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any
    ) -> tuple[dict[str, Any], Any]:
        self.steps.append(f"{objinst.obj_name()}.{objmethod}")
        if objmethod == "create":
            if self.create_trouble:
                raise self.create_trouble
            self.record = objinst.obj_get_changes()
        return {"obj_what_changed": []}, None

    def note(self, step: str, result: Any = None) -> Any:
        def do(*args: Any, **kwargs: Any) -> Any:
            self.steps.append(step)
            return result

        return do

    def service(self) -> Service:
        driver = SimpleNamespace(
            init_host=self.note("driver.init_host"),
            cleanup_host=self.note("driver.cleanup_host"),
            on_lifecycle_event=self.note("driver.on_lifecycle_event"),
            states=dict,
            node_uuids=lambda: {HOST: NODE},
            can_adopt_nodes=False,
        )
        tracker = SimpleNamespace(
            update_available_resource=self.note("audit"),
            use_service=self.note("use_service"),
        )
        host: Any = SimpleNamespace(
            name=HOST,
            conf=self.conf,
            driver=driver,
            tracker=tracker,
            stop_waiting=self.note("stop_waiting"),
            console_tokens=ConsoleTokens(),
            hypervisor_watch=SimpleNamespace(serve=self.note("hypervisor_watch.serve")),
            departures=Departures(1),
            arrivals=Arrivals(),
            lanes=Lanes(1),
        )
        servers: Any = SimpleNamespace(
            start=self.note("servers.start"),
            stop_primary=self.note("stop_primary", True),
            stop_alternate=self.note("stop_alternate", True),
            close=self.note("servers.close"),
            has_caught_up=self.note("has_caught_up", True),
        )
        runner: Any = SimpleNamespace(
            start=self.note("runner.start"),
            stop=self.note("runner.stop"),
            join=lambda timeout: self.runner_is_done,
        )
        manager: Any = SimpleNamespace(inflight=self.inflight, close=self.note("manager.close"))
        second_look = SimpleNamespace(begin=self.note("second look"))
        recover = self.note("recover", second_look)
        parts = Parts(host, manager, servers, runner, recover, self.note("forget"))
        return Service(parts, self.phases.append)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world, before = World(tmp_path), ComputedObject.indirection_api
    ComputedObject.indirection_api = world
    yield world
    ComputedObject.indirection_api = before


def _known(world: World, **values: Any) -> None:
    """This host has run before."""
    (Path(world.conf.state_path) / "compute_id").write_text(NODE)
    world.record = _record(**values)


def _record(**values: Any) -> dict[str, Any]:
    return {"host": HOST, "binary": "nova-compute", "topic": "compute", "version": 74, **values}


def test_a_first_start_does_everything_in_order(world: World) -> None:
    world.service().start()
    # Looking compute nodes up is part of the identity's check.
    steps = [step for step in world.steps if not step.startswith("ComputeNodeList")]
    assert steps == [
        "Service.get_minimum_version",
        "Service.get_by_host_and_binary",
        "driver.init_host",
        "recover",
        "Service.create",
        "use_service",
        "audit",
        "servers.start",
        "runner.start",
        "hypervisor_watch.serve",
        "second look",
    ]
    assert world.record is not None
    assert {k: world.record[k] for k in ("host", "binary", "topic", "report_count", "version")} == {
        "host": HOST,
        "binary": "nova-compute",
        "topic": "compute",
        "report_count": 0,
        "version": 74,
    }
    assert world.phases == [Phase.READY]
    assert (Path(world.conf.state_path) / "compute_id").read_text() == NODE


def test_a_restart_leaves_an_up_to_date_record_alone(world: World) -> None:
    _known(world)
    world.service().start()
    assert "Service.save" not in world.steps
    assert "Service.create" not in world.steps


def test_an_older_record_is_brought_up_to_date(world: World) -> None:
    _known(world, version=66)
    world.service().start()
    assert world.steps.count("Service.save") == 1
    assert world.steps.index("recover") < world.steps.index("Service.save")


def test_two_that_register_at_once_share_the_record(world: World) -> None:
    world.create_trouble = errors.ServiceBinaryExists(host=HOST, binary="nova-compute")
    world.record = _record()
    assert register(get_admin_context(), HOST, None).version == 74


def test_a_cell_that_requires_more_is_not_joined(world: World) -> None:
    world.create_trouble = errors.ServiceTooOld(thisver=74, minver=99)
    with pytest.raises(errors.ServiceTooOld):
        world.service().start()
    assert "servers.start" not in world.steps


@pytest.mark.parametrize(
    ("minimum", "is_skipped", "is_refused"),
    [
        (0, False, False),
        (71, False, True),
        (71, True, False),
        (72, False, False),
        (74, False, False),
    ],
)
def test_older_computes_than_supported(
    world: World, minimum: int, is_skipped: bool, is_refused: bool
) -> None:
    world.minimum = minimum
    world.conf.workarounds.disable_compute_service_check_for_ffu = is_skipped
    if is_refused:
        with pytest.raises(errors.TooOldComputeService, match=r"72.*71"):
            refuse_old_computes(get_admin_context(), world.conf)
    else:
        refuse_old_computes(get_admin_context(), world.conf)


@pytest.mark.parametrize("trouble", ["old computes", "no disks", "identity"])
def test_a_refusal_comes_before_anything_is_served_or_written(world: World, trouble: str) -> None:
    service = world.service()
    if trouble == "old computes":
        world.minimum = 60
    elif trouble == "no disks":
        world.conf.compute.max_disk_devices_to_attach = 0
    else:
        service._host.driver.states = lambda: {NODE: 1}  # type: ignore[method-assign]
    with pytest.raises(errors.NovaException):
        service.start()
    assert not {"recover", "Service.create", "servers.start"} & set(world.steps)
    assert list(Path(world.conf.state_path).iterdir()) == []


def test_stopping_with_nothing_in_flight(world: World) -> None:
    service = world.service()
    began = time.monotonic()
    assert service.stop()
    assert time.monotonic() - began < 1
    assert world.steps == [
        "runner.stop",
        "stop_primary",
        "stop_waiting",
        "driver.on_lifecycle_event",
        "driver.cleanup_host",
        "stop_alternate",
        "manager.close",
        "servers.close",
    ]
    assert world.phases == [Phase.DRAINING, Phase.STOPPED]


def test_work_in_flight_finishes_before_its_events_are_taken_away(world: World) -> None:
    world.inflight.begin("build_and_run_instance")

    def finish() -> None:
        world.steps.append("finished")
        world.inflight.end("build_and_run_instance")

    timer = threading.Timer(0.1, finish)
    timer.start()
    assert world.service().stop()
    assert world.steps.index("stop_primary") < world.steps.index("finished")
    assert world.steps.index("finished") < world.steps.index("stop_waiting")


def test_what_waits_too_long_is_woken_to_clean_up(world: World) -> None:
    world.conf.manager_shutdown_timeout = 0.05
    world.inflight.begin("build_and_run_instance")
    service = world.service()
    wake = service._host.stop_waiting

    def stop_waiting() -> None:
        wake()
        world.inflight.end("build_and_run_instance")

    service._host.stop_waiting = stop_waiting  # type: ignore[misc]
    assert service.stop()
    assert "servers.close" in world.steps


@pytest.mark.parametrize("what", ["a verb", "a periodic task", "work on an instance"])
def test_what_hangs_does_not_keep_the_agent_from_stopping(world: World, what: str) -> None:
    world.conf.manager_shutdown_timeout = 0.05
    world.conf.graceful_shutdown_timeout = 0.1
    if what == "a verb":
        world.inflight.begin("stop_instance")
    elif what == "a periodic task":
        world.runner_is_done = False
    service, goes_on = world.service(), threading.Event()
    if what == "work on an instance":
        service._host.lanes.start("aaaaaaaa-0000-4000-8000-000000000002", goes_on.wait)
    began = time.monotonic()
    assert not service.stop()
    assert time.monotonic() - began < 2
    goes_on.set()
    assert "stop_alternate" in world.steps
    assert "servers.close" not in world.steps


def test_a_reload_forgets_what_was_learned(world: World) -> None:
    world.service().reload()
    assert world.steps == ["forget"]
