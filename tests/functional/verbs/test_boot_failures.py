"""Boots that fail, at every step: what the owner sees, and that nothing stays behind."""

import threading

import pytest

from computed import errors, objects
from computed.steps import patience
from tests.functional.verbs.bench import lose_every_first, wait_until

BUILD_EVENT = "compute__do_build_and_run_instance"


def build(bench, **more):
    instance = bench.new_server()
    bench.build(instance, **more)
    return instance


def nothing_is_left(bench, instance):
    """No guest, no port, no interface record, no allocation, no place in the ledger."""
    assert bench.driver.states() == {}
    assert not bench.driver.has_disks_of(instance)
    assert bench.network.of(instance.uuid) == []
    assert bench.rows("VirtualInterface", instance_uuid=instance.uuid) == []
    with bench.uncounted():
        assert bench.allocation(instance.uuid) == {}
        node = bench.host.tracker.compute_node(bench.conf.host)
        bench.host.tracker.publish(bench.context, bench.conf.host)
    assert (node.vcpus_used, node.running_vms) == (0, 0)
    assert len(bench.host.locks) == 0


def is_in_error(bench, instance, text):
    record = bench.fetch(instance.uuid)
    assert (record.vm_state, record.task_state) == ("error", None)
    assert (record.host, record.node, record.compute_id, record.launched_on) == (None,) * 4
    fault = bench.fault(instance.uuid)
    assert text in fault["message"], fault
    assert fault["code"] == 500
    assert "secret-word" not in fault["details"] + fault["message"]
    assert bench.tasks.casts == []


def is_rescheduled(bench, instance, reason):
    record = bench.fetch(instance.uuid)
    assert (record.vm_state, record.task_state, record.host) == ("building", "scheduling", None)
    assert bench.fault(instance.uuid) is None
    [cast] = bench.tasks.casts
    [sent] = cast["instances"]
    assert sent["nova_object.data"]["uuid"] == instance.uuid
    retry = cast["filter_properties"]["retry"]
    assert retry["num_attempts"] == 1
    assert reason in retry["exc_reason"]
    assert any("Traceback" in line for line in retry["exc"])
    assert cast["admin_password"] == "secret-word"
    assert len(cast["host_lists"]) == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("spawn:*:BuildAbortException", "ordered"),
        ("spawn:*:ImageUnacceptable", "ordered"),
        ("spawn:*:VirtualInterfaceCreateException", "goes"),
    ],
)
def test_a_spawn_that_no_other_host_would_do_better(make_bench, rule, text):
    bench = make_bench(**{"fake.fail": [rule]})
    instance = build(bench)
    if text != "goes":
        is_in_error(bench, instance, text)
    assert bench.states(instance.uuid) == ("error", None)
    nothing_is_left(bench, instance)
    assert bench.notices.names(instance.uuid) == [
        "create.start", "shutdown.start", "shutdown.end", "create.error"
    ]  # fmt: skip
    assert bench.events(instance.uuid) == [(BUILD_EVENT, "Success")]


@pytest.mark.parametrize("rule", ["spawn:*:NovaException", "spawn:*:ComputeResourcesUnavailable"])
def test_a_spawn_that_another_host_may_do_better(make_bench, rule):
    bench = make_bench(**{"fake.fail": [rule]})
    instance = build(bench, host_list=[])
    is_rescheduled(bench, instance, "ordered")
    nothing_is_left(bench, instance)


def test_without_retry_information_it_ends_here(make_bench):
    bench = make_bench(**{"fake.fail": ["spawn:*:NovaException"]})
    instance = build(bench, retry=False)
    is_in_error(bench, instance, "ordered")
    nothing_is_left(bench, instance)


def test_a_host_that_is_full_sends_it_on_before_touching_anything(bench):
    instance = bench.new_server(flavor=bench.flavor(memory_mb=2000))
    limits = objects.SchedulerLimits(memory_mb=1000, vcpu=None, disk_gb=None, numa_topology=None)
    bench.build(instance, limits=limits)
    is_rescheduled(bench, instance, "memory")
    nothing_is_left(bench, instance)
    assert bench.notices.names(instance.uuid) == ["create.start", "create.error"]


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (errors.NoMoreFixedIps(net="net"), is_in_error),
        (errors.UnableToAutoAllocateNetwork(project_id="p"), is_in_error),
        (errors.PortLimitExceeded(), is_rescheduled),
        (errors.NetworkServiceUnavailable("neutron is away"), is_rescheduled),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_a_network_that_gives_no_port(bench, error, ends, caplog):
    bench.network.fails["allocate"] = error
    instance = build(bench)
    ends(bench, instance, "")
    nothing_is_left(bench, instance)
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"instance {instance.uuid} fails at stage network, remote neutron: " in line
    assert line.endswith("; it is tried elsewhere" if ends is is_rescheduled else "order it anew")


def test_given_ports_are_given_back_and_not_deleted(make_bench):
    bench = make_bench(**{"fake.fail": ["spawn:*:BuildAbortException"]})
    port = "cccccccc-0000-4000-8000-000000000001"
    instance = build(bench, networks=[objects.NetworkRequest(port_id=port)])
    nothing_is_left(bench, instance)
    assert bench.network.ports[port]["owner"] is None


def test_a_guest_that_cannot_be_cleaned_up_keeps_the_build_from_another_host(make_bench):
    bench = make_bench(**{"fake.fail": ["spawn:*:NovaException", "destroy:*:NovaException"]})
    instance = build(bench)
    record = bench.fetch(instance.uuid)
    assert (record.vm_state, record.task_state, record.host) == ("error", None, bench.conf.host)
    assert "ordered" in bench.fault(instance.uuid)["message"]
    assert bench.tasks.casts == []


def test_a_guest_that_cannot_be_taken_away_keeps_what_it_holds_until_it_is_deleted(make_bench, caplog):
    """It may run: a port that somebody else gets meanwhile would have two guests."""
    unplugged = {"fake.vif_plug_events": True, "vif_plugging_timeout": 1}
    bench = make_bench(**unplugged, **{"fake.fail": ["destroy:*:NovaException:1"]})
    instance = build(bench)
    assert bench.states(instance.uuid) == ("error", None)
    assert list(bench.driver.states()) == [instance.uuid]
    [port] = bench.network.of(instance.uuid)
    assert port["host"] == bench.conf.host
    with bench.uncounted():
        assert bench.allocation(instance.uuid)
        bench.host.tracker.update_available_resource(bench.context)
        node = bench.host.tracker.compute_node(bench.conf.host)
        assert (node.vcpus_used, node.running_vms) == (1, 1)
    assert "its guest could not be taken away" in caplog.text
    bench.delete(instance.uuid)
    assert bench.is_deleted(instance.uuid)
    nothing_is_left(bench, instance)


@pytest.mark.parametrize(
    "what",
    [
        {"injected_files": [["/etc/motd", "not base64!"]]},
        {"image": {"id": "aaaaaaaa-1111-4000-8000-000000000001", "properties": {"hw_disk_bus": "nonsense"}}},
    ],
    ids=lambda what: next(iter(what)),
)
def test_what_cannot_be_built_at_all(bench, what):
    instance = build(bench, **what)
    is_in_error(bench, instance, "")
    nothing_is_left(bench, instance)
    assert bench.watch.without_heartbeat.count("InstanceFault.create") == 1


def test_placement_that_does_not_answer(bench):
    instance = bench.new_server()
    get = bench.placement.get_allocations

    def fail(context, uuid):
        raise errors.ConsumerAllocationRetrievalFailed(consumer_uuid=uuid, error="away")

    bench.placement.get_allocations = fail
    bench.build(instance)
    bench.placement.get_allocations = get
    is_in_error(bench, instance, "")
    nothing_is_left(bench, instance)


SAVES = [1, 2, 3, 4]


@pytest.mark.parametrize("nth", SAVES)
def test_deleted_while_building(bench, nth):
    """The API has marked it: the next save says so, the build gives way, the deletion finishes."""
    instance = bench.new_server()
    bench.watch.before("Instance.save", lambda: mark_deleting(bench, instance.uuid), nth=nth)
    bench.build(instance)
    assert bench.states(instance.uuid)[1] == "deleting"
    nothing_is_left(bench, instance)
    assert bench.fault(instance.uuid) is None
    assert bench.tasks.casts == []
    if bench.fetch(instance.uuid).host:  # else the API deletes it without asking us
        bench.delete(instance.uuid)
        assert bench.is_deleted(instance.uuid)


def mark_deleting(bench, instance_uuid):
    """As the API does it, behind the agent's back."""
    with bench.store.transaction() as records:
        row = records.first("Instance", uuid=instance_uuid)
        records.update("Instance", row, {"task_state": "deleting"})


@pytest.mark.parametrize("nth", SAVES)
def test_gone_while_building(bench, nth):
    instance = bench.new_server()

    def remove():
        with bench.store.transaction() as records:
            row = records.first("Instance", uuid=instance.uuid)
            records.update("Instance", row, {"deleted": True})

    bench.watch.before("Instance.save", remove, nth=nth)
    bench.build(instance)
    nothing_is_left(bench, instance)
    assert bench.fault(instance.uuid) is None
    assert bench.tasks.casts == []


def test_a_build_that_comes_twice_changes_nothing_the_second_time(bench):
    instance = bench.new_server()
    bench.build(instance)
    before = bench.fetch(instance.uuid)
    bench.build(instance)
    after = bench.fetch(instance.uuid)
    assert (after.vm_state, after.task_state, after.host) == ("active", None, bench.conf.host)
    assert after.launched_at == before.launched_at
    assert len(bench.network.of(instance.uuid)) == 1
    assert instance.uuid in bench.driver.states()
    assert bench.allocation(instance.uuid) != {}
    assert bench.fault(instance.uuid) is None


def order_again(bench, instance, *, is_restarted):
    """The same order once more, on a host where a build would succeed now; the notices that it made."""
    bench.conf.clear_override("fail", "fake")
    if is_restarted:
        bench.restart()
    bench.notices.told.clear()
    bench.build(instance)
    return bench.notices.names(instance.uuid)


def told(bench, uuid):
    """All that the owner can see of a server."""
    record = bench.fetch(uuid)
    states = (record.vm_state, record.task_state, record.host, record.launched_at)
    faults = bench.rows("InstanceFault", instance_uuid=uuid)
    with bench.uncounted():
        return states, len(faults), len(bench.network.of(uuid)), bench.allocation(uuid), bench.tasks.casts


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_order_of_a_build_that_failed_comes_again(make_bench, is_restarted):
    bench = make_bench(**{"fake.fail": ["spawn:*:BuildAbortException"]})
    instance = build(bench)
    before = told(bench, instance.uuid)
    names = order_again(bench, instance, is_restarted=is_restarted)
    assert told(bench, instance.uuid) == before
    is_in_error(bench, instance, "ordered")
    nothing_is_left(bench, instance)
    assert is_restarted or names == []


def hold_elsewhere(bench, instance):
    """What the conductor does for the next host before it asks that."""
    placement, context, other = bench.placement, bench.context, "eeeeeeee-0000-4000-8000-000000000001"
    with bench.uncounted():
        provider = placement.create_provider(context, other, "other")
        total = {"total": 100, "reserved": 0, "min_unit": 1, "max_unit": 100, "step_size": 1}
        placement.put_inventories(
            context, other, {"VCPU": {**total, "allocation_ratio": 1.0}}, provider.generation
        )
        body = {
            "allocations": {other: {"resources": {"VCPU": 1}}},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None,
        }
        placement.put_allocations(context, instance.uuid, body)


@pytest.mark.parametrize(("is_placed", "is_restarted"), [(False, False), (True, False), (True, True)])
def test_the_order_of_a_build_that_goes_elsewhere_comes_again(make_bench, is_placed, is_restarted):
    """The next host is to have it, and is asked before or after this one is asked again."""
    bench = make_bench(**{"fake.fail": ["spawn:*:NovaException"]})
    instance = build(bench)
    is_rescheduled(bench, instance, "ordered")
    if is_placed:
        hold_elsewhere(bench, instance)
    if is_restarted:
        bench.restart()
        bench.set_task(instance.uuid, "scheduling", vm_state="building")
    before = told(bench, instance.uuid)
    order_again(bench, instance, is_restarted=False)
    assert told(bench, instance.uuid) == before
    assert bench.driver.states() == {}
    assert not bench.driver.has_disks_of(instance)
    assert bench.network.of(instance.uuid) == []


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("vm_state", ["active", "error"])
def test_the_order_of_a_server_that_has_its_guest_comes_again(bench, is_restarted, vm_state):
    instance = bench.new_server()
    bench.build(instance)
    bench.set_task(instance.uuid, None, vm_state=vm_state)
    before = told(bench, instance.uuid)
    assert before[3] != {}
    order_again(bench, instance, is_restarted=is_restarted)
    assert told(bench, instance.uuid) == before
    assert list(bench.driver.states()) == [instance.uuid]
    assert bench.driver.has_disks_of(instance)
    with bench.uncounted():
        bench.host.tracker.publish(bench.context, bench.conf.host)
    assert bench.host.tracker.compute_node(bench.conf.host).running_vms == 1


def test_plugs_that_never_come(make_bench):
    bench = make_bench(**{"fake.vif_plug_events": True, "vif_plugging_timeout": 1})
    instance = build(bench)
    is_in_error(bench, instance, "")
    nothing_is_left(bench, instance)


def test_a_plug_that_failed(make_bench):
    bench = make_bench(**{"fake.vif_plug_events": True, "vif_plugging_timeout": 30})
    instance = bench.new_server()
    bench.build(instance, wait=False)
    wait_until(lambda: instance.uuid in bench.driver.states(), "the spawn")
    [port] = bench.network.of(instance.uuid)
    told = objects.InstanceExternalEvent(
        instance_uuid=instance.uuid, name="network-vif-plugged", tag=port["id"], status="failed"
    )
    bench.cast(
        "external_instance_event",
        topic="compute-alt",
        instances=[bench.fetch(instance.uuid)],
        events=[told],
    )
    bench.settle()
    is_in_error(bench, instance, "")
    nothing_is_left(bench, instance)


def test_failed_builds_are_counted_for_the_schedulers(make_bench):
    bench = make_bench(**{"fake.fail": ["spawn:bad-*:NovaException"]})
    for number in range(2):
        bench.build(bench.new_server(f"bad-{number}"))
    with bench.uncounted():
        bench.host.tracker.update_available_resource(bench.context)
    assert bench.rows("ComputeNode", host=bench.conf.host)[0]["stats"]["failed_builds"] == "2"
    bench.boot("good")
    with bench.uncounted():
        bench.host.tracker.update_available_resource(bench.context)
    assert bench.rows("ComputeNode", host=bench.conf.host)[0]["stats"]["failed_builds"] == "0"


@pytest.mark.parametrize(
    "what",
    [
        "InstanceActionEvent.event_start",
        "Instance.save",
        "VirtualInterface.create",
        "BlockDeviceMapping.save",
        "InstanceActionEvent.event_finish_with_failure",
    ],
)
@pytest.mark.parametrize("is_done", [False, True], ids=["lost question", "lost answer"])
def test_a_conductor_that_is_away_for_a_moment(make_bench, what, is_done):
    """The answer, or the question, is lost once at every such call of the build."""
    bench = make_bench(rpc_response_timeout=1)
    instance = bench.new_server()
    lose_every_first(bench, what, is_done=is_done)
    bench.build(instance)
    assert bench.states(instance.uuid) == ("active", None), bench.fault(instance.uuid)
    assert bench.fault(instance.uuid) is None
    assert len(bench.rows("VirtualInterface", instance_uuid=instance.uuid)) == 1
    assert bench.driver.states()[instance.uuid].power_state == 1


@pytest.mark.parametrize("nth", SAVES)
def test_a_broker_that_is_away_for_a_moment(bench, nth):
    instance = bench.new_server()

    def lose():
        bench.bus.down = True
        threading.Timer(1.0, lambda: setattr(bench.bus, "down", False)).start()

    bench.watch.before("Instance.save", lose, nth=nth)
    bench.build(instance, wait=False)
    wait_until(lambda: not bench.bus.down and bench.states(instance.uuid) == ("active", None), "the boot")
    bench.settle()
    assert bench.fault(instance.uuid) is None


def test_a_conductor_that_stays_away_leaves_nothing_on_the_host(make_bench, monkeypatch):
    """Nothing can be recorded then; the next restart finds the instance and ends it."""
    monkeypatch.setattr("computed.steps.records.patiently", impatiently)
    monkeypatch.setattr("computed.steps.faults.patiently", impatiently)
    monkeypatch.setattr("computed.steps.action_events.patiently", impatiently)
    bench = make_bench(rpc_response_timeout=1)
    instance = bench.new_server()
    bench.watch.before("Instance.save", lambda: setattr(bench.bus, "down", True), nth=2)
    bench.build(instance, wait=False)
    wait_until(lambda: bench.bus.down, "the loss of the bus")
    assert bench.parts.manager.inflight.wait_idle(20)
    bench.bus.down = False
    assert bench.driver.states() == {}
    assert bench.network.of(instance.uuid) == []
    bench.restart()
    assert bench.states(instance.uuid) == ("error", None)
    assert bench.fault(instance.uuid) is not None


def impatiently(what, attempt, *, stopping, patience_seconds=0.0):
    return patience.patiently(what, attempt, stopping=stopping, patience_seconds=0.0)
