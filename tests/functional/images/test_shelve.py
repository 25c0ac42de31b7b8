"""Shelving and offloading: states, images, notifications, what is given back, and what failures leave."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.states import PowerState
from tests.functional.cloud import Cloud
from tests.functional.images.owner import Owner

SHELVE, OFFLOAD = "compute_shelve_instance", "compute_shelve_offload_instance"
MARKS = {"shelved_at", "shelved_host", "shelved_image_id"}


def marks(owner: Owner, uuid: str) -> set[str]:
    return MARKS & set(owner.cloud.row(uuid)["system_metadata"])


def seen_states(owner: Owner, uuid: str) -> list[tuple[str, str | None]]:
    """Fills with the states that are saved from now on."""
    seen: list[tuple[str, str | None]] = []

    def note(proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        seen.append(owner.states(uuid))
        return answer

    owner.cloud.trouble("Instance", "save", note, times=100)
    return seen


def assert_offloaded(owner: Owner, uuid: str) -> None:
    row = owner.cloud.row(uuid)
    assert (row["vm_state"], row["task_state"]) == ("shelved_offloaded", None)
    assert [row[name] for name in ("host", "node", "launched_on", "compute_id")] == [None] * 4
    assert owner.guest(uuid) is None
    assert owner.cloud.allocations(uuid) == {}
    assert owner.port_hosts(uuid) == [None]
    assert not owner.held_here(uuid)


def assert_untouched(owner: Owner, uuid: str) -> None:
    assert owner.guest(uuid).power_state == PowerState.RUNNING
    assert owner.cloud.allocations(uuid) != {}
    assert owner.port_hosts(uuid) == ["alone"]
    assert owner.held_here(uuid)


# The way there


def test_a_shelved_server_leaves_its_host_at_once(owner: Owner) -> None:
    uuid = owner.server()
    seen = seen_states(owner, uuid)
    image_id = owner.shelve(uuid)
    assert_offloaded(owner, uuid)
    assert owner.status(image_id) == "active"
    assert b"".join(owner.images.download(None, image_id)).startswith(f"FAKE DISK {uuid}".encode())
    assert seen == [
        ("active", "shelving_image_uploading"),
        ("shelved", "shelving_offloading"),
        ("shelved_offloaded", None),
    ]
    remembered = owner.cloud.row(uuid)["system_metadata"]
    assert (remembered["shelved_image_id"], remembered["shelved_host"]) == (image_id, "alone")
    assert owner.cloud.events(uuid)[-1] == (SHELVE, "Success")
    assert owner.cloud.row(uuid)["power_state"] == PowerState.SHUTDOWN


def test_shelving_is_told_as_stock_tells_it(owner: Owner) -> None:
    owner.shelve(owner.server())
    assert owner.told.rows == [
        ("exists", "active", "shelving"),
        ("shelve.start", "active", "shelving"),
        ("shelve.end", "shelved", "shelving_offloading"),
        ("shelve_offload.start", "shelved", "shelving_offloading"),
        ("shelve_offload.end", "shelved_offloaded", None),
    ]
    assert owner.told.details[0]["current_period"] is True


def test_a_shelved_server_stays_where_the_operator_wants_that(keeper: Owner) -> None:
    uuid = keeper.server()
    keeper.shelve(uuid)
    assert keeper.states(uuid) == ("shelved", None)
    assert keeper.guest(uuid).power_state == PowerState.SHUTDOWN
    assert keeper.cloud.allocations(uuid) != {}
    assert keeper.held_here(uuid)
    assert marks(keeper, uuid) == MARKS
    keeper.offload(uuid)
    assert_offloaded(keeper, uuid)
    assert keeper.cloud.events(uuid)[-1] == (OFFLOAD, "Success")
    assert keeper.told.rows[-2:] == [
        ("shelve_offload.start", "shelved", "shelving_offloading"),
        ("shelve_offload.end", "shelved_offloaded", None),
    ]


def test_a_server_that_is_still_here_is_unshelved_by_a_start(keeper: Owner) -> None:
    uuid = keeper.server()
    image_id = keeper.shelve(uuid)
    context = keeper.begin(uuid, "unshelve", task_state="powering-on")
    keeper.cast("start_instance", context, instance=keeper.cloud.instance(uuid))
    assert keeper.states(uuid) == ("active", None)
    assert keeper.guest(uuid).power_state == PowerState.RUNNING
    assert keeper.status(image_id) is None
    assert marks(keeper, uuid) == set()


def test_a_stop_that_comes_late_leaves_it_shelved(keeper: Owner) -> None:
    uuid = keeper.server()
    context = keeper.begin(uuid, "stop", task_state="powering-off")
    late = keeper.cloud.instance(uuid)
    keeper.cloud.set_fields(uuid, task_state=None)
    keeper.shelve(uuid)
    keeper.cast("stop_instance", context, instance=late, clean_shutdown=True)
    assert keeper.states(uuid) == ("shelved", None)
    assert marks(keeper, uuid) == MARKS


def test_a_stopped_server_is_shelved_too(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.verb(uuid, "stop")
    assert owner.status(owner.shelve(uuid)) == "active"
    assert_offloaded(owner, uuid)


def test_a_paused_guest_is_not_asked_to_shut_down(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = owner.server()
    asked: list[int] = []
    driver = owner.cloud.host.driver
    plain = driver.power_off

    def note(instance: Any, *, timeout_seconds: int = 0, retry_seconds: int = 0) -> None:
        asked.append(timeout_seconds)
        plain(instance, timeout_seconds=timeout_seconds, retry_seconds=retry_seconds)

    monkeypatch.setattr(driver, "power_off", note)
    owner.cloud.set_fields(uuid, vm_state="paused", power_state=int(PowerState.PAUSED))
    owner.shelve(uuid)
    assert asked == [0, 0]


@pytest.mark.usefixtures("extracting_first")
def test_a_driver_that_extracts_first_walks_every_state(owner: Owner) -> None:
    uuid = owner.server()
    seen = seen_states(owner, uuid)
    owner.shelve(uuid)
    assert [task for _, task in seen] == [
        "shelving_image_pending_upload",
        "shelving_image_uploading",
        "shelving_offloading",
        None,
    ]


# By the clock


def test_what_was_shelved_long_enough_is_offloaded(make_cloud: Callable[..., Cloud]) -> None:
    owner = Owner(make_cloud({"shelved_offload_time": 1000}))
    old, new, undated, busy = (owner.server(name=name) for name in ("old", "new", "undated", "busy"))
    for uuid in (old, new, undated, busy):
        owner.shelve(uuid)
    for uuid, since in ((old, "2020-01-01T00:00:00.1"), (undated, None), (busy, "2020-01-01T00:00:00")):
        remembered = {**owner.cloud.row(uuid)["system_metadata"], "shelved_at": since}
        owner.cloud.set_fields(uuid, system_metadata=remembered)
    owner.cloud.set_fields(busy, task_state="unshelving")
    owner.cloud.run_periodic("_poll_shelved_instances")
    assert_offloaded(owner, old)
    assert_offloaded(owner, undated)
    assert owner.states(new) == ("shelved", None)
    assert owner.states(busy) == ("shelved", "unshelving")


def test_an_offload_by_the_clock_that_fails_is_tried_again(make_cloud: Callable[..., Cloud]) -> None:
    owner = Owner(make_cloud({"shelved_offload_time": 1000}))
    uuid = owner.server()
    owner.shelve(uuid)
    remembered = {**owner.cloud.row(uuid)["system_metadata"], "shelved_at": "2020-01-01T00:00:00"}
    owner.cloud.set_fields(uuid, system_metadata=remembered)
    owner.fail("destroy:*:NovaException:1")
    owner.cloud.run_periodic("_poll_shelved_instances")
    assert owner.states(uuid) == ("shelved", None)
    assert len(owner.cloud.faults(uuid)) == 1
    owner.cloud.run_periodic("_poll_shelved_instances")
    assert_offloaded(owner, uuid)


@pytest.mark.parametrize("seconds", [0, -1])
def test_nothing_is_offloaded_by_the_clock_when_not_wanted(
    make_cloud: Callable[..., Cloud], seconds: int
) -> None:
    from computed.periodic import shelved

    assert not shelved.is_wanted(make_cloud({"shelved_offload_time": seconds}).host)


# Failures of shelving


@pytest.mark.parametrize("operation", ["snapshot", "power_off"])
def test_a_shelving_that_fails_leaves_the_server_running(owner: Owner, operation: str) -> None:
    uuid = owner.server()
    owner.fail(f"{operation}:*:NovaException")
    image_id = owner.shelve(uuid)
    assert owner.states(uuid) == ("active", None)
    assert_untouched(owner, uuid)
    assert owner.status(image_id) is None
    assert owner.cloud.faults(uuid) == [f"{operation} fails as ordered by [fake]fail"]
    assert owner.cloud.events(uuid)[-1] == (SHELVE, "Error")
    assert owner.told.names[-2:] == ["shelve.start", "exception shelve_instance"]
    assert marks(owner, uuid) == set()


def test_a_stopped_server_whose_shelving_fails_stays_off(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.verb(uuid, "stop")
    owner.fail("snapshot:*:NovaException")
    owner.shelve(uuid)
    assert owner.states(uuid) == ("stopped", None)
    assert owner.guest(uuid).power_state == PowerState.SHUTDOWN


@pytest.mark.parametrize("nth", [1, 2])
def test_a_deletion_that_begins_meanwhile_goes_before(owner: Owner, nth: int) -> None:
    uuid = owner.server()

    def delete_first(proceed: Callable[[], Any]) -> Any:
        owner.cloud.set_fields(uuid, task_state="deleting")
        return proceed()

    owner.cloud.trouble("Instance", "save", delete_first, nth=nth)
    image_id = owner.shelve(uuid)
    assert owner.states(uuid) == ("active", "deleting")
    assert owner.status(image_id) is None
    # What had not begun has not touched the guest.
    assert (owner.guest(uuid).power_state == PowerState.RUNNING) == (nth == 1)


def test_a_shelving_in_the_wrong_state_does_not_touch_the_guest(owner: Owner) -> None:
    uuid = owner.server()
    context, order = owner.shelving(uuid)
    owner.cloud.set_fields(uuid, task_state="rebooting")
    owner.cast("shelve_instance", context, **order)
    assert owner.states(uuid) == ("active", "rebooting")
    assert_untouched(owner, uuid)


def test_an_order_that_comes_twice_keeps_the_image(owner: Owner) -> None:
    uuid = owner.server()
    context, order = owner.shelving(uuid)
    owner.cloud.rpc.cast("shelve_instance", context=context, **order)
    owner.cast("shelve_instance", context, **order)
    assert_offloaded(owner, uuid)
    assert owner.status(order["image_id"]) == "active"


def test_an_order_that_comes_after_the_server_runs_again_changes_nothing(owner: Owner) -> None:
    uuid = owner.server()
    context, order = owner.shelving(uuid)
    owner.cast("shelve_instance", context, **order)
    owner.unshelve(uuid)
    owner.cast("shelve_instance", context, **order)
    assert owner.states(uuid) == ("active", None)
    assert_untouched(owner, uuid)


def test_an_order_that_comes_after_the_deletion(owner: Owner) -> None:
    uuid = owner.server()
    context, order = owner.shelving(uuid)
    owner.cloud.delete(uuid)
    owner.cast("shelve_instance", context, **order)
    assert uuid not in owner.cloud.uuids()
    assert owner.guest(uuid) is None


def with_accelerators(owner: Owner, uuid: str) -> None:
    """Let the server's flavor ask for accelerators."""
    flavor = copy.deepcopy(owner.cloud.row(uuid)["flavor"])
    flavor["nova_object.data"]["extra_specs"] = {"accel:device_profile": "fpga"}
    owner.cloud.set_fields(uuid, flavor=flavor)


def test_accelerators_are_given_back_and_others_taken(owner: Owner) -> None:
    service = owner.cloud.embedded.accelerators
    uuid = owner.server()
    with_accelerators(owner, uuid)
    service.add(uuid)
    owner.shelve(uuid)
    assert owner.states(uuid) == ("shelved_offloaded", None)
    assert service.ids() == []
    other = service.add(uuid)
    owner.unshelve(uuid, accel_uuids=[other])
    assert owner.states(uuid) == ("active", None)
    assert owner.guest(uuid).accelerators == [other]


def test_accelerators_that_are_not_bound_leave_the_server_offloaded(owner: Owner) -> None:
    service = owner.cloud.embedded.accelerators
    uuid = owner.server()
    with_accelerators(owner, uuid)
    owner.shelve(uuid)
    other = service.add(uuid, "BindFailed")
    owner.unshelve(uuid, accel_uuids=[other])
    assert owner.states(uuid) == ("shelved_offloaded", None)
    assert (service.ids(), owner.guest(uuid)) == ([], None)


# Failures of offloading


@pytest.mark.parametrize("operation", ["power_off", "destroy"])
def test_an_offload_that_fails_early_leaves_a_shelved_server(keeper: Owner, operation: str) -> None:
    uuid = keeper.server()
    keeper.shelve(uuid)
    keeper.fail(f"{operation}:*:NovaException:1")
    keeper.offload(uuid)
    assert keeper.states(uuid) == ("shelved", None)
    assert keeper.guest(uuid) is not None
    assert keeper.port_hosts(uuid) == ["alone"]
    assert keeper.held_here(uuid)
    assert len(keeper.cloud.faults(uuid)) == 1
    keeper.offload(uuid)
    assert_offloaded(keeper, uuid)


@pytest.mark.parametrize(
    ("part", "method"), [("network", "unbind"), ("placement", "delete_allocations"), ("volumes", None)]
)
def test_an_offload_that_fails_late_is_finished_by_the_next(
    keeper: Owner, monkeypatch: pytest.MonkeyPatch, part: str, method: str | None
) -> None:
    if method is None:
        pytest.skip("no servers on volumes yet")
    uuid = keeper.server()
    keeper.shelve(uuid)
    with monkeypatch.context() as patch:

        def away(*arguments: Any, **more: Any) -> None:
            raise errors.NovaException(f"{part} is away")

        patch.setattr(getattr(keeper.cloud.host, part), method, away)
        keeper.offload(uuid)
    assert keeper.states(uuid) == ("shelved", None)
    assert keeper.cloud.faults(uuid) == [f"{part} is away"]
    assert keeper.cloud.row(uuid)["host"] == "alone"
    assert keeper.held_here(uuid)
    keeper.offload(uuid)
    assert_offloaded(keeper, uuid)


def test_an_offload_that_gives_way_to_a_deletion(keeper: Owner) -> None:
    uuid = keeper.server()
    keeper.shelve(uuid)

    def delete_first(proceed: Callable[[], Any]) -> Any:
        keeper.cloud.set_fields(uuid, task_state="deleting")
        return proceed()

    keeper.cloud.trouble("Instance", "save", delete_first)
    keeper.offload(uuid)
    assert keeper.states(uuid) == ("shelved", "deleting")
    assert keeper.cloud.row(uuid)["host"] == "alone"
    keeper.cloud.set_fields(uuid, task_state=None)
    keeper.cloud.delete(uuid)
    assert keeper.cloud.rows("Port", instance_uuid=uuid) == []
    assert not keeper.held_here(uuid)


@pytest.mark.parametrize("task_state", [None, "deleting", "powering-on"])
def test_an_offload_that_comes_late_does_not_touch_the_guest(owner: Owner, task_state: str | None) -> None:
    uuid = owner.server()
    context = owner.begin(uuid, "shelveOffload", task_state="shelving_offloading")
    order = {"instance": owner.cloud.instance(uuid), "clean_shutdown": True, "accel_uuids": []}
    owner.cloud.set_fields(uuid, task_state=task_state)
    owner.cast("shelve_offload_instance", context, **order)
    assert owner.states(uuid) == ("active", task_state)
    assert_untouched(owner, uuid)
    assert owner.cloud.events(uuid)[-1] == (OFFLOAD, "Error")
