"""The fake driver remembers, obeys its orders and says of itself what the stock one says."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from computed import errors
from computed.states import PowerState
from computed.virt import capabilities
from computed.virt.fake.driver import FakeDriver
from computed.virt.fake.variants import VARIANTS
from computed.virt.loader import load_driver
from tests.unit.virt.guests import UUID, make_instance, make_spec

FACTS = json.loads((Path(__file__).parents[2] / "contract" / "fake_driver.json").read_text())


@pytest.fixture
def driver(conf):
    driver = FakeDriver(conf)
    driver.init_host("h1")
    return driver


def restarted(conf):
    driver = FakeDriver(conf)
    driver.init_host("h1")
    return driver


def power(driver, instance):
    return driver.state(instance).power_state


def test_a_guest_runs_stops_starts_and_goes(driver):
    instance, spec = make_instance(), make_spec()
    driver.spawn(None, spec)
    assert power(driver, instance) == PowerState.RUNNING
    driver.power_off(instance)
    assert power(driver, instance) == PowerState.SHUTDOWN
    driver.power_on(None, spec)
    assert power(driver, instance) == PowerState.RUNNING
    driver.destroy(None, spec)
    assert driver.states() == {}
    assert not driver.has_disks_of(instance)
    driver.destroy(None, spec)


def test_spawn_with_power_off(driver):
    driver.spawn(None, make_spec(power_on=False))
    assert power(driver, make_instance()) == PowerState.SHUTDOWN


def test_spawning_twice_is_refused_and_changes_nothing(driver):
    driver.spawn(None, make_spec())
    driver.power_off(make_instance())
    with pytest.raises(errors.InstanceExists):
        driver.spawn(None, make_spec())
    assert power(driver, make_instance()) == PowerState.SHUTDOWN


def test_a_missing_guest_is_not_found(driver):
    instance = make_instance()
    for verb in (
        lambda: driver.state(instance),
        lambda: driver.power_off(instance),
        lambda: driver.power_on(None, make_spec()),
        lambda: driver.reboot(None, make_spec(), hard=False),
        lambda: driver.console_output(None, instance),
    ):
        with pytest.raises(errors.InstanceNotFound):
            verb()


def test_a_hard_reboot_makes_a_missing_guest_anew(driver):
    driver.reboot(None, make_spec(), hard=True)
    assert power(driver, make_instance()) == PowerState.RUNNING


def test_disks_may_outlive_the_guest(driver, conf):
    driver.spawn(None, make_spec())
    driver.destroy(None, make_spec(), destroy_disks=False)
    assert driver.states() == {}
    assert restarted(conf).has_disks_of(make_instance())
    driver.spawn(None, make_spec())
    assert list(driver.states()) == [UUID % 1]


def test_the_console_tells_every_boot(driver):
    driver.spawn(None, make_spec())
    driver.reboot(None, make_spec(), hard=False)
    text = driver.console_output(None, make_instance()).decode()
    assert "BOOT 1" in text and "BOOT 2" in text and text.endswith("READY")


def test_a_restart_finds_the_guests(driver, conf):
    for number in range(1, 6):
        driver.spawn(None, make_spec(make_instance(number)))
    driver.power_off(make_instance(3))
    before = driver.states()
    after = restarted(conf)
    assert after.states() == before
    assert after.states()[UUID % 3].power_state == PowerState.SHUTDOWN
    assert b"BOOT 1" in after.console_output(None, make_instance(2))


def test_without_persistence_a_restart_finds_nothing(conf, tmp_path):
    conf.set_override("persist", False, "fake")
    driver = restarted(conf)
    driver.spawn(None, make_spec())
    assert restarted(conf).states() == {}
    assert not (tmp_path / "fake").exists()


def test_a_file_that_cannot_be_read_is_a_guest_in_no_known_state(driver, conf, tmp_path):
    driver.spawn(None, make_spec())
    (tmp_path / "fake" / "h1" / f"{UUID % 1}.json").write_text("{")
    assert power(restarted(conf), make_instance()) == PowerState.NOSTATE


def test_killed_in_the_middle_of_changes_it_finds_whole_guests(conf, tmp_path):
    program = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = [{os.getcwd()!r}]
        from computed.virt.fake.store import FakeGuest, GuestStore
        from pathlib import Path
        store = GuestStore(Path({str(tmp_path / "fake" / "h1")!r}))
        store.load()
        print("ready", flush=True)
        while True:
            for number in range(1, 9):
                store.add(FakeGuest({UUID!r} % number, "x" * 5000, 1))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    while len(list((tmp_path / "fake" / "h1").glob("*.json"))) < 8:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    states = restarted(conf).states()
    assert len(states) == 8
    assert {state.power_state for state in states.values()} == {PowerState.RUNNING}


def test_several_nodes_have_identities_that_last(conf, tmp_path):
    conf.set_override("nodes", ["n1", "n2", "n3"], "fake")
    (tmp_path / "compute_id").write_text("11111111-2222-4333-8444-555555555555")
    uuids = restarted(conf).node_uuids()
    assert uuids["n1"] == "11111111-2222-4333-8444-555555555555"
    assert len(set(uuids.values())) == 3
    assert restarted(conf).node_uuids() == uuids


def test_without_an_identity_file_it_takes_the_one_it_is_given(conf):
    driver = restarted(conf)
    assert driver.node_uuids() == driver.node_uuids()
    assert driver.node_uuids() != restarted(conf).node_uuids()
    driver.adopt_node("h1", "11111111-2222-4333-8444-555555555555")
    assert driver.node_uuids() == {"h1": "11111111-2222-4333-8444-555555555555"}
    assert driver.node_resources("h1").uuid == "11111111-2222-4333-8444-555555555555"


def test_the_host_called_compute_has_a_node_of_another_name(conf):
    driver = FakeDriver(conf)
    driver.init_host("compute")
    assert list(driver.node_uuids()) == ["fake-mini"]


def test_the_node_has_what_the_stock_one_has(driver):
    stock = FACTS["fake_compute_node"]
    node = driver.node_resources("h1")
    assert json.loads(node.cpu_info) == json.loads(stock["cpu_info"])
    assert [list(words) for words in node.supported_instances] == stock["supported_instances"]
    for ours, theirs in {
        "vcpus": "vcpus",
        "memory_mib": "memory_mb",
        "disk_gib": "local_gb",
        "hypervisor_type": "hypervisor_type",
        "hypervisor_version": "hypervisor_version",
        "disk_available_least": "disk_available_least",
        "numa_topology": "numa_topology",
    }.items():
        assert getattr(node, ours) == stock[theirs], ours


def test_traits_are_those_of_the_stock_driver(driver):
    assert sorted(driver.node_traits("h1")) == sorted(FACTS["fake_traits"]["supported"])
    assert set(FACTS["fake_traits"]["unsupported_and_removed"]) <= capabilities.OWNED_TRAITS


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_variants_have_the_stock_sizes_and_capabilities(conf, name):
    stock = FACTS["fake_variants"][f"fake.{name}"]
    conf.set_override("compute_driver", f"fake.{name}")
    driver = load_driver(conf)
    driver.init_host("h1")
    inventory = driver.node_inventories("h1")["h1"]
    assert {name: item.total for name, item in inventory.items()} == {
        "VCPU": stock["resources"]["vcpus"],
        "MEMORY_MB": stock["resources"]["memory_mb"],
        "DISK_GB": stock["resources"]["local_gb"],
    }
    expected = FACTS["base_capabilities"] | FACTS["fake_capabilities"] | stock["capability_overrides"]
    assert dict(driver.capabilities) == expected


def test_sizes_may_be_told(conf):
    for option, value in (("vcpus", 3), ("memory_mib", 4096), ("disk_gib", 50)):
        conf.set_override(option, value, "fake")
    inventory = restarted(conf).node_inventories("h1")["h1"]
    assert [inventory[name].total for name in ("VCPU", "MEMORY_MB", "DISK_GB")] == [3, 4096, 50]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "not set"),
        ("fake.NoSuchDriver", "fake.SmallFakeDriver"),
        ("nonsense", "nonsense"),
        ("vmwareapi.VMwareVCDriver", "not built yet"),
    ],
)
def test_a_bad_driver_name_is_a_clear_error(conf, value, word):
    conf.set_override("compute_driver", value)
    with pytest.raises(errors.ConfigError, match=word) as caught:
        load_driver(conf)
    assert "compute_driver" in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "name", "error"),
    [
        (["spawn:*"], "web-1", errors.NovaException),
        (["spawn:web-*:BuildAbortException"], "web-1", errors.BuildAbortException),
        ([f"spawn:{UUID % 1}:ComputeResourcesUnavailable"], "web-1", errors.ComputeResourcesUnavailable),
        (["spawn:db-*"], "web-1", None),
        (["destroy:*"], "web-1", None),
    ],
)
def test_ordered_failures(conf, rules, name, error):
    conf.set_override("fail", rules, "fake")
    driver = restarted(conf)
    spec = make_spec(make_instance(name=name))
    if error is None:
        driver.spawn(None, spec)
        assert len(driver.states()) == 1
        return
    with pytest.raises(error):
        driver.spawn(None, spec)
    assert driver.states() == {}


def test_a_failure_ordered_a_number_of_times_counts_for_each_instance(conf):
    conf.set_override("fail", ["spawn:*:NovaException:2"], "fake")
    driver = restarted(conf)
    for number in (1, 2):
        spec = make_spec(make_instance(number))
        for _ in range(2):
            with pytest.raises(errors.NovaException):
                driver.spawn(None, spec)
        driver.spawn(None, spec)


def test_the_hypervisor_may_be_unavailable(conf):
    conf.set_override("fail", ["states:*:HypervisorUnavailable"], "fake")
    with pytest.raises(errors.HypervisorUnavailable):
        restarted(conf).states()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fail", ["spawn"]),
        ("fail", ["spawn:*:NoSuchError"]),
        ("fail", ["spawn:*:NovaException:often"]),
        ("delays", {"spawn": "long"}),
    ],
)
def test_orders_that_make_no_sense_stop_the_start(conf, option, value):
    conf.set_override(option, value, "fake")
    with pytest.raises(errors.ConfigError, match=rf"\[fake\]{option}"):
        restarted(conf)


def test_a_crash_point_kills_the_process(conf, tmp_path):
    pid = os.fork()
    if pid == 0:
        conf.set_override("crash", ["spawn.after"], "fake")
        restarted(conf).spawn(None, make_spec())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert list(restarted(conf).states()) == [UUID % 1]


def test_a_guest_may_change_by_itself_and_says_so(driver):
    heard = []
    driver.on_lifecycle_event(heard.append)
    driver.spawn(None, make_spec())
    driver.change_by_itself(UUID % 1, PowerState.SHUTDOWN)
    assert [(event.uuid, event.name) for event in heard] == [(UUID % 1, "EVENT_LIFECYCLE_STOPPED")]
    assert power(driver, make_instance()) == PowerState.SHUTDOWN


def recorded(number, vm_state="active", power_state=PowerState.RUNNING):
    instance = make_instance(number)
    instance.vm_state, instance.power_state = vm_state, power_state
    instance.get_network_info = lambda: [{"id": f"port-{number}"}]
    return instance


def test_a_host_of_another_agent_keeps_its_guests(driver, conf):
    running, stopped = recorded(1), recorded(2, "stopped", PowerState.SHUTDOWN)
    driver.adopt_guests([running, stopped, recorded(3, "building", None), recorded(4, "error")])
    assert {uuid: state.power_state for uuid, state in driver.states().items()} == {
        running.uuid: PowerState.RUNNING,
        stopped.uuid: PowerState.SHUTDOWN,
    }
    driver.power_off(running)
    assert driver._store.find(running.uuid).vifs == ["port-1"]
    assert running.uuid in driver.console_output(None, running).decode()
    assert power(restarted(conf), running) == PowerState.SHUTDOWN


def test_a_host_of_our_own_does_not_believe_the_records(driver, conf):
    again = restarted(conf)
    again.adopt_guests([recorded(1)])
    assert again.states() == {}


def test_without_persistence_no_guest_is_taken_from_the_records(conf):
    conf.set_override("persist", False, group="fake")
    driver = restarted(conf)
    driver.adopt_guests([recorded(1)])
    assert driver.states() == {}
