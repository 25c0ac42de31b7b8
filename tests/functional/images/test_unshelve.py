"""Unshelving: on the same host and another, and what failures leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.states import PowerState
from tests.functional.images.owner import Owner
from tests.functional.images.test_shelve import assert_offloaded, marks

EVENT = "compute_unshelve_instance"


def assert_runs(owner: Owner, uuid: str, host: str) -> None:
    row = owner.cloud.row(uuid)
    assert (row["vm_state"], row["task_state"], row["power_state"]) == ("active", None, PowerState.RUNNING)
    assert (row["host"], row["node"], row["launched_on"]) == (host, host, host)
    assert owner.guest(uuid, host).power_state == PowerState.RUNNING
    assert list(owner.plane.holds(uuid)) == [host]
    assert owner.port_hosts(uuid) == [host]
    assert owner.held_here(uuid, host)
    assert marks(owner, uuid) == set()


@pytest.mark.parametrize("host", ["alone", "second"])
def test_a_server_comes_back_from_its_image(mover: Owner, host: str) -> None:
    (uuid,) = mover.cloud.boot(host="alone")
    image_id = mover.shelve(uuid)
    image_ref = mover.cloud.row(uuid)["image_ref"]
    mover.told.rows.clear()
    mover.unshelve(uuid, host)
    assert_runs(mover, uuid, host)
    assert mover.guest(uuid, host).image == image_id
    vifs = mover.cloud.instance(uuid).get_network_info()
    assert mover.guest(uuid, host).vifs == [vif["id"] for vif in vifs]
    assert mover.status(image_id) is None
    assert mover.cloud.row(uuid)["image_ref"] == image_ref
    assert mover.cloud.events(uuid)[-1] == (EVENT, "Success")
    assert mover.told.rows == [
        ("unshelve.start", "shelved_offloaded", "unshelving"),
        ("unshelve.end", "active", None),
    ]
    mover.cloud.delete(uuid)
    assert mover.cloud.allocations(uuid) == {}
    assert not mover.held_here(uuid, host)


def test_shelving_and_back_again_and_again(mover: Owner) -> None:
    (uuid,) = mover.cloud.boot(host="alone")
    for host in ("second", "alone", "alone", "second"):
        mover.cloud.settle()
        context, order = mover.shelving(uuid)
        mover.cast("shelve_instance", context, server=mover.cloud.row(uuid)["host"], **order)
        assert_offloaded(mover, uuid)
        mover.unshelve(uuid, host)
        assert_runs(mover, uuid, host)
    assert mover.images.made.all_images() == []


def test_an_image_that_cannot_be_removed_does_not_matter(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(context: Any, image_id: str) -> None:
        raise errors.ImageNotAuthorized(image_id=image_id)

    uuid = owner.server()
    owner.shelve(uuid)
    monkeypatch.setattr(owner.images, "delete", refuse)
    owner.unshelve(uuid)
    assert_runs(owner, uuid, "alone")
    assert owner.cloud.events(uuid)[-1] == (EVENT, "Success")


def test_a_node_that_is_not_named_is_the_one_there_is(owner: Owner) -> None:
    uuid = owner.server()
    owner.shelve(uuid)
    owner.unshelve(uuid, node=None, request_spec=None)
    assert_runs(owner, uuid, "alone")


# Failures: offloaded as before, with the image


def assert_back_on_the_shelf(owner: Owner, uuid: str, image_id: str) -> None:
    assert_offloaded(owner, uuid)
    assert owner.status(image_id) == "active"
    assert marks(owner, uuid) != set()
    assert owner.cloud.events(uuid)[-1] == (EVENT, "Error")
    assert len(owner.cloud.faults(uuid)) == 1


def test_a_host_that_is_too_full(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.shelve(uuid)
    owner.unshelve(uuid, filter_properties={"limits": {"memory_mb": 1}})
    assert_back_on_the_shelf(owner, uuid, image_id)
    owner.unshelve(uuid)
    assert_runs(owner, uuid, "alone")


def test_a_guest_that_does_not_start(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.shelve(uuid)
    owner.fail("spawn:*:NovaException:1")
    owner.unshelve(uuid)
    assert_back_on_the_shelf(owner, uuid, image_id)
    assert owner.told.names[-2:] == ["unshelve.start", "exception unshelve_instance"]
    owner.unshelve(uuid)
    assert_runs(owner, uuid, "alone")


@pytest.mark.parametrize(("part", "method"), [("network", "bind_to_host"), ("placement", "get_allocations")])
def test_a_service_that_is_away(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, part: str, method: str
) -> None:
    uuid = owner.server()
    image_id = owner.shelve(uuid)
    context, order = owner.unshelving(uuid, "alone")

    def away(*arguments: Any, **more: Any) -> None:
        raise errors.NovaException(f"{part} is away")

    with monkeypatch.context() as patch:
        patch.setattr(getattr(owner.cloud.host, part), method, away)
        owner.cast("unshelve_instance", context, **order)
    assert_back_on_the_shelf(owner, uuid, image_id)


def test_a_guest_that_neither_starts_nor_goes_is_still_counted(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.shelve(uuid)
    owner.fail("spawn:*:NovaException", "destroy:*:NovaException")
    owner.unshelve(uuid)
    row = owner.cloud.row(uuid)
    assert (row["vm_state"], row["task_state"], row["host"]) == ("error", None, "alone")
    assert owner.cloud.allocations(uuid) != {}
    assert owner.port_hosts(uuid) == ["alone"]  # it may run: nobody else gets them
    assert owner.status(image_id) == "active"
    owner.fail()
    owner.cloud.delete(uuid)
    assert owner.cloud.allocations(uuid) == {}


@pytest.mark.parametrize("nth", [1, 2])
def test_a_deletion_that_begins_meanwhile_finds_everything(owner: Owner, nth: int) -> None:
    uuid = owner.server()
    owner.shelve(uuid)

    def delete_first(proceed: Callable[[], Any]) -> Any:
        owner.cloud.set_fields(uuid, task_state="deleting")
        return proceed()

    owner.cloud.trouble("Instance", "save", delete_first, nth=nth)
    owner.unshelve(uuid)
    assert owner.states(uuid) == ("shelved_offloaded", "deleting")
    assert (owner.guest(uuid) is None) == (nth == 1)
    owner.cloud.delete(uuid)
    assert owner.guest(uuid) is None
    assert owner.cloud.allocations(uuid) == {}
    assert owner.cloud.rows("Port", instance_uuid=uuid) == []
    assert not owner.held_here(uuid)


def test_an_order_that_comes_twice_leaves_the_server_running(mover: Owner) -> None:
    (uuid,) = mover.cloud.boot(host="alone")
    mover.shelve(uuid)
    context, order = mover.unshelving(uuid, "second")
    mover.cloud.rpc.cast("unshelve_instance", context=context, **order)
    mover.cast("unshelve_instance", context, **order)
    assert_runs(mover, uuid, "second")
    mover.cast("unshelve_instance", context, **{**order, "server": "alone", "node": "alone"})
    assert_runs(mover, uuid, "second")
    assert not mover.held_here(uuid, "alone")


def test_an_order_for_a_full_host_that_comes_twice_leaves_the_server_running(owner: Owner) -> None:
    uuid = owner.server()
    owner.shelve(uuid)
    context, order = owner.unshelving(uuid, "alone")
    owner.cast("unshelve_instance", context, **order)
    owner.cast("unshelve_instance", context, **{**order, "filter_properties": {"limits": {"memory_mb": 1}}})
    assert_runs(owner, uuid, "alone")


def test_an_order_that_comes_after_the_deletion(owner: Owner) -> None:
    uuid = owner.server()
    owner.shelve(uuid)
    context, order = owner.unshelving(uuid, "alone")
    owner.cloud.set_fields(uuid, task_state=None)
    owner.cloud.delete(uuid)
    owner.cast("unshelve_instance", context, **order)
    assert owner.guest(uuid) is None
    assert not owner.held_here(uuid)
    assert owner.port_hosts(uuid) in ([], [None])
