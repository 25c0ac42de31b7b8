"""Pause, suspend and their ways back: states, guests, notifications, failures, late and double casts."""

from dataclasses import dataclass

import pytest

from computed.states import PowerState

ON, OFF, PAUSED, ASLEEP = (
    int(PowerState.RUNNING),
    int(PowerState.SHUTDOWN),
    int(PowerState.PAUSED),
    int(PowerState.SUSPENDED),
)


@dataclass(frozen=True)
class Verb:
    name: str
    task: str
    before: str
    guest_before: int
    after: str
    guest_after: int
    first: tuple[str, ...] = ()
    """Verbs that bring a server to `before`."""
    broken: str = ""
    """What the server is after the driver has failed; `before` when empty."""

    @property
    def method(self):
        return f"{self.name}_instance"


PAUSE = Verb("pause", "pausing", "active", ON, "paused", PAUSED)
UNPAUSE = Verb("unpause", "unpausing", "paused", PAUSED, "active", ON, ("pause",))
SUSPEND = Verb("suspend", "suspending", "active", ON, "suspended", ASLEEP, broken="error")
RESUME = Verb("resume", "resuming", "suspended", ASLEEP, "active", ON, ("suspend",), broken="error")
VERBS = {verb.name: verb for verb in (PAUSE, UNPAUSE, SUSPEND, RESUME)}

each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)


@pytest.fixture
def server(bench):
    return bench.boot()


def bring(bench, server, verb):
    """Let the server be what the verb wants it to be."""
    for name in verb.first:
        bench.verb(VERBS[name].method, server.uuid, VERBS[name].task)
    assert shown(bench, server) == (verb.before, None, verb.guest_before)
    bench.notices.told.clear()


def shown(bench, server):
    record = bench.fetch(server.uuid)
    return record.vm_state, record.task_state, record.power_state


def guest(bench, server):
    return bench.driver.states()[server.uuid].power_state


@each_verb
def test_forward(bench, server, verb):
    bring(bench, server, verb)
    bench.verb(verb.method, server.uuid, verb.task)
    assert shown(bench, server) == (verb.after, None, verb.guest_after)
    assert guest(bench, server) == verb.guest_after
    assert [row[1:4] for row in bench.notices.told] == [
        (f"{verb.name}.start", verb.before, verb.task),
        (f"{verb.name}.end", verb.after, None),
    ]
    assert bench.events(server.uuid)[-1] == (f"compute_{verb.method}", "Success")
    assert bench.fault(server.uuid) is None


@each_verb
def test_a_guest_that_is_halted_does_not_boot_again(bench, server, verb):
    bring(bench, server, verb)
    bench.verb(verb.method, server.uuid, verb.task)
    assert b"BOOT 2" not in bench.driver.console_output(None, server)


@each_verb
def test_driver_failure(bench, server, verb):
    bring(bench, server, verb)
    bench.conf.set_override("fail", [f"{verb.name}:*:NovaException:1"], "fake")
    bench.verb(verb.method, server.uuid, verb.task)
    assert shown(bench, server)[:2] == (verb.broken or verb.before, None)
    assert guest(bench, server) == verb.guest_before
    assert "ordered" in bench.fault(server.uuid)["message"]
    assert bench.events(server.uuid)[-1] == (f"compute_{verb.method}", "Error")
    assert [row[1] for row in bench.notices.told] == [f"{verb.name}.start", f"exception {verb.method}"]


@each_verb
def test_a_driver_that_cannot(bench, server, verb, monkeypatch):
    bring(bench, server, verb)

    def cannot(*arguments):
        raise NotImplementedError

    monkeypatch.setattr(bench.driver, verb.name, cannot)
    bench.verb(verb.method, server.uuid, verb.task)
    assert shown(bench, server) == (verb.before, None, verb.guest_before)
    assert bench.events(server.uuid)[-1] == (f"compute_{verb.method}", "Error")


@each_verb
def test_the_second_of_two_equal_casts_changes_nothing(bench, server, verb):
    bring(bench, server, verb)
    instance = bench.set_task(server.uuid, verb.task)
    for _ in range(2):
        bench.begin_action(server.uuid, verb.name)
        bench.cast(verb.method, instance=instance)
        bench.settle()
    assert shown(bench, server) == (verb.after, None, verb.guest_after)
    assert guest(bench, server) == verb.guest_after
    assert bench.events(server.uuid)[-2:] == [
        (f"compute_{verb.method}", "Success"),
        (f"compute_{verb.method}", "Error"),
    ]


@pytest.mark.parametrize(
    ("verb", "back"), [(PAUSE, UNPAUSE), (SUSPEND, RESUME)], ids=["pause", "suspend"]
)
def test_a_cast_that_comes_late_leaves_the_guest_alone(bench, server, verb, back):
    """The server has been halted and has gone on since."""
    late = bench.set_task(server.uuid, verb.task)
    bench.verb(verb.method, server.uuid, verb.task)
    bench.verb(back.method, server.uuid, back.task)
    bench.begin_action(server.uuid, verb.name)
    bench.cast(verb.method, instance=late)
    bench.settle()
    assert shown(bench, server) == ("active", None, ON)
    assert guest(bench, server) == ON
    assert bench.events(server.uuid)[-1] == (f"compute_{verb.method}", "Error")


@each_verb
def test_cast_after_the_delete(bench, server, verb):
    bring(bench, server, verb)
    instance = bench.set_task(server.uuid, verb.task)
    bench.delete(server.uuid)
    faults = bench.fault(server.uuid)
    bench.cast(verb.method, instance=instance)
    bench.settle()
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}
    assert bench.fault(server.uuid) == faults
    assert bench.allocation(server.uuid) == {}


@each_verb
def test_server_deleted_in_the_middle(bench, server, verb):
    """The record goes between the driver's part and the save."""
    bring(bench, server, verb)

    def delete():
        with bench.store.transaction() as records:
            records.update("Instance", records.first("Instance", uuid=server.uuid), {"deleted": server.id})

    instance = bench.set_task(server.uuid, verb.task)
    bench.begin_action(server.uuid, verb.name)
    bench.watch.before("Instance.save", delete)
    bench.cast(verb.method, instance=instance)
    bench.settle()
    assert bench.is_deleted(server.uuid)
    assert bench.fault(server.uuid) is None
    assert [row[1] for row in bench.notices.told][-1] == f"exception {verb.method}"


@each_verb
def test_a_deletion_that_has_begun_goes_on(bench, server, verb):
    bring(bench, server, verb)

    def mark():
        with bench.store.transaction() as records:
            row = records.first("Instance", uuid=server.uuid)
            records.update("Instance", row, {"task_state": "deleting"})

    instance = bench.set_task(server.uuid, verb.task)
    bench.begin_action(server.uuid, verb.name)
    bench.watch.before("Instance.save", mark)
    bench.cast(verb.method, instance=instance)
    bench.settle()
    assert bench.states(server.uuid) == (verb.before, "deleting")


@each_verb
def test_a_record_that_cannot_be_saved_at_first(bench, server, verb):
    """What has happened to the guest is recorded when the task state is put back."""
    bring(bench, server, verb)
    instance = bench.set_task(server.uuid, verb.task)
    bench.begin_action(server.uuid, verb.name)

    def fail():
        raise RuntimeError("the database has a moment")

    bench.watch.before("Instance.save", fail)
    bench.cast(verb.method, instance=instance)
    bench.settle()
    assert shown(bench, server) == (verb.after, None, verb.guest_after)
    assert bench.events(server.uuid)[-1] == (f"compute_{verb.method}", "Error")


def test_verbs_of_other_hosts_change_nothing(bench, server):
    instance = bench.set_task(server.uuid, "pausing", host="elsewhere")
    bench.cast("pause_instance", instance=instance)
    bench.settle()
    assert bench.states(server.uuid) == ("active", "pausing")
    assert guest(bench, server) == ON


def test_a_guest_that_does_not_run_is_not_paused(bench, server):
    bench.driver.power_off(server)
    bench.verb("pause_instance", server.uuid, "pausing")
    assert bench.states(server.uuid) == ("active", None)
    assert guest(bench, server) == OFF
    assert "power_state shutdown" in bench.fault(server.uuid)["message"]


def test_a_guest_that_does_not_run_is_not_suspended(bench, server):
    bench.driver.power_off(server)
    bench.verb("suspend_instance", server.uuid, "suspending")
    assert bench.states(server.uuid) == ("active", None)
    assert "power_state shutdown" in bench.fault(server.uuid)["message"]
    assert "old_vm_state" not in bench.fetch(server.uuid).system_metadata


def test_a_resumed_server_is_what_it_was_before(bench, server):
    """As the API of an older release let one suspend a rescued server."""
    bench.set_task(server.uuid, None, vm_state="rescued")
    bench.verb("suspend_instance", server.uuid, "suspending")
    assert bench.fetch(server.uuid).system_metadata["old_vm_state"] == "rescued"
    bench.verb("resume_instance", server.uuid, "resuming")
    record = bench.fetch(server.uuid)
    assert record.vm_state == "rescued"
    assert "old_vm_state" not in record.system_metadata


def test_a_suspended_guest_whose_memory_is_lost_is_started(bench, server):
    bring(bench, server, RESUME)
    bench.driver.power_off(server)
    bench.verb("resume_instance", server.uuid, "resuming")
    assert shown(bench, server) == ("active", None, ON)
    assert b"BOOT 2" in bench.driver.console_output(None, server)


@pytest.mark.parametrize("verb", [UNPAUSE, RESUME], ids=lambda verb: verb.name)
def test_a_halted_server_is_rebooted_hard_and_stopped(bench, server, verb):
    bring(bench, server, verb)
    bench.verb("reboot_instance", server.uuid, "rebooting_hard", block_device_info=None, reboot_type="HARD")
    assert shown(bench, server) == ("active", None, ON)
    bench.verb(VERBS[verb.first[0]].method, server.uuid, VERBS[verb.first[0]].task)
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=True)
    assert shown(bench, server) == ("stopped", None, OFF)


@each_verb
def test_halted_guests_are_remembered_by_the_next_agent(bench, server, verb):
    bring(bench, server, verb)
    bench.restart()
    assert guest(bench, server) == verb.guest_before
    bench.verb(verb.method, server.uuid, verb.task)
    assert shown(bench, server) == (verb.after, None, verb.guest_after)
