"""Diagnostics, crash dumps, passwords, power updates: what is asked of, or told to, a guest that runs."""

import logging

import pytest

from computed import errors, objects
from computed.states import PowerState

ON, OFF, PAUSED = int(PowerState.RUNNING), int(PowerState.SHUTDOWN), int(PowerState.PAUSED)
SECRET = "correct-horse"


@pytest.fixture
def server(bench):
    server = bench.boot()
    bench.notices.told.clear()
    return server


def shown(bench, server):
    record = bench.fetch(server.uuid)
    return record.vm_state, record.task_state, record.power_state


def console(bench, server):
    return bench.driver.console_output(None, server).decode().splitlines()


def fail(bench, *rules):
    bench.conf.set_override("fail", list(rules), "fake")


# Diagnostics


def test_figures_of_the_driver(bench, server):
    figures = bench.call("get_diagnostics", instance=bench.fetch(server.uuid))
    assert figures["cpu0_time"] > 0
    assert "sda_read_req" in figures
    assert "vnet0_rx_packets" in figures


def test_figures_that_are_the_same_for_all_drivers(bench, server):
    figures = bench.call("get_instance_diagnostics", instance=bench.fetch(server.uuid))
    assert isinstance(figures, objects.Diagnostics)
    assert (figures.state, figures.num_cpus, figures.num_disks, figures.num_nics) == ("running", 1, 1, 1)
    assert figures.disk_details[0].read_requests == 112
    assert figures.nic_details[0].rx_packets == 26_701
    assert figures.memory_details.maximum == 512


@pytest.mark.parametrize("method", ["get_diagnostics", "get_instance_diagnostics"])
class TestDiagnostics:
    def test_guest_that_does_not_run(self, bench, server, method):
        bench.driver.power_off(server)
        with pytest.raises(errors.InstanceInvalidState, match="power state shutdown"):
            bench.call(method, instance=bench.fetch(server.uuid))

    def test_guest_that_is_gone(self, bench, server, method):
        bench.driver._store.remove(server.uuid, keep_disks=False)
        with pytest.raises(errors.InstanceInvalidState, match="pending"):
            bench.call(method, instance=bench.fetch(server.uuid))

    def test_driver_that_fails(self, bench, server, method):
        fail(bench, f"{method.removeprefix('get_')}:*:NovaException")
        with pytest.raises(errors.NovaException, match="ordered"):
            bench.call(method, instance=bench.fetch(server.uuid))
        assert "ordered" in bench.fault(server.uuid)["message"]
        assert bench.states(server.uuid) == ("active", None)


# Crash dumps


def dump(bench, server):
    bench.begin_action(server.uuid, "trigger_crash_dump")
    bench.cast("trigger_crash_dump", instance=bench.fetch(server.uuid))
    bench.settle()


def test_crash_dump(bench, server):
    dump(bench, server)
    assert console(bench, server)[-1] == "CRASH DUMP"
    assert shown(bench, server) == ("active", None, ON)
    assert [row[1] for row in bench.notices.told] == ["trigger_crash_dump.start", "trigger_crash_dump.end"]
    assert bench.events(server.uuid)[-1] == ("compute_trigger_crash_dump", "Success")


def test_crash_dump_of_a_guest_that_does_not_run(bench, server):
    bench.driver.power_off(server)
    dump(bench, server)
    assert "CRASH DUMP" not in console(bench, server)
    assert bench.events(server.uuid)[-1] == ("compute_trigger_crash_dump", "Error")
    assert bench.fault(server.uuid) is not None
    assert [row[1] for row in bench.notices.told] == [
        "trigger_crash_dump.start",
        "exception trigger_crash_dump",
    ]


def test_crash_dump_leaves_the_task_of_another_verb_alone(bench, server):
    bench.set_task(server.uuid, "image_snapshot")
    fail(bench, "trigger_crash_dump:*:TriggerCrashDumpNotSupported")
    dump(bench, server)
    assert bench.states(server.uuid) == ("active", "image_snapshot")


# Passwords


def set_password(bench, server):
    instance = bench.set_task(server.uuid, "updating_password")
    bench.begin_action(server.uuid, "changePassword")
    return bench.call("set_admin_password", instance=instance, new_pass=SECRET)


def test_password(bench, server, caplog):
    caplog.set_level(logging.DEBUG)
    set_password(bench, server)
    assert shown(bench, server) == ("active", None, ON)
    assert console(bench, server)[-1] == "PASSWORD CHANGED"
    assert bench.events(server.uuid)[-1] == ("compute_set_admin_password", "Success")
    assert SECRET not in caplog.text
    assert SECRET not in "".join(console(bench, server))


@pytest.mark.parametrize("guest", ["off", "gone"])
def test_password_of_a_guest_that_does_not_run(bench, server, guest):
    if guest == "off":
        bench.driver.power_off(server)
    else:
        bench.driver._store.remove(server.uuid, keep_disks=False)
    with pytest.raises(errors.InstancePasswordSetFailed, match="not running"):
        set_password(bench, server)
    assert bench.states(server.uuid) == ("active", None)
    assert bench.events(server.uuid)[-1] == ("compute_set_admin_password", "Error")


@pytest.mark.parametrize(
    "failure",
    [
        errors.SetAdminPasswdNotSupported(),
        errors.InstanceAgentNotEnabled(),
        errors.QemuGuestAgentNotEnabled(),
        NotImplementedError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_password_that_cannot_be_set(bench, server, failure, monkeypatch):
    def cannot(instance, password):
        raise failure

    monkeypatch.setattr(bench.driver, "set_admin_password", cannot)
    with pytest.raises(type(failure)):
        set_password(bench, server)
    assert bench.states(server.uuid) == ("active", None)
    assert bench.events(server.uuid)[-1] == ("compute_set_admin_password", "Error")


def test_a_failure_never_tells_the_password(bench, server, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)

    def tell(instance, password):
        raise RuntimeError(f"usermod -p {password} failed")

    monkeypatch.setattr(bench.driver, "set_admin_password", tell)
    with pytest.raises(errors.InstancePasswordSetFailed) as raised:
        set_password(bench, server)
    fault = bench.fault(server.uuid)
    for text in (str(raised.value), fault["message"], fault["details"], caplog.text):
        assert SECRET not in text
    assert bench.states(server.uuid) == ("active", None)


def test_password_gives_way_to_a_deletion(bench, server):
    instance = bench.set_task(server.uuid, "deleting")
    instance.task_state = "updating_password"
    instance.obj_reset_changes()
    with pytest.raises(errors.UnexpectedDeletingTaskStateError):
        bench.call("set_admin_password", instance=instance, new_pass=SECRET)
    assert bench.states(server.uuid) == ("active", "deleting")


def test_password_that_comes_late_is_not_set(bench, server):
    """The owner has set another one since."""
    late = bench.set_task(server.uuid, "updating_password")
    set_password(bench, server)
    said = console(bench, server)
    with pytest.raises(errors.UnexpectedTaskStateError):
        bench.call("set_admin_password", instance=late, new_pass="older")
    assert console(bench, server) == said
    assert shown(bench, server) == ("active", None, ON)


# Power updates


@pytest.fixture
def switchable(make_bench):
    return make_bench(compute_driver="fake.PowerUpdateFakeDriver")


def tell(bench, server, tag, **fields):
    event = objects.InstanceExternalEvent(
        instance_uuid=server.uuid, name="power-update", status="completed", tag=tag
    )
    bench.begin_action(server.uuid, "start" if tag == "POWER_ON" else "stop")
    instance = bench.fetch(server.uuid)
    for name, value in fields.items():
        setattr(instance, name, value)
    bench.cast("external_instance_event", instances=[instance], events=[event])
    bench.settle()


def test_switched_off_and_on_by_somebody_else(switchable):
    server = switchable.boot()
    switchable.notices.told.clear()
    tell(switchable, server, "POWER_OFF")
    assert shown(switchable, server) == ("stopped", None, OFF)
    tell(switchable, server, "POWER_ON")
    assert shown(switchable, server) == ("active", None, ON)
    assert [row[1:4] for row in switchable.notices.told] == [
        ("power_off.start", "active", "powering-off"),
        ("power_off.end", "stopped", None),
        ("power_on.start", "stopped", "powering-on"),
        ("power_on.end", "active", None),
    ]
    assert switchable.events(server.uuid)[1:] == [("compute_power_update", "Success")] * 2


@pytest.mark.parametrize(
    ("tag", "vm_state", "task_state", "power_state"),
    [
        ("POWER_ON", "active", None, ON),
        ("POWER_OFF", "stopped", None, OFF),
        ("POWER_OFF", "active", "rebooting", ON),
        ("POWER_OFF", "active", None, OFF),
        ("POWER_ON", "error", None, OFF),
        ("POWER_OFF", "paused", None, PAUSED),
    ],
)
def test_updates_that_change_nothing(switchable, tag, vm_state, task_state, power_state):
    server = switchable.boot()
    switchable.set_task(server.uuid, task_state, vm_state=vm_state, power_state=power_state)
    switchable.notices.told.clear()
    tell(switchable, server, tag)
    assert shown(switchable, server) == (vm_state, task_state, power_state)
    assert switchable.notices.told == []
    assert switchable.events(server.uuid)[-1] == ("compute_power_update", "Success")
    assert switchable.fault(server.uuid) is None


def test_update_that_another_verb_is_faster_than(switchable):
    server = switchable.boot()
    switchable.set_task(server.uuid, "pausing")
    tell(switchable, server, "POWER_OFF", task_state=None)
    assert switchable.states(server.uuid) == ("active", "pausing")
    assert switchable.events(server.uuid)[-1] == ("compute_power_update", "Success")
    assert switchable.fault(server.uuid) is None


def test_update_that_the_driver_does_not_take(bench, server):
    tell(bench, server, "POWER_OFF")
    assert shown(bench, server) == ("active", None, ON)
    assert bench.events(server.uuid)[-1] == ("compute_power_update", "Error")
    assert bench.fault(server.uuid) is not None


def test_update_of_a_strange_kind(switchable):
    server = switchable.boot()
    tell(switchable, server, "POWER_SAVING")
    assert shown(switchable, server) == ("active", None, ON)
    assert len(switchable.events(server.uuid)) == 1


def test_nobody_outside_calls_what_is_ours(bench, server):
    with pytest.raises(Exception, match="power_update"):
        bench.call("power_update", instance=bench.fetch(server.uuid), target_power_state="POWER_OFF")


def test_figures_are_told_to_the_caller_of_version_5(bench, server):
    """The 5.x form of a plain row reaches the same operation."""
    client = bench.client()
    old = client.prepare(version="5.0")
    assert "cpu0_time" in old.call(bench.context, "get_diagnostics", instance=bench.fetch(server.uuid))
