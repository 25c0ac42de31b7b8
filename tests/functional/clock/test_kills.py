"""The agent is killed in the middle of each verb, before or after the hypervisor has done its part; the next
agent brings the server to a legal state, and its owner can go on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from computed import errors
from computed.operations.recover import second_look
from computed.states import PowerState
from tests.functional.clock.victim import Victim
from tests.functional.cloud import Cloud
from tests.functional.rebuild.role import RebuildRole
from tests.functional.volumes.keeper import VolumeKeeper

ON, OFF, PAUSED, ASLEEP = (
    int(PowerState.RUNNING),
    int(PowerState.SHUTDOWN),
    int(PowerState.PAUSED),
    int(PowerState.SUSPENDED),
)
State = tuple[str, int | None]
Send = Callable[[Victim, str], None]


@dataclass(frozen=True)
class Verb:
    """A verb with everything that it is sent with, and what must have been done to the server before."""

    action: str
    task_state: str | None
    method: str
    arguments: dict[str, Any]
    first: tuple[str, ...] = ()

    def send(self, victim: Victim, uuid: str) -> None:
        victim.cast(uuid, self.action, self.method, self.task_state, **self.arguments)


def _plain(name: str, task_state: str, *first: str, **arguments: Any) -> Verb:
    return Verb(name, task_state, f"{name}_instance", arguments, first)


VERBS = {
    "stop": _plain("stop", "powering-off", clean_shutdown=True),
    "start": _plain("start", "powering-on", "stop"),
    "soft reboot": _plain("reboot", "rebooting", block_device_info=None, reboot_type="SOFT"),
    "hard reboot": _plain("reboot", "rebooting_hard", block_device_info=None, reboot_type="HARD"),
    "hard reboot of a stopped one": _plain(
        "reboot", "rebooting_hard", "stop", block_device_info=None, reboot_type="HARD"
    ),
    "pause": _plain("pause", "pausing"),
    "unpause": _plain("unpause", "unpausing", "pause"),
    "suspend": _plain("suspend", "suspending"),
    "resume": _plain("resume", "resuming", "suspend"),
    "rescue": _plain(
        "rescue", "rescuing", rescue_password=None, rescue_image_ref=None, clean_shutdown=False
    ),
    "rescue of a stopped one": _plain(
        "rescue", "rescuing", "stop", rescue_password=None, rescue_image_ref=None, clean_shutdown=False
    ),
    "unrescue": _plain("unrescue", "unrescuing", "rescue"),
    "set_password": Verb("changePassword", "updating_password", "set_admin_password", {"new_pass": "x"}),
    "soft_delete": _plain("soft_delete", "soft-deleting"),
    "restore": _plain("restore", "restoring", "soft_delete"),
    "delete": Verb("delete", "deleting", "terminate_instance", {"bdms": None}),
}

ROWS: list[tuple[str, str, State]] = [
    ("stop", "power_off.before", ("stopped", OFF)),
    ("stop", "power_off.after", ("stopped", OFF)),
    ("start", "power_on.before", ("active", ON)),
    ("start", "power_on.after", ("active", ON)),
    ("soft reboot", "reboot.before", ("active", ON)),
    ("soft reboot", "reboot.after", ("active", ON)),
    ("hard reboot", "reboot.before", ("active", ON)),
    ("hard reboot", "reboot.after", ("active", ON)),
    ("hard reboot of a stopped one", "reboot.before", ("active", ON)),
    ("hard reboot of a stopped one", "reboot.after", ("active", ON)),
    ("pause", "pause.before", ("active", ON)),
    ("pause", "pause.after", ("paused", PAUSED)),
    ("unpause", "unpause.before", ("paused", PAUSED)),
    ("unpause", "unpause.after", ("active", ON)),
    ("suspend", "suspend.before", ("active", ON)),
    ("suspend", "suspend.after", ("suspended", ASLEEP)),
    ("resume", "resume.before", ("suspended", ASLEEP)),
    ("resume", "resume.after", ("active", ON)),
    ("rescue", "power_off.before", ("active", ON)),
    ("rescue", "power_off.after", ("stopped", OFF)),
    ("rescue", "rescue.before", ("stopped", OFF)),
    ("rescue", "rescue.after", ("rescued", ON)),
    ("rescue of a stopped one", "rescue.before", ("stopped", OFF)),
    ("rescue of a stopped one", "rescue.after", ("rescued", ON)),
    ("unrescue", "unrescue.before", ("rescued", ON)),
    ("unrescue", "unrescue.after", ("active", ON)),
    ("set_password", "set_admin_password.before", ("active", ON)),
    ("set_password", "set_admin_password.after", ("active", ON)),
    ("soft_delete", "power_off.before", ("active", ON)),
    ("soft_delete", "power_off.after", ("stopped", OFF)),
    ("restore", "power_on.before", ("active", ON)),
    ("restore", "power_on.after", ("active", ON)),
    ("delete", "destroy.before", ("deleted", None)),
    ("delete", "destroy.after", ("deleted", None)),
]


@pytest.fixture
def victim(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Victim]:
    victim = Victim(cloud)
    monkeypatch.setattr("computed.virt.fake.orders.os.kill", victim.die)
    yield victim
    victim.close()


def prepare(victim: Victim, verb: Verb) -> str:
    """A server that the verb may be done to."""
    uuid = victim.owner.server()
    image_id = victim.owner.images.find("guest")["id"]
    victim.cloud.set_fields(
        uuid, system_metadata={**victim.cloud.row(uuid)["system_metadata"], "image_base_image_ref": image_id}
    )
    for name in verb.first:
        VERBS[name].send(victim, uuid)
        victim.owner.settle()
        assert victim.owner.states(uuid)[1] is None
    return uuid


def nothing_left(victim: Victim, uuid: str) -> None:
    """Delete the server if it is there still, and see that it holds nothing."""
    if not victim.cloud.row(uuid)["deleted"]:
        VERBS["delete"].send(victim, uuid)
        victim.owner.settle()
    assert victim.cloud.row(uuid)["deleted"]
    assert victim.cloud.allocations(uuid) == {}
    assert victim.cloud.rows("Port", instance_uuid=uuid) == []
    assert not victim.owner.held_here(uuid)
    assert victim.guest(uuid) is None


@pytest.mark.parametrize(
    ("name", "point", "after"), ROWS, ids=[f"{name} at {point}" for name, point, _ in ROWS]
)
def test_killed_in(victim: Victim, name: str, point: str, after: State) -> None:
    verb = VERBS[name]
    uuid = prepare(victim, verb)
    victim.kill_at(point, lambda: verb.send(victim, uuid))
    assert victim.shown(uuid) == (after[0], None, after[1])
    assert victim.cloud.faults(uuid) == []
    if after[0] in ("active", "stopped"):
        again = VERBS["stop" if after[0] == "active" else "start"]
        again.send(victim, uuid)
        victim.owner.settle()
        assert victim.owner.states(uuid) == ("stopped" if after[0] == "active" else "active", None)
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["spawn.before", "spawn.after"])
def test_killed_in_a_build(victim: Victim, point: str) -> None:
    victim.kill_at(point, lambda: victim.cloud.boot(wait=False))
    [uuid] = victim.cloud.uuids()
    assert victim.owner.states(uuid) == ("error", None)
    assert "restarted" in victim.cloud.faults(uuid)[0]
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["snapshot.before", "snapshot.after"])
def test_killed_in_a_snapshot(victim: Victim, point: str) -> None:
    uuid = victim.owner.server()
    arguments = {"image_id": victim.owner.image(uuid)}
    snapshot = Verb("createImage", "image_snapshot_pending", "snapshot_instance", arguments)
    victim.kill_at(point, lambda: snapshot.send(victim, uuid))
    assert victim.shown(uuid) == ("active", None, ON)
    image_id = victim.owner.snapshot(uuid)
    assert victim.owner.status(image_id) == "active"
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["snapshot.before", "snapshot.after"])
def test_killed_in_a_backup(victim: Victim, point: str) -> None:
    uuid = victim.owner.server()
    image_id = victim.owner.image(uuid, image_type="backup", backup_type="daily")
    arguments = {"image_id": image_id, "backup_type": "daily", "rotation": 1}
    backup = Verb("createBackup", "image_backup", "backup_instance", arguments)
    victim.kill_at(point, lambda: backup.send(victim, uuid))
    assert victim.shown(uuid) == ("active", None, ON)
    nothing_left(victim, uuid)


@pytest.mark.parametrize(
    ("point", "after"),
    [
        ("power_off.before", ("active", ON)),
        ("power_off.after", ("stopped", OFF)),
        ("snapshot.before", ("stopped", OFF)),
        ("snapshot.after", ("stopped", OFF)),
    ],
)
def test_killed_in_a_shelving(victim: Victim, point: str, after: State) -> None:
    victim.cloud.conf.set_override("shelved_offload_time", 3600)
    uuid = victim.owner.server()
    order = victim.owner.shelving(uuid)
    victim.kill_at(point, lambda: victim.send(order, "shelve_instance"))
    assert victim.shown(uuid) == (after[0], None, after[1])
    victim.owner.shelve(uuid)
    assert victim.owner.states(uuid) == ("shelved", None)
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["power_off.before", "power_off.after", "destroy.before", "destroy.after"])
def test_killed_in_an_offloading(victim: Victim, point: str) -> None:
    victim.cloud.conf.set_override("shelved_offload_time", 3600)
    uuid = victim.owner.server()
    victim.owner.shelve(uuid)
    offload = Verb(
        "shelveOffload",
        "shelving_offloading",
        "shelve_offload_instance",
        {"clean_shutdown": True, "accel_uuids": []},
    )
    victim.kill_at(point, lambda: offload.send(victim, uuid))
    assert victim.shown(uuid) == ("shelved_offloaded", None, None)
    assert victim.cloud.row(uuid)["host"] is None
    assert victim.cloud.allocations(uuid) == {}
    assert not victim.owner.held_here(uuid)
    assert victim.owner.port_hosts(uuid) == [None]
    victim.owner.unshelve(uuid)
    assert victim.shown(uuid) == ("active", None, ON)
    nothing_left(victim, uuid)


def test_killed_before_an_unshelving_has_begun(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is lost with the agent; only placement knows that it was meant for this host."""
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.1)
    victim.cloud.conf.set_override("shelved_offload_time", 0)
    uuid = victim.owner.server()
    victim.owner.shelve(uuid)
    victim.owner.unshelving(uuid, victim.cloud.conf.host)
    assert victim.owner.states(uuid) == ("shelved_offloaded", "unshelving")
    assert victim.cloud.allocations(uuid) != {}
    victim.cloud.kill_agent()
    victim.cloud.start_agent(notifier=victim.owner.told)
    victim.cloud.wait_for(uuid, task_state=None)
    victim.cloud.settle()
    assert victim.shown(uuid) == ("shelved_offloaded", None, None)
    assert victim.cloud.allocations(uuid) == {}
    victim.owner.unshelve(uuid)
    assert victim.shown(uuid) == ("active", None, ON)
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["spawn.before", "spawn.after"])
def test_killed_in_an_unshelving(victim: Victim, point: str) -> None:
    victim.cloud.conf.set_override("shelved_offload_time", 0)
    uuid = victim.owner.server()
    image_id = victim.owner.shelve(uuid)
    assert victim.shown(uuid) == ("shelved_offloaded", None, None)
    order = victim.owner.unshelving(uuid, victim.cloud.conf.host)
    victim.kill_at(point, lambda: victim.send(order, "unshelve_instance"))
    if point == "spawn.after":
        assert victim.shown(uuid) == ("active", None, ON)
        assert "shelved_at" not in victim.cloud.row(uuid)["system_metadata"]
        assert victim.owner.status(image_id) is None
        assert victim.owner.held_here(uuid)
    else:
        assert victim.shown(uuid) == ("shelved_offloaded", None, None)
        assert victim.cloud.row(uuid)["host"] is None
        assert victim.cloud.allocations(uuid) == {}
        assert not victim.owner.held_here(uuid)
        victim.owner.unshelve(uuid)
        assert victim.shown(uuid) == ("active", None, ON)
    nothing_left(victim, uuid)


@pytest.mark.parametrize("is_away", [False, True])
def test_killed_before_its_volumes_and_its_record_know_of_the_unshelved_guest(
    victim: Victim, is_away: bool
) -> None:
    """As long as a service is away it has to do without: a hard reboot makes up for it."""
    keeper = VolumeKeeper(victim.cloud)
    uuid, volume_id = keeper.boot(root=False)
    victim.owner.shelve(uuid)
    with victim.cloud.embedded.store.transaction() as records:
        cache = records.first("InstanceInfoCache", instance_uuid=uuid)
        records.update("InstanceInfoCache", cache, {"network_info": "[]"})
    order = victim.owner.unshelving(uuid, victim.cloud.conf.host)
    if is_away:
        keeper.volumes.fail("attachment_get", errors.CinderConnectionFailed(reason="HTTP 500"))
        victim.cloud.embedded.network.fail("network_info", errors.NetworkServiceUnavailable("away"))
    victim.kill_at("spawn.after", lambda: victim.send(order, "unshelve_instance"))
    assert victim.shown(uuid) == ("active", None, ON)
    if is_away:
        assert keeper.volumes.row(volume_id)["status"] == "attaching"
        VERBS["hard reboot"].send(victim, uuid)
        victim.owner.settle()
    keeper.assert_on(uuid, volume_id, victim.cloud.conf.host)
    assert len(victim.cloud.instance(uuid).info_cache.network_info) == 1
    nothing_left(victim, uuid)


@pytest.mark.parametrize("point", ["destroy.before", "destroy.after", "spawn.before", "spawn.after"])
def test_killed_in_a_rebuild(victim: Victim, point: str) -> None:
    """Nobody knows which of the disks are new: an error, that a hard reboot takes the server out of."""
    uuid = victim.owner.server()
    victim.kill_at(point, lambda: RebuildRole(victim.cloud).rebuild(uuid, wait=False))
    assert victim.owner.states(uuid) == ("error", None)
    assert "its rebuild was interrupted" in victim.cloud.faults(uuid)[0]
    assert victim.owner.held_here(uuid)
    VERBS["hard reboot"].send(victim, uuid)
    victim.owner.settle()
    assert victim.shown(uuid) == ("active", None, ON)
    nothing_left(victim, uuid)
