"""What the guards do before, after and around an operation, seen from the bus and from the conductor."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from computed import errors, objects
from tests.unit.rpc.world import HOST, UUID, Door

START, FINISH = "InstanceActionEvent.event_start", "InstanceActionEvent.event_finish_with_failure"
SAVE, FAULT = "Instance.save", "InstanceFault.create"


def _fails(error: Exception) -> Any:
    def work(**arguments: Any) -> None:
        raise error

    return work


def _stop(door: Door, **values: Any) -> None:
    door.cast("stop_instance", instance=door.instance(**values), clean_shutdown=True)


def test_success_costs_two_calls_for_the_event_and_no_more(door: Door) -> None:
    door.does("stop_instance")
    _stop(door)
    assert door.conductor.names == [START, FINISH]
    assert door.conductor.details(START) == {
        "args": (UUID, "compute_stop_instance"),
        "host": HOST,
        "want_result": False,
    }
    assert door.conductor.details(FINISH) == {
        "args": (UUID, "compute_stop_instance"),
        "exc_val": None,
        "exc_tb": None,
        "want_result": False,
    }
    assert door.notifier.told == []


def test_a_failure_passes_the_guards_from_the_inside_out(door: Door) -> None:
    error = errors.InstancePowerOffFailure(reason="stuck")
    door.does("stop_instance", _fails(error))
    _stop(door)
    assert door.conductor.names == [START, FINISH, SAVE, FAULT]
    assert door.notifier.told == [("stop_instance", error)]
    finish = door.conductor.details(FINISH)
    assert finish["exc_val"] == error.format_message()
    assert "_fails" in finish["exc_tb"] or "work" in finish["exc_tb"]
    assert door.conductor.details(SAVE) == {"task_state": None, "expected_task_state": ["powering-off"]}


@pytest.mark.parametrize(
    ("error", "code", "message", "has_details"),
    [
        (errors.InstancePowerOffFailure(reason="stuck"), 400, "stuck", False),
        (errors.NovaException("it broke"), 500, "it broke", True),
        (ValueError("password=hunter2"), 500, "ValueError", True),
        (errors.ConductorTimeout("no answer to x"), 500, "no answer to x", True),
        (errors.NovaException("ä" * 300), 500, "ä" * 127, True),
    ],
)
def test_the_fault_record(door: Door, error: Exception, code: int, message: str, has_details: bool) -> None:
    door.does("stop_instance", _fails(error))
    _stop(door)
    fault = door.conductor.details(FAULT)
    assert (fault["code"], fault["host"], fault["instance_uuid"]) == (code, HOST, UUID)
    assert fault["message"].endswith(message)
    assert len(fault["message"].encode()) <= 255
    assert bool(fault["details"]) is has_details


def test_an_instance_that_is_gone_gets_no_fault(door: Door) -> None:
    door.does("stop_instance", _fails(errors.InstanceNotFound(instance_id=UUID)))
    _stop(door)
    assert FAULT not in door.conductor.names


def test_a_verb_that_gave_way_leaves_the_task_state_to_the_other(door: Door) -> None:
    error = errors.UnexpectedDeletingTaskStateError(
        instance_uuid=UUID, expected={"task_state": ["x"]}, actual={"task_state": "deleting"}
    )
    door.does("stop_instance", _fails(error))
    _stop(door)
    assert SAVE not in door.conductor.names
    assert FAULT in door.conductor.names


def test_no_task_state_needs_no_revert(door: Door) -> None:
    door.does("stop_instance", _fails(ValueError()))
    _stop(door, task_state=None)
    assert SAVE not in door.conductor.names


@pytest.mark.parametrize(
    "trouble",
    [
        errors.UnexpectedTaskStateError(
            instance_uuid=UUID, expected={"task_state": ["a"]}, actual={"task_state": "b"}
        ),
        errors.InstanceNotFound(instance_id=UUID),
        errors.ConductorTimeout("no answer"),
    ],
)
def test_what_goes_wrong_while_clearing_up_does_not_hide_the_failure(door: Door, trouble: Exception) -> None:
    for name in (FINISH, SAVE, FAULT):
        door.conductor.failures[name] = trouble
    door.does("set_admin_password", _fails(errors.SetAdminPasswdNotSupported()))
    with pytest.raises(errors.SetAdminPasswdNotSupported):
        door.call("set_admin_password", instance=door.instance(), new_pass="x")
    assert door.conductor.names == [START, FINISH, SAVE, FAULT]


def test_an_operation_that_succeeded_stays_so_when_its_end_cannot_be_recorded(door: Door) -> None:
    door.conductor.failures[FINISH] = errors.ConductorTimeout("no answer")
    door.does("attach_interface", lambda **arguments: {"id": 1})
    arguments = {"network_id": None, "port_id": "p", "requested_ip": None, "tag": None}
    assert door.call("attach_interface", instance=door.instance(), **arguments) == {"id": 1}


def test_an_agent_that_stops_begins_nothing_that_the_conductor_has_not_heard_of(door: Door) -> None:
    assert door.host.stopping.is_set()
    door.conductor.failures[START] = errors.ConductorTimeout("no answer")
    door.does("stop_instance")
    _stop(door)
    assert door.arrived == []


@pytest.mark.parametrize("name", [START, FINISH, SAVE, FAULT])
def test_a_conductor_that_is_away_for_a_moment_is_waited_for(door: Door, name: str) -> None:
    door.host.stopping.clear()
    door.conductor.failures[name] = errors.ConductorTimeout("no answer")
    door.does("set_admin_password", _fails(errors.SetAdminPasswdNotSupported()))
    comes_back = threading.Timer(0.2, door.conductor.failures.clear)
    comes_back.start()
    with pytest.raises(errors.SetAdminPasswdNotSupported):
        door.call("set_admin_password", instance=door.instance(), new_pass="x")
    comes_back.join()
    assert door.conductor.names == sorted(
        [START, FINISH, SAVE, FAULT, name], key=[START, FINISH, SAVE, FAULT].index
    )
    assert len(door.arrived) == 1


def test_a_request_without_an_action_goes_ahead_without_an_event(door: Door) -> None:
    door.conductor.failures[START] = errors.InstanceActionNotFound(request_id="r", instance_uuid=UUID)
    door.does("stop_instance")
    _stop(door)
    assert len(door.arrived) == 1
    assert door.conductor.names == [START]


def test_the_event_of_a_build_bears_the_name_that_the_api_shows(door: Door) -> None:
    door.does("build_and_run_instance")
    door.cast(
        "build_and_run_instance",
        instance=door.instance(host=None, task_state="scheduling"),
        image={},
        request_spec=objects.RequestSpec(),
        filter_properties={},
        accel_uuids=[],
    )
    assert door.conductor.details(START)["args"] == (UUID, "compute__do_build_and_run_instance")
    assert door.conductor.names == [START, FINISH]


def test_a_failed_migration_ends_in_error(door: Door) -> None:
    door.does("confirm_resize", _fails(ValueError()))
    migration = objects.Migration(door.context, id=7, status="confirming")
    migration.obj_reset_changes()
    door.cast("confirm_resize", instance=door.instance(), migration=migration)
    assert door.conductor.details("Migration.save") == {"status": "error"}


def test_a_failed_snapshot_takes_its_image_along(door: Door) -> None:
    door.does("snapshot_instance", _fails(ValueError()))
    door.cast("snapshot_instance", instance=door.instance(), image_id="i1")
    assert door.images.deleted == ["i1"]


@pytest.mark.parametrize("name", ["pause_instance", "suspend_instance", "rescue_instance"])
def test_a_cast_that_the_driver_cannot_do_leaves_a_fault_and_frees_it(door: Door, name: str) -> None:
    more = {"rescue_password": None, "rescue_image_ref": None, "clean_shutdown": True}
    arguments = more if name == "rescue_instance" else {}
    door.does(name, _fails(NotImplementedError("this driver cannot")))
    door.cast(name, instance=door.instance(task_state="pausing"), **arguments)
    assert door.conductor.names == [START, FINISH, SAVE, FAULT]
    fault = door.conductor.details(FAULT)
    assert (fault["message"], fault["code"]) == ("NotImplementedError", 500)
    assert "this driver cannot" in fault["details"]


def test_a_call_that_the_driver_cannot_do_says_so(door: Door) -> None:
    door.does("get_diagnostics", _fails(NotImplementedError("this driver cannot")))
    with pytest.raises(NotImplementedError, match="this driver cannot"):
        door.call("get_diagnostics", instance=door.instance())


def test_verbs_of_one_instance_take_turns_and_others_do_not_wait(door: Door) -> None:
    running: list[str] = []
    most: list[int] = []
    both = threading.Barrier(2)
    other = "bbbbbbbb-0000-4000-8000-000000000002"

    def work(instance: Any, **arguments: Any) -> None:
        running.append(instance.uuid)
        most.append(running.count(instance.uuid))
        if len(most) <= 2:
            both.wait(5)
        running.remove(instance.uuid)

    door.does("stop_instance", work)
    client = door.client()
    for uuid in (UUID, other, UUID, UUID):
        client.cast(door.context, "stop_instance", instance=door.instance(uuid=uuid), clean_shutdown=True)
    door.settle()
    assert len(most) == 4
    assert max(most) == 1
