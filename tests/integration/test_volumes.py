"""Volumes of the real cinder: attached, detached, grown, exchanged, shared, booted from and given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration import accounts
from tests.integration.agents import Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.logs import LogWatch
from tests.integration.plane import configs, provision, waiting
from tests.integration.verbs import Verbs

COUNT = 5


@pytest.fixture(scope="module")
def agent(agents: MakeAgents, control_logs: LogWatch) -> Agent:
    (made,) = agents(1)
    return made


@pytest.fixture(scope="module")
def verbs(agent: Agent, cloud: Cloud) -> Verbs:
    made = Verbs(cloud, cloud.boot(COUNT, "vol"))
    made.active(agent.host)
    return made


@pytest.fixture(autouse=True)
def tidy(agent: Agent, verbs: Verbs, cloud: Cloud) -> Iterator[None]:
    yield
    assert accounts.faults(cloud, [agent], list(cloud.servers())) == []
    cloud.volumes.clear()


def test_attach_and_detach(verbs: Verbs, cloud: Cloud, pytestconfig: pytest.Config) -> None:
    volumes = cloud.volumes.create(COUNT)
    for _ in range(pytestconfig.getoption("rounds")):
        for server, volume in zip(verbs.ids, volumes, strict=True):
            made = cloud.demo.compute.create_volume_attachment(server, volume_id=volume, tag="data")
            assert made.device == "/dev/sdb"
        cloud.volumes.wait(volumes, "in-use")
        for server, volume in zip(verbs.ids, volumes, strict=True):
            cloud.demo.compute.delete_volume_attachment(server, volume)
        cloud.volumes.wait(volumes, "available")


def test_what_is_attached_survives_a_reboot_and_can_grow(verbs: Verbs, cloud: Cloud) -> None:
    one = Verbs(cloud, verbs.ids[:1])
    (volume,) = _attached(one, cloud, 1)
    cloud.demo.compute.stop_server(one.ids[0])
    cloud.wait_status(one.ids, "SHUTOFF")
    cloud.demo.compute.start_server(one.ids[0])
    one.active()
    cloud.demo.compute.reboot_server(one.ids[0], "HARD")
    one.active()
    earlier = len(cloud.actions(one.ids[0]).get("extend_volume", []))
    cloud.demo.block_storage.post(
        f"/volumes/{volume}/action", json={"os-extend": {"new_size": 2}}, microversion="3.42"
    )
    cloud.volumes.wait([volume], "in-use")
    events = waiting.until("it grew", lambda: _action(cloud, one.ids[0], "extend_volume", earlier), 60, 0.5)
    assert events == [("compute_extend_volume", "Success")]
    _detach(one, cloud, [volume])


def test_a_volume_is_exchanged_when_cinder_migrates_it(verbs: Verbs, cloud: Cloud) -> None:
    one = Verbs(cloud, verbs.ids[:1])
    (volume,) = _attached(one, cloud, 1)
    before = cloud.admin.block_storage.get_volume(volume).host
    other = next(name for name in configs.VOLUME_BACKENDS if f"@{name}#" not in before)
    answer = cloud.admin.block_storage.post(
        f"/volumes/{volume}/action",
        json={"os-migrate_volume": {"host": f"control@{other}#{other}", "force_host_copy": True}},
    )
    assert answer.status_code == 202, answer.text

    def probe() -> None:
        now = cloud.admin.block_storage.get_volume(volume)
        if now.status != "in-use" or f"@{other}#" not in now.host or now.migration_status != "success":
            raise waiting.NotYet((now.status, now.host, now.migration_status))

    waiting.until("the volume is on the other backend", probe, 60, 0.5)
    _detach(one, cloud, [volume])


def test_one_volume_of_two_servers(verbs: Verbs, cloud: Cloud) -> None:
    (volume,) = cloud.volumes.create(1, volume_type=provision.MULTIATTACH)
    for server in verbs.ids[:2]:
        cloud.demo.compute.create_volume_attachment(server, volume_id=volume)
        # Cinder reserves a volume for one at a time.
        cloud.volumes.wait([volume], "in-use")
    waiting.until("both have it", lambda: _attachments(cloud, volume, 2), 30, 0.5)
    cloud.demo.compute.delete_volume_attachment(verbs.ids[0], volume)
    waiting.until("one has it", lambda: _attachments(cloud, volume, 1), 30, 0.5)
    cloud.demo.compute.delete_volume_attachment(verbs.ids[1], volume)
    cloud.volumes.wait([volume], "available")


@pytest.mark.parametrize(
    "source", ["image", *(pytest.param(each, marks=pytest.mark.long) for each in ("volume", "snapshot"))]
)
def test_boot_from_volume(source: str, verbs: Verbs, cloud: Cloud, agent: Agent) -> None:
    (origin,) = cloud.volumes.create(1, image_id=cloud.image_id)
    uuid = {"image": cloud.image_id, "volume": origin}.get(source) or _snapshot(cloud, origin)
    root: dict[str, Any] = {"boot_index": 0, "uuid": uuid, "source_type": source, "volume_size": 1}
    root |= {"destination_type": "volume", "delete_on_termination": source != "volume"}
    blank = {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1}
    booted = Verbs(
        cloud,
        cloud.boot(1, "bfv", block_device_mapping=[root, {**blank, "delete_on_termination": True}]),
    )
    booted.active(agent.host)
    assert accounts.faults(cloud, [agent], list(cloud.servers())) == []
    if source == "image":
        booted.act({"rebuild": {"imageRef": cloud.image_id}})
        booted.active()
        booted.shelve()
        booted.unshelve(agent.host)
    cloud.demo.compute.reboot_server(booted.ids[0], "HARD")
    booted.active()
    cloud.delete(booted.ids)
    waiting.until("only the given volume is left", lambda: _only(cloud, [origin]), 30, 0.5)
    cloud.volumes.clear_snapshots()


def test_a_server_is_deleted_with_its_volume_attached(verbs: Verbs, cloud: Cloud) -> None:
    one = Verbs(cloud, cloud.boot(1, "owner"))
    one.active()
    volumes = _attached(one, cloud, 2)
    cloud.delete(one.ids)
    cloud.volumes.wait(volumes, "available")
    _only(cloud, volumes)


def test_no_error_was_logged(verbs: Verbs, agent: Agent, control_logs: LogWatch) -> None:
    assert control_logs.errors_about([agent.host, *verbs.ids]) == []


def _attached(verbs: Verbs, cloud: Cloud, count: int) -> list[str]:
    volumes = cloud.volumes.create(count)
    for volume in volumes:
        cloud.demo.compute.create_volume_attachment(verbs.ids[0], volume_id=volume)
    cloud.volumes.wait(volumes, "in-use")
    return volumes


def _detach(verbs: Verbs, cloud: Cloud, volumes: list[str]) -> None:
    for volume in volumes:
        cloud.demo.compute.delete_volume_attachment(verbs.ids[0], volume)
    cloud.volumes.wait(volumes, "available")


def _snapshot(cloud: Cloud, volume: str) -> str:
    made = cloud.demo.block_storage.create_snapshot(volume_id=volume, name="origin")
    cloud.demo.block_storage.wait_for_status(made, "available", interval=0.5, wait=60)
    return str(made.id)


def _action(cloud: Cloud, server: str, name: str, earlier: int) -> list[tuple[str, str | None]]:
    events = cloud.actions(server).get(name, [])[earlier:]
    if not events or any(result is None for _, result in events):
        raise waiting.NotYet(events)
    return events


def _attachments(cloud: Cloud, volume: str, count: int) -> None:
    found = cloud.admin.block_storage.get_volume(volume).attachments
    if len(found) != count:
        raise waiting.NotYet(found)


def _only(cloud: Cloud, expected: list[str]) -> None:
    found = {volume.id: volume.status for volume in cloud.demo.block_storage.volumes()}
    if found != dict.fromkeys(expected, "available"):
        raise waiting.NotYet(found)
