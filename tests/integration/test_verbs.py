"""Every verb of the public API that keeps a server on its host, there and back, on five servers at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import accounts
from tests.integration.agents import STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.logs import LogWatch
from tests.integration.plane import waiting
from tests.integration.verbs import Verbs

COUNT = 5
# Every console that the fake driver has.
CONSOLES = {name: {"enabled": True} for name in ("vnc", "spice", "serial_console", "rdp", "mks")}


@pytest.fixture(scope="module")
def agent(agents: MakeAgents, control_logs: LogWatch) -> Agent:
    (made,) = agents(1, options=CONSOLES)
    return made


@pytest.fixture(scope="module")
def verbs(agent: Agent, cloud: Cloud) -> Verbs:
    made = Verbs(cloud, cloud.boot(COUNT, "verb"))
    made.active(agent.host)
    return made


@pytest.fixture(autouse=True)
def tidy(agent: Agent, verbs: Verbs, cloud: Cloud) -> Iterator[None]:
    yield
    assert accounts.faults(cloud, [agent], verbs.ids) == []


@pytest.fixture(scope="module")
def rounds(pytestconfig: pytest.Config) -> range:
    return range(pytestconfig.getoption("rounds"))


@pytest.mark.parametrize(
    ("verb", "status", "back", "action"),
    [
        ("pause_server", "PAUSED", "unpause_server", "pause"),
        ("suspend_server", "SUSPENDED", "resume_server", "suspend"),
        ("stop_server", "SHUTOFF", "start_server", "stop"),
        ("rescue_server", "RESCUE", "unrescue_server", "rescue"),
        ("shelve_server", "SHELVED_OFFLOADED", "unshelve_server", "shelve"),
    ],
)
def test_there_and_back(
    verb: str, status: str, back: str, action: str, verbs: Verbs, cloud: Cloud, rounds: range
) -> None:
    for _ in rounds:
        verbs.there_and_back(verb, status, back)
    events = cloud.actions(verbs.ids[0])[action]
    assert events and {result for _, result in events} == {"Success"}


def test_rebuild_with_the_same_and_another_image(verbs: Verbs, cloud: Cloud, other_image: str) -> None:
    for image in (cloud.image_id, other_image, cloud.image_id):
        verbs.rebuild(image)
        assert {server.image.id for server in cloud.servers(verbs.ids).values()} == {image}


def test_rebuild_of_a_stopped_server_leaves_it_stopped(verbs: Verbs, cloud: Cloud) -> None:
    one = verbs.ids[:1]
    cloud.demo.compute.stop_server(one[0])
    cloud.wait_status(one, "SHUTOFF")
    cloud.demo.compute.rebuild_server(one[0], cloud.image_id)
    cloud.wait_status(one, "SHUTOFF")
    cloud.demo.compute.start_server(one[0])
    cloud.wait_status(one, "ACTIVE")


def test_rescue_with_an_image_of_its_own(verbs: Verbs, cloud: Cloud, other_image: str) -> None:
    one = Verbs(cloud, verbs.ids[:1])
    cloud.demo.compute.rescue_server(one.ids[0], image=other_image)
    cloud.wait_status(one.ids, "RESCUE")
    cloud.demo.compute.unrescue_server(one.ids[0])
    one.active()


def test_hard_reboot_of_a_paused_and_a_suspended_server(verbs: Verbs, cloud: Cloud) -> None:
    for verb, status in (("pause_server", "PAUSED"), ("suspend_server", "SUSPENDED")):
        one = Verbs(cloud, verbs.ids[:1])
        getattr(cloud.demo.compute, verb)(one.ids[0])
        cloud.wait_status(one.ids, status)
        cloud.demo.compute.reboot_server(one.ids[0], "HARD")
        one.active()


def test_password_crash_dump_and_diagnostics(verbs: Verbs, cloud: Cloud) -> None:
    one = Verbs(cloud, verbs.ids[:1])
    cloud.demo.compute.change_server_password(one.ids[0], "correct horse")
    one.active()
    one.act({"trigger_crash_dump": None})
    assert cloud.actions(one.ids[0])["changePassword"][-1] == ("compute_set_admin_password", "Success")
    told = cloud.admin.compute.get_server_diagnostics(one.ids[0])
    assert told.state == "running"
    old = cloud.admin.compute.get(f"/servers/{one.ids[0]}/diagnostics", microversion="2.1").json()
    assert old["memory"] > 0


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [("vnc", "novnc"), ("spice", "spice-html5"), ("serial", "serial"), ("mks", "webmks")],
)
def test_consoles(protocol: str, kind: str, verbs: Verbs, cloud: Cloud, agent: Agent) -> None:
    shown = cloud.console(verbs.ids[0], protocol, kind)
    assert shown["instance_uuid"] == verbs.ids[0]
    assert shown["host"] and shown["port"]


def test_snapshot_and_rotating_backup(verbs: Verbs, cloud: Cloud, agent_kind: str) -> None:
    if agent_kind == STOCK:
        pytest.skip("stock's fake driver uploads nothing: its images stay queued")
    one = Verbs(cloud, verbs.ids[:1])
    before = {image.id for image in cloud.demo.image.images()}
    image = cloud.demo.compute.create_server_image(one.ids[0], "snap")
    _wait_images(cloud, [image.id])
    one.active()
    for day in range(3):
        one.act({"createBackup": {"name": f"b{day}", "backup_type": "daily", "rotation": 2}}, "2.1")
        one.active()
        _wait_images(cloud, [i.id for i in cloud.demo.image.images() if i.name == f"b{day}"])
    backups = [i for i in cloud.demo.image.images() if i.id not in before and i.name.startswith("b")]
    assert sorted(image.name for image in backups) == ["b1", "b2"]
    booted = Verbs(cloud, cloud.boot(1, "copy", image_id=image.id))
    booted.active()
    cloud.delete(booted.ids)
    for made in [image, *backups]:
        cloud.demo.image.delete_image(made.id)


def _wait_images(cloud: Cloud, ids: list[str]) -> None:
    def probe() -> None:
        states = {key: cloud.demo.image.get_image(key).status for key in ids}
        if not ids or set(states.values()) != {"active"}:
            raise waiting.NotYet(states)

    waiting.until("images active", probe, 60, 0.5)


@pytest.mark.long
def test_interfaces(verbs: Verbs, cloud: Cloud, other_network: str, rounds: range) -> None:
    def attach_and_detach(server: str) -> None:
        port = cloud.demo.network.create_port(network_id=other_network)
        for asked in ({"net_id": other_network, "tag": "nic"}, {"port_id": port.id}):
            made = cloud.demo.compute.create_server_interface(server, **asked)
            assert made.net_id == other_network
            cloud.demo.compute.delete_server_interface(made.port_id, server)
            _wait_interfaces(cloud, server, 1)
        left = cloud.admin.network.get_port(port.id)
        assert (left.device_id, left.binding_host_id) == ("", "")
        cloud.demo.network.delete_port(port)

    for _ in rounds:
        cloud.each(verbs.ids, attach_and_detach)
    shown = cloud.servers(verbs.ids[:1])[verbs.ids[0]]
    assert list(shown.addresses) == ["private"]


def _wait_interfaces(cloud: Cloud, server: str, count: int) -> None:
    def probe() -> None:
        found = list(cloud.demo.compute.server_interfaces(server))
        if len(found) != count:
            raise waiting.NotYet(found)

    waiting.until("interfaces", probe, 60, 0.3)


def test_fixed_ips(verbs: Verbs, cloud: Cloud) -> None:
    def addresses() -> set[str]:
        shown = cloud.servers(verbs.ids[:1])[verbs.ids[0]]
        return {address["addr"] for addresses in shown.addresses.values() for address in addresses}

    one = Verbs(cloud, verbs.ids[:1])
    before = addresses()
    one.act({"addFixedIp": {"networkId": cloud.network_id}}, "2.1")
    added = waiting.until("a second address", lambda: _more(addresses() - before), 30)
    one.act({"removeFixedIp": {"address": added}}, "2.1")
    waiting.until("one address", lambda: _same(addresses(), before), 30)


def _more(found: set[str]) -> str:
    if not found:
        raise waiting.NotYet("none")
    return found.pop()


def _same(found: set[str], expected: set[str]) -> None:
    if found != expected:
        raise waiting.NotYet(found)


def test_no_error_was_logged(verbs: Verbs, agent: Agent, control_logs: LogWatch) -> None:
    assert control_logs.errors_about([agent.host, *verbs.ids]) == []


@pytest.fixture(scope="module")
def other_image(cloud: Cloud) -> Iterator[str]:
    made = cloud.admin.create_image(
        "other",
        data=b"another disk" * 100,
        disk_format="raw",
        container_format="bare",
        visibility="public",
        wait=True,
        timeout=60,
        allow_duplicates=True,
    )
    yield str(made.id)
    cloud.admin.image.delete_image(made.id)


@pytest.fixture(scope="module")
def other_network(cloud: Cloud) -> Iterator[str]:
    made = cloud.demo.network.create_network(name="second")
    cloud.demo.network.create_subnet(
        name="second-v4", network_id=made.id, cidr="10.40.0.0/16", ip_version=4, enable_dhcp=False
    )
    yield str(made.id)
    cloud.demo.network.delete_network(made.id, ignore_missing=True)
