"""Stop, start, reboot, console, host: states, expectations, notifications, failures."""

import pytest

from computed import errors
from computed.states import PowerState


@pytest.fixture
def server(bench):
    server = bench.boot()
    bench.notices.told.clear()
    return server


def stop(bench, server):
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=True)


def guest(bench, server):
    return bench.driver.states()[server.uuid].power_state


def test_stop_and_start(bench, server):
    stop(bench, server)
    record = bench.fetch(server.uuid)
    assert (record.vm_state, record.task_state, record.power_state) == ("stopped", None, PowerState.SHUTDOWN)
    assert guest(bench, server) == PowerState.SHUTDOWN
    bench.verb("start_instance", server.uuid, "powering-on")
    record = bench.fetch(server.uuid)
    assert (record.vm_state, record.task_state, record.power_state) == ("active", None, PowerState.RUNNING)
    assert guest(bench, server) == PowerState.RUNNING
    assert [row[1:4] for row in bench.notices.told] == [
        ("power_off.start", "active", "powering-off"),
        ("power_off.end", "stopped", None),
        ("power_on.start", "stopped", "powering-on"),
        ("power_on.end", "active", None),
    ]
    assert bench.events(server.uuid)[1:] == [
        ("compute_stop_instance", "Success"),
        ("compute_start_instance", "Success"),
    ]


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        # One save for both of stock's first two edges.
        ("SOFT", ["rebooting", "reboot_started"]),
        ("HARD", ["rebooting_hard", "reboot_started_hard"]),
    ],
)
def test_reboot(bench, server, kind, states):
    seen = []
    bench.watch.rules.append(
        lambda what, watch: what == "Instance.save" and seen.append(task_state(bench, server))
    )
    bench.verb("reboot_instance", server.uuid, states[0], block_device_info=None, reboot_type=kind)
    assert seen == states
    assert bench.states(server.uuid) == ("active", None)
    pending = "reboot_pending" if kind == "SOFT" else "reboot_pending_hard"
    assert [row[1:4] for row in bench.notices.told] == [
        ("reboot.start", "active", pending),
        ("reboot.end", "active", None),
    ]
    console = bench.call("get_console_output", instance=bench.fetch(server.uuid), tail_length=None)
    assert "BOOT 2" in console


def task_state(bench, server):
    return bench.rows("Instance", uuid=server.uuid)[0]["task_state"]


def test_a_hard_reboot_starts_a_stopped_server(bench, server):
    stop(bench, server)
    bench.verb("reboot_instance", server.uuid, "rebooting_hard", block_device_info=None, reboot_type="HARD")
    assert bench.states(server.uuid) == ("active", None)
    assert guest(bench, server) == PowerState.RUNNING


def test_a_reboot_that_fails_while_the_guest_runs(bench, server):
    bench.conf.set_override("fail", ["reboot:*:InstanceRebootFailure"], "fake")
    bench.verb("reboot_instance", server.uuid, "rebooting", block_device_info=None, reboot_type="SOFT")
    assert bench.states(server.uuid) == ("active", None)
    assert "ordered" in bench.fault(server.uuid)["message"]
    assert [row[1] for row in bench.notices.told] == ["reboot.start", "reboot.error", "reboot.end"]
    assert bench.events(server.uuid)[-1] == ("compute_reboot_instance", "Success")


def test_a_reboot_that_fails_and_leaves_the_guest_down(bench, server):
    stop(bench, server)
    bench.conf.set_override("fail", ["reboot:*:InstanceRebootFailure"], "fake")
    bench.verb("reboot_instance", server.uuid, "rebooting_hard", block_device_info=None, reboot_type="HARD")
    assert bench.states(server.uuid) == ("error", None)
    assert bench.events(server.uuid)[-1] == ("compute_reboot_instance", "Error")


@pytest.mark.parametrize(
    ("method", "task", "operation", "vm_state"),
    [
        ("stop_instance", "powering-off", "power_off", "active"),
        ("start_instance", "powering-on", "power_on", "stopped"),
    ],
)
def test_a_power_verb_that_fails_frees_the_server(bench, server, method, task, operation, vm_state):
    if method == "start_instance":
        stop(bench, server)
    bench.conf.set_override("fail", [f"{operation}:*:NovaException"], "fake")
    arguments = {"clean_shutdown": True} if method == "stop_instance" else {}
    bench.verb(method, server.uuid, task, **arguments)
    assert bench.states(server.uuid) == (vm_state, None)
    assert "ordered" in bench.fault(server.uuid)["message"]
    assert bench.events(server.uuid)[-1] == (f"compute_{method}", "Error")


def test_a_stop_gives_way_to_a_deletion_that_has_begun(bench, server):
    def mark():
        with bench.store.transaction() as records:
            row = records.first("Instance", uuid=server.uuid)
            records.update("Instance", row, {"task_state": "deleting"})

    instance = bench.set_task(server.uuid, "powering-off")
    bench.begin_action(server.uuid, "stop")
    bench.watch.before("Instance.save", mark)
    bench.cast("stop_instance", instance=instance, clean_shutdown=True)
    bench.settle()
    assert bench.states(server.uuid) == ("active", "deleting")


def test_a_stop_that_comes_late_leaves_the_guest_running(bench, server):
    late = bench.set_task(server.uuid, "powering-off")
    stop(bench, server)
    bench.verb("start_instance", server.uuid, "powering-on")
    bench.begin_action(server.uuid, "stop")
    bench.cast("stop_instance", instance=late, clean_shutdown=True)
    bench.settle()
    assert bench.states(server.uuid) == ("active", None)
    assert guest(bench, server) == PowerState.RUNNING
    assert bench.events(server.uuid)[-1] == ("compute_stop_instance", "Error")


@pytest.mark.parametrize(
    ("method", "task", "arguments", "vm_state"),
    [
        ("stop_instance", "powering-off", {"clean_shutdown": True}, "stopped"),
        ("suspend_instance", "suspending", {}, "suspended"),
        ("soft_delete_instance", "soft-deleting", {}, "soft-delete"),
    ],
)
def test_a_start_that_comes_late_starts_no_guest(bench, server, method, task, arguments, vm_state):
    stop(bench, server)
    late = bench.set_task(server.uuid, "powering-on")
    bench.verb("start_instance", server.uuid, "powering-on")
    bench.verb(method, server.uuid, task, **arguments)
    was = guest(bench, server)
    bench.begin_action(server.uuid, "start")
    bench.cast("start_instance", instance=late)
    bench.settle()
    assert guest(bench, server) == was != PowerState.RUNNING
    assert bench.states(server.uuid) == (vm_state, None)
    assert bench.events(server.uuid)[-1] == ("compute_start_instance", "Error")


@pytest.mark.parametrize(
    ("method", "task", "vm_state"),
    [
        ("suspend_instance", "suspending", "suspended"),
        ("soft_delete_instance", "soft-deleting", "soft-delete"),
    ],
)
def test_a_stop_that_comes_late_leaves_what_is_off_for_another_reason(bench, server, method, task, vm_state):
    late = bench.set_task(server.uuid, "powering-off")
    stop(bench, server)
    bench.verb("start_instance", server.uuid, "powering-on")
    bench.verb(method, server.uuid, task)
    was = guest(bench, server)
    bench.begin_action(server.uuid, "stop")
    bench.notices.told.clear()
    bench.cast("stop_instance", instance=late, clean_shutdown=True)
    bench.settle()
    assert bench.states(server.uuid) == (vm_state, None)
    assert guest(bench, server) == was
    assert bench.events(server.uuid)[-1] == ("compute_stop_instance", "Error")
    assert [row[1] for row in bench.notices.told] == ["exception stop_instance"]


def test_a_stop_whose_task_somebody_has_ended_records_that_the_guest_is_off(bench, server):
    sent = bench.set_task(server.uuid, "powering-off")
    bench.driver.power_off(server)
    bench.set_task(server.uuid, None)
    bench.begin_action(server.uuid, "stop")
    bench.cast("stop_instance", instance=sent, clean_shutdown=True)
    bench.settle()
    assert bench.states(server.uuid) == ("stopped", None)
    assert bench.events(server.uuid)[-1] == ("compute_stop_instance", "Success")


def test_stopping_a_server_of_another_host_changes_nothing(bench, server):
    instance = bench.set_task(server.uuid, "powering-off", host="elsewhere")
    bench.cast("stop_instance", instance=instance, clean_shutdown=True)
    bench.settle()
    assert bench.states(server.uuid) == ("active", "powering-off")
    assert guest(bench, server) == PowerState.RUNNING


@pytest.mark.parametrize(("tail", "lines"), [(None, 3), (1, 1), ("2", 2), (0, 0), (-1, 3)])
def test_console(bench, server, tail, lines):
    text = bench.call("get_console_output", instance=bench.fetch(server.uuid), tail_length=tail)
    assert len(text.splitlines()) == lines


def test_console_of_a_server_that_is_not_here(bench, server):
    instance = bench.fetch(server.uuid)
    bench.driver._store.remove(server.uuid, keep_disks=False)
    with pytest.raises(errors.InstanceNotFound):
        bench.call("get_console_output", instance=instance, tail_length=None)


def test_uptime(bench):
    assert "load average" in bench.call("get_host_uptime")


def test_disabling_and_enabling_the_host(bench):
    [node] = bench.driver.node_uuids().values()
    assert bench.call("set_host_enabled", enabled=False) == "disabled"
    assert "COMPUTE_STATUS_DISABLED" in bench.placement.traits(bench.context, node)[0]
    assert bench.call("set_host_enabled", enabled=True) == "enabled"
    assert "COMPUTE_STATUS_DISABLED" not in bench.placement.traits(bench.context, node)[0]


@pytest.mark.parametrize(("enabled", "answer"), [(False, "disabled"), (True, "enabled")])
def test_disabling_the_host_is_heard_while_placement_is_away(bench, monkeypatch, enabled, answer):
    def away(*arguments):
        raise errors.ResourceProviderTraitRetrievalFailed(uuid="x")

    monkeypatch.setattr(bench.host.tracker._sync._client, "traits", away)
    assert bench.call("set_host_enabled", enabled=enabled) == answer


@pytest.mark.parametrize(("vnic_type", "faults"), [("normal", 1), ("direct", 0)])
def test_a_hard_reboot_may_wait_for_the_plugs_of_some_ports(bench, server, vnic_type, faults):
    """A workaround of the operator's; here nobody reports the plugs, and the guest runs all the same."""
    bench.driver.vif_plug_events = True
    bench.conf.set_override("vif_plugging_timeout", 1)
    bench.conf.set_override("wait_for_vif_plugged_event_during_hard_reboot", [vnic_type], "workarounds")
    bench.verb("reboot_instance", server.uuid, "rebooting_hard", block_device_info=None, reboot_type="HARD")
    assert bench.states(server.uuid) == ("active", None)
    assert len(bench.rows("InstanceFault", instance_uuid=server.uuid)) == faults
