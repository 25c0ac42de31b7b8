"""The legs of a resize between cells, as the conductor calls them one after the other."""

from __future__ import annotations

import pytest

from computed import errors
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.resize.cross_cell import CrossCell
from tests.functional.resize.looking import (
    MICRO,
    NANO,
    SECOND,
    audit,
    fail,
    flavor_of,
    guests,
    port_hosts,
    states_of,
    used_mib,
)
from tests.functional.resize.test_restart import restart


@pytest.fixture
def role(pair: Cloud) -> CrossCell:
    return CrossCell(pair)


def new_image(cloud: Cloud) -> str:
    """An image without bytes, as the conductor makes it for the disks."""
    return str(cloud.embedded.images.made.create("moving", properties={})["id"])


def test_there_and_confirmed(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    context = role.prep_dest()
    assert context.migration_id == role.migration(role.uuid_of_move).id
    record = role.migration(role.uuid_of_move)
    assert (record.dest_compute, record.status) == (SECOND, "pre-migrating")
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 256]
    role.prep_source()
    assert states_of(pair, uuid)[:2] == ("active", "resize_migrated")
    assert role.migration(role.uuid_of_move).status == "post-migrating"
    assert guests(pair, HOST) == {} and port_hosts(pair, uuid) == {SECOND}
    role.finish()
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)
    assert flavor_of(pair, uuid) == "m1.micro" and flavor_of(pair, uuid, "old_flavor") == "m1.nano"
    assert role.migration(role.uuid_of_move).status == "finished"
    assert guests(pair, SECOND) == {uuid: 1}
    role.leg("confirm_snapshot_based_resize_at_source", HOST)
    assert not pair.host.driver.has_disks_of(pair.instance(uuid))
    assert role.migration(role.uuid_of_move).status == "confirmed"
    assert role.holds(role.uuid_of_move) == {} and role.holds(uuid) == {SECOND: MICRO}
    assert port_hosts(pair, uuid) == {SECOND}
    for _ in range(2):
        assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 256]
        pair.set_fields(uuid, vm_state="active")
        audit(pair)
    assert pair.events(uuid)[1:] == [
        ("compute_prep_snapshot_based_resize_at_dest", "Success"),
        ("compute_prep_snapshot_based_resize_at_source", "Success"),
        ("compute_finish_snapshot_based_resize_at_dest", "Success"),
        ("compute_confirm_snapshot_based_resize_at_source", "Success"),
    ]


def test_destination_keeps_the_room_while_its_record_is_hidden(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    # The record of the target cell, until the guest is there.
    pair.set_fields(uuid, hidden=True)
    for _ in range(2):
        audit(pair)
        assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 256]
    with pair.counting() as counts:
        pair.agents[SECOND].run_periodic("update_available_resource")
    assert counts.conductor["InstanceList", "get_by_filters"] == 2
    pair.set_fields(uuid, hidden=False)
    with pair.counting() as counts:
        pair.agents[SECOND].run_periodic("update_available_resource")
    assert counts.conductor["InstanceList", "get_by_filters"] == 1


def test_there_and_back(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.there(uuid)
    pair.set_fields(uuid, task_state="resize_reverting")
    role.set_migration(role.uuid_of_move, status="reverting")
    role.leg("revert_snapshot_based_resize_at_dest", SECOND)
    assert guests(pair, SECOND) == {} and port_hosts(pair, uuid) == {HOST}
    role.leg("finish_revert_snapshot_based_resize_at_source", HOST)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert flavor_of(pair, uuid) == "m1.nano"
    row = pair.row(uuid)
    assert (row["old_flavor"], row["new_flavor"], row["migration_context"]) == (None, None, None)
    assert guests(pair, HOST) == {uuid: 1}
    assert role.migration(role.uuid_of_move).status == "reverted"
    assert role.holds(role.uuid_of_move) == {} and role.holds(uuid) == {HOST: NANO}
    for _ in range(2):
        assert [used_mib(pair, host) for host in (HOST, SECOND)] == [128, 0]
        audit(pair)


@pytest.mark.parametrize("is_there", [False, True])
def test_source_restarts_while_the_other_cell_has_it(pair: Cloud, role: CrossCell, is_there: bool) -> None:
    """What the source's record says does not change when the server is there: it is only hidden then."""
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    role.prep_source()
    pair.set_fields(uuid, hidden=is_there)
    before = states_of(pair, uuid)
    assert before == ("active", "resize_migrated", HOST, HOST)
    restart(pair, HOST)
    assert states_of(pair, uuid) == before and pair.faults(uuid) == []
    assert role.migration(role.uuid_of_move).status == "post-migrating" and guests(pair, HOST) == {}
    role.finish()
    assert states_of(pair, uuid) == ("resized", None, SECOND, SECOND)


@pytest.mark.parametrize("host", [HOST, SECOND])
def test_host_restarts_before_its_leg_back(pair: Cloud, role: CrossCell, host: str) -> None:
    """The record of either cell says so from the beginning of the way back."""
    (uuid,) = pair.boot(host=HOST)
    role.there(uuid)
    pair.set_fields(uuid, task_state="resize_reverting")
    role.set_migration(role.uuid_of_move, status="reverting")
    if host == SECOND:
        restart(pair, host)
    role.leg("revert_snapshot_based_resize_at_dest", SECOND)
    if host == HOST:
        pair.set_fields(uuid, vm_state="active", host=HOST, node=HOST)
        restart(pair, host)
    role.leg("finish_revert_snapshot_based_resize_at_source", HOST)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST) and pair.faults(uuid) == []
    assert guests(pair, HOST) == {uuid: 1} and guests(pair, SECOND) == {}


def test_destination_without_room_says_so(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    pair.trouble("Migration", "save", errors.InternalError(err="lost"))
    with pytest.raises(errors.MigrationPreCheckError):
        role.prep_dest()
    assert used_mib(pair, SECOND) == 0
    assert states_of(pair, uuid) == ("active", "resize_prep", HOST, HOST), "the conductor tries elsewhere"


def test_guest_that_cannot_be_stopped(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    fail(pair, HOST, "power_off:*")
    with pytest.raises(errors.InstancePowerOffFailure):
        role.prep_source()
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert guests(pair, HOST) == {uuid: 1}
    assert role.migration(role.uuid_of_move).status == "error"


def test_guest_that_cannot_be_spawned_gives_the_ports_back(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    role.prep_source()
    fail(pair, SECOND, "spawn:*")
    with pytest.raises(errors.NovaException):
        role.finish()
    assert states_of(pair, uuid)[0] == "error"
    assert port_hosts(pair, uuid) == {HOST}
    assert role.migration(role.uuid_of_move).status == "error"
    assert len(pair.faults(uuid)) == 1


def test_confirmation_that_fails_gives_the_allocation_back(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.there(uuid)
    fail(pair, HOST, "destroy:*")
    with pytest.raises(errors.NovaException):
        role.leg("confirm_snapshot_based_resize_at_source", HOST)
    assert role.holds(role.uuid_of_move) == {}
    assert role.migration(role.uuid_of_move).status == "error"
    assert states_of(pair, uuid)[0] == "error"


def test_disks_go_as_an_image(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    image = new_image(pair)
    role.prep_source(image)
    assert pair.embedded.images.show(user_context(), image)["status"] == "active"
    role.finish(image)
    with pytest.raises(errors.ImageNotFound):
        pair.embedded.images.show(user_context(), image)
    guest = pair.agents[SECOND].host.driver._store.find(uuid)  # type: ignore[attr-defined]
    assert guest.image == image
    assert pair.row(uuid)["image_ref"] == role.image()["id"]


def test_image_of_a_failed_leg_is_removed(pair: Cloud, role: CrossCell) -> None:
    (uuid,) = pair.boot(host=HOST)
    role.begin_move(uuid)
    role.prep_dest()
    image = new_image(pair)
    fail(pair, HOST, "snapshot:*")
    with pytest.raises(errors.NovaException):
        role.prep_source(image)
    with pytest.raises(errors.ImageNotFound):
        pair.embedded.images.show(user_context(), image)
    assert states_of(pair, uuid) == ("active", None, HOST, HOST)
    assert role.migration(role.uuid_of_move).status == "error"
