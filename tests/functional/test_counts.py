"""What verbs and periodic tasks cost the others, counted; nothing of it grows with the servers on the host.

The numbers are those of the issue that built this agent ("Speed and memory").
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.context import RequestContext
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.images.owner import Owner
from tests.functional.templates import Templates

CROWDS = (0, 5, 50)


@pytest.fixture(scope="module", params=CROWDS, ids=lambda crowd: f"{crowd} servers")
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Cloud]:
    """A cloud whose host has that many servers already; a test leaves it as it was."""
    executor = os.environ.get(ENVIRONMENT, THREADING)
    cloud = Cloud(tmp_path_factory.mktemp("crowded"), templates.of((HOST,)), executor, {})
    try:
        cloud.boot(request.param)
        # The first audit after boots writes what they have changed.
        cloud.run_periodic("update_available_resource")
        yield cloud
    finally:
        cloud.close()


def saves(calls: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    return [call for call in calls if call[1] in ("save", "create", "update_or_create", "destroy")]


def test_boot_with_one_port(crowded: Cloud) -> None:
    before = crowded.embedded.network.requests
    with crowded.counting() as counts:
        (uuid,) = crowded.boot(1, name="counted")
    assert counts.conductor_calls <= 9, counts.conductor
    assert counts.placement_requests <= 2, counts.placement
    assert crowded.embedded.network.requests - before <= 5
    assert len(crowded.instance(uuid).info_cache.network_info) == 1
    crowded.delete(uuid)


def test_delete(crowded: Cloud) -> None:
    (uuid,) = crowded.boot(1, name="counted")
    with crowded.counting() as counts:
        crowded.delete(uuid)
    assert counts.conductor_calls <= 6, counts.conductor
    assert counts.placement_requests <= 2, counts.placement
    assert crowded.allocations(uuid) == {}


def test_audit_in_which_nothing_changed(crowded: Cloud) -> None:
    crowded.run_periodic("update_available_resource")
    with crowded.counting() as counts:
        crowded.run_periodic("update_available_resource")
    assert counts.conductor_calls <= 2, counts.conductor
    assert saves(counts.conductor) == []
    assert counts.placement_requests <= 2, counts.placement


def test_power_sync_in_which_nothing_changed(crowded: Cloud) -> None:
    with crowded.counting() as counts:
        crowded.run_periodic("_sync_power_states")
    assert counts.conductor_calls <= 1, counts.conductor
    assert counts.placement_requests == 0


@pytest.mark.parametrize(
    ("verb", "options", "most", "looks"),
    [
        ("stop", {}, 4, 0),
        ("start", {}, 5, 1),
        ("reboot", {"hard": True}, 5, 1),
        ("reboot", {"hard": False}, 5, 0),
    ],
    ids=["stop", "start", "hard reboot", "soft reboot"],
)
def test_power_verbs(crowded: Cloud, verb: str, options: dict[str, bool], most: int, looks: int) -> None:
    """A guest that is made anew has its network looked at, which costs the conductor nothing."""
    (uuid,) = crowded.boot(1, name="counted")
    if verb == "start":
        crowded.verb(uuid, "stop")
    network = crowded.embedded.network.requests
    with crowded.counting() as counts:
        crowded.verb(uuid, verb, **options)
    assert counts.placement_requests == 0
    assert crowded.embedded.network.requests == network + looks
    assert counts.conductor_calls <= most, counts.conductor
    crowded.delete(uuid)


@pytest.mark.parametrize(
    ("method", "task", "vm_state", "most"),
    [
        ("stop_instance", "powering-off", "active", 4),
        ("start_instance", "powering-on", "stopped", 5),
        ("reboot_instance", "rebooting_hard", "active", 5),
    ],
)
def test_power_verbs_on_what_nova_api_sends(
    crowded: Cloud, method: str, task: str, vm_state: str, most: int
) -> None:
    """For a stop and a start it does not send the flavor along."""
    (uuid,) = crowded.boot(1, name="counted")
    if vm_state == "stopped":
        crowded.verb(uuid, "stop")
    crowded.set_fields(uuid, task_state=task)
    context = user_context()
    with crowded.embedded.store.transaction() as records:
        actions.action_start(ClassCall(context, records), uuid, method)
    more = {
        "stop_instance": {"clean_shutdown": True},
        "reboot_instance": {"block_device_info": None, "reboot_type": "HARD"},
    }
    instance = crowded.instance(uuid)
    if method != "reboot_instance":
        del instance._obj_flavor
    with crowded.counting() as counts:
        crowded.rpc.cast(method, context=context, instance=instance, **more.get(method, {}))
        crowded.wait_for(uuid, task_state=None)
    assert counts.conductor["InstanceActionEvent", "event_finish_with_failure"] == 1
    assert counts.conductor_calls <= most, counts.conductor
    crowded.delete(uuid)


def test_snapshot(crowded: Cloud) -> None:
    owner = Owner(crowded)
    uuid = owner.server(name="counted")
    with crowded.counting() as counts:
        image_id = owner.snapshot(uuid)
    assert owner.status(image_id) == "active"
    assert counts.conductor_calls <= 4, counts.conductor
    assert counts.placement_requests == 0
    crowded.delete(uuid)


def test_shelve_with_offload(crowded: Cloud) -> None:
    owner = Owner(crowded)
    uuid = owner.server(name="counted")
    with crowded.counting() as counts:
        owner.shelve(uuid)
    assert owner.states(uuid) == ("shelved_offloaded", None)
    assert counts.conductor_calls <= 8, counts.conductor
    assert counts.placement_requests <= 1, counts.placement
    with crowded.counting() as counts:
        owner.unshelve(uuid)
    assert owner.states(uuid) == ("active", None)
    assert counts.conductor_calls <= 7, counts.conductor
    crowded.delete(uuid)


def test_live_migration(make_pair: Callable[..., Cloud]) -> None:
    # After a restart there is one more: an agent before may have given out console tokens.
    pair = make_pair(is_new=True)
    role, network = ConductorRole(pair), pair.embedded.network
    (uuid,) = pair.boot(host=HOST)
    asked = network.requests
    with pair.counting() as counts:
        role.live_migrate(uuid, to="second")
    assert pair.row(uuid)["host"] == "second"
    assert counts.conductor_calls <= 16, counts.conductor
    assert network.requests - asked <= 10, network.by_method
    assert counts.placement_requests <= 1, counts.placement


def test_attach_and_detach_a_volume(crowded: Cloud) -> None:
    (uuid,) = crowded.boot(1, name="counted")
    volumes = crowded.embedded.volumes
    volume_id = volumes.add()
    bdm = crowded.rpc.call(
        "reserve_block_device_name",
        instance=crowded.instance(uuid),
        volume_id=volume_id,
        multiattach=False,
        **dict.fromkeys(("device", "disk_bus", "device_type", "tag")),
    )
    bdm.attachment_id = volumes.attachment_create(user_context(), volume_id, uuid).id
    with crowded.counting() as counts:
        act_and_cast(crowded, uuid, "attach_volume", bdm=bdm)
        crowded.wait(lambda: volumes.row(volume_id)["status"] == "in-use", "the volume to be attached")
    assert counts.conductor_calls <= 4, counts.conductor
    assert counts.placement_requests == 0
    volumes.begin_detaching(user_context(), volume_id)
    with crowded.counting() as counts:
        act_and_cast(crowded, uuid, "detach_volume", volume_id=volume_id, attachment_id=None)
        crowded.wait(lambda: volumes.row(volume_id)["status"] == "available", "the volume to be free")
    assert counts.conductor_calls <= 5, counts.conductor
    crowded.delete(uuid)


def test_attach_and_detach_an_interface(crowded: Cloud) -> None:
    (uuid,) = crowded.boot(1, name="counted")
    network = crowded.embedded.network
    port_id = network.create_port()
    before = network.requests
    context = begin(crowded, uuid, "attach_interface")
    nothing = dict.fromkeys(("network_id", "requested_ip", "tag"))
    with crowded.counting() as counts:
        crowded.rpc.call(
            "attach_interface",
            context=context,
            instance=crowded.instance(uuid),
            port_id=port_id,
            **nothing,
        )
    assert counts.conductor_calls <= 5, counts.conductor
    assert counts.placement_requests == 0
    with crowded.counting() as counts:
        act_and_cast(crowded, uuid, "detach_interface", port_id=port_id)
        done = ("compute_detach_interface", "Success")
        crowded.wait(lambda: crowded.events(uuid)[-1] == done, "the interface to be detached")
    assert counts.conductor_calls <= 7, counts.conductor
    assert counts.placement_requests == 0
    assert network.requests - before == 2
    crowded.delete(uuid)


def begin(cloud: Cloud, uuid: str, method: str) -> RequestContext:
    """Write down the action that an attachment belongs to, as the API does."""
    context = user_context()
    with cloud.embedded.store.transaction() as records:
        actions.action_start(ClassCall(context, records), uuid, method)
    return context


def act_and_cast(cloud: Cloud, uuid: str, method: str, **arguments: Any) -> None:
    """Begin an action, and send the verb."""
    context = begin(cloud, uuid, method)
    cloud.rpc.cast(method, context=context, instance=cloud.instance(uuid), **arguments)


def test_resize_and_confirm(pair: Cloud) -> None:
    """Both hosts together."""
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host="alone")
    requests = pair.embedded.network.requests
    with pair.counting() as counts:
        role.resize(uuid, "m1.micro", to="second")
    assert counts.conductor_calls <= 14, counts.conductor
    assert counts.placement_requests <= 2, counts.placement
    assert pair.embedded.network.requests - requests <= 2
    with pair.counting() as counts:
        role.confirm(uuid)
    assert counts.conductor_calls <= 7, counts.conductor
    assert counts.placement_requests <= 1, counts.placement


def test_revert(pair: Cloud) -> None:
    role = ConductorRole(pair)
    (uuid,) = pair.boot(host="alone")
    role.resize(uuid, "m1.micro", to="second")
    with pair.counting() as counts:
        role.revert(uuid)
    assert counts.conductor_calls <= 17, counts.conductor
