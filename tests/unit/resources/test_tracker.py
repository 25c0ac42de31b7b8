"""The tracker on one host: claims, publishing, releases, and how many calls each of them costs."""

import threading

import pytest
import store as stores

from computed import errors, objects
from computed.resources.tracker import ResourceTracker

HOST = "host1"
THERE = ("host2", "host2")
SMALL, LARGE = stores.make_flavor(1), stores.make_flavor(2, vcpus=4, memory_mb=2048, root_gb=40)
NOTHING_HELD = (0, 512, 0)


def used(store):
    (node,) = store.nodes.values()
    return node.vcpus_used, node.memory_mb_used, node.local_gb_used


def held(tracker):
    usage = tracker._nodes.get(HOST).ledger.load().held
    return usage.vcpus, usage.memory_mib, usage.disk_gib


@pytest.fixture
def building(store, context):
    def make(**values):
        instance = store.add_instance(SMALL, vm_state="building", **values)
        instance._context = context
        return instance

    return make


@pytest.fixture
def moving(store):
    """An instance that is being resized from THERE to here, with its migration."""
    instance = store.add_instance(SMALL, host=THERE[0], node=THERE[1], new_flavor=LARGE)
    return instance, store.add_migration(instance, THERE, (HOST, HOST))


@pytest.mark.parametrize("others", [0, 50])
def test_a_boot_and_a_delete_cost_the_same_on_a_full_host(
    make_host, store, placement, context, building, others
):
    for _ in range(others):
        store.add_instance(SMALL, host=HOST, node=HOST, compute_id=1)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    instance = building()
    store.calls.clear()
    placement.calls.clear()

    with tracker.instance_claim(instance, HOST) as claim:
        claim.stamp(instance)
        instance.save()
        tracker.publish(context, HOST)
        tracker.publish(context, HOST)
    assert store.calls == ["Instance.save", "ComputeNode.save"]
    assert used(store) == (others + 1, 512 * (others + 2), 10 * (others + 1))

    tracker.release(instance)
    tracker.publish(context, HOST)
    assert store.calls == ["Instance.save", "ComputeNode.save", "ComputeNode.save"]
    assert placement.calls == []
    assert used(store) == (others, 512 * (others + 1), 10 * others)


def test_a_claim_on_an_unknown_node(tracker, building):
    with pytest.raises(errors.ComputeResourcesUnavailable, match="elsewhere"):
        tracker.instance_claim(building(), "elsewhere")


def test_a_claim_before_the_first_audit(host, building):
    with pytest.raises(errors.ComputeResourcesUnavailable):
        host.tracker.instance_claim(building(), HOST)


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        (None, True),
        ({"memory_mb": 1024}, True),
        ({"memory_mb": 1023}, False),
        (objects.SchedulerLimits(vcpu=1, memory_mb=1024, disk_gb=10, numa_topology=None), True),
        (objects.SchedulerLimits(vcpu=None, memory_mb=None, disk_gb=9, numa_topology=None), False),
    ],
)
def test_limits_count_what_is_reserved(tracker, building, limits, fits):
    if fits:
        tracker.instance_claim(building(), HOST, limits=limits)
        assert held(tracker) == (1, 1024, 10)
    else:
        with pytest.raises(errors.ComputeResourcesUnavailable):
            tracker.instance_claim(building(), HOST, limits=limits)
        assert held(tracker) == NOTHING_HELD


@pytest.mark.parametrize(
    ("values", "told", "disk_gib"),
    [
        ({}, None, 10),
        ({}, True, 0),
        ({"image_ref": ""}, None, 0),
        ({"image_ref": ""}, False, 10),
    ],
)
def test_the_disk_of_a_volume_backed_instance(tracker, building, values, told, disk_gib):
    tracker.instance_claim(building(**values), HOST, volume_backed=told)
    assert held(tracker) == (1, 1024, disk_gib)


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_build_leaves_nothing(tracker, store, context, building, exception):
    instance = building()
    with pytest.raises(exception), tracker.instance_claim(instance, HOST) as claim:
        claim.stamp(instance)
        instance.save()
        tracker.publish(context, HOST)
        raise exception
    assert held(tracker) == NOTHING_HELD
    tracker.publish(context, HOST)
    assert used(store) == NOTHING_HELD


def test_the_numa_hook_gets_what_the_instance_asked_for(host, conf, placement, lock, context, building):
    def fit(question):
        assert lock.is_held
        return objects.InstanceNUMATopology(cells=[], instance_uuid=question.instance.uuid)

    tracker = ResourceTracker(HOST, host.driver, placement, conf, fit_numa=fit, make_lock=lambda: lock)
    tracker.update_available_resource(context, startup=True)
    asked = objects.InstanceNUMATopology(cells=[])
    instance = building(numa_topology=asked)
    with tracker.instance_claim(instance, HOST) as claim:
        claim.stamp(instance)
        assert instance.numa_topology.instance_uuid == instance.uuid
    claim.unstamp(instance)
    assert instance.numa_topology is asked


# Moves


def test_a_resize_to_here(tracker, store, context, moving):
    instance, migration = moving
    migration._context = context
    with tracker.resize_claim(instance, LARGE, HOST, migration) as claim:
        claim.stamp_migration(migration, "192.0.2.5")
        migration.save()
        tracker.publish(context, HOST)
    assert (migration.dest_compute, migration.dest_node, migration.status) == (HOST, HOST, "pre-migrating")
    assert migration.dest_compute_id == tracker.compute_node(HOST).id
    assert used(store) == (4, 512 + 2048, 40)
    (node,) = store.nodes.values()
    assert node.running_vms == 0


def test_a_resize_within_the_node_holds_both_sizes(tracker, store):
    instance = store.add_instance(SMALL, host=HOST, node=HOST)
    tracker.instance_claim(instance, HOST).settle()
    migration = store.add_migration(instance, (HOST, HOST), (HOST, HOST))
    claim = tracker.resize_claim(instance, LARGE, HOST, migration)
    assert held(tracker) == (5, 512 + 512 + 2048, 50)
    claim.abort()
    assert held(tracker) == (1, 1024, 10)


def test_a_live_migration_and_an_evacuation_to_here(tracker, store):
    for claim_of in (
        lambda instance, record: tracker.live_migration_claim(instance, HOST, record),
        lambda instance, record: tracker.rebuild_claim(instance, HOST, migration=record),
    ):
        instance = store.add_instance(SMALL, host=THERE[0], node=THERE[1])
        claim = claim_of(instance, store.add_migration(instance, THERE, (HOST, HOST)))
        assert held(tracker) == (1, 1024, 10)
        claim.abort()
        assert held(tracker) == NOTHING_HELD


def test_an_evacuation_without_a_migration_record_counts_as_an_instance(tracker, store, context):
    tracker.rebuild_claim(store.add_instance(SMALL, host=THERE[0], node=THERE[1]), HOST).settle()
    tracker.publish(context, HOST)
    (node,) = store.nodes.values()
    assert node.running_vms == 1


@pytest.mark.parametrize("with_migration", [True, False])
def test_dropping_the_claim_of_a_move(tracker, moving, with_migration):
    instance, migration = moving
    tracker.resize_claim(instance, LARGE, HOST, migration).settle()
    tracker.drop_move_claim(instance, HOST, migration if with_migration else None)
    assert held(tracker) == NOTHING_HELD
    tracker.drop_move_claim(instance, HOST, migration)


def test_dropping_a_move_within_the_node_keeps_the_instance(tracker, store):
    instance = store.add_instance(SMALL, host=HOST, node=HOST)
    tracker.instance_claim(instance, HOST).settle()
    migration = store.add_migration(instance, (HOST, HOST), (HOST, HOST))
    tracker.resize_claim(instance, LARGE, HOST, migration).settle()
    tracker.drop_move_claim(instance, HOST, migration)
    assert held(tracker) == (1, 1024, 10)


def test_dropping_at_the_source_forgets_an_instance_that_lives_elsewhere_now(tracker, store):
    instance = store.add_instance(SMALL, host=HOST, node=HOST)
    tracker.instance_claim(instance, HOST).settle()
    instance.host, instance.node = THERE
    tracker.drop_move_claim(instance, HOST, store.add_migration(instance, (HOST, HOST), THERE))
    assert held(tracker) == NOTHING_HELD


def test_releases_of_what_is_not_there_are_harmless(tracker, store, building):
    instance = building()
    tracker.abort_instance_claim(instance, HOST)
    tracker.release(instance)
    assert held(tracker) == NOTHING_HELD
    with pytest.raises(errors.ComputeHostNotFound):
        tracker.abort_instance_claim(instance, "elsewhere")


def test_abort_instance_claim(tracker, building):
    instance = building()
    tracker.instance_claim(instance, HOST).settle()
    tracker.abort_instance_claim(instance, HOST)
    assert held(tracker) == NOTHING_HELD


# Publishing


def test_many_publish_at_once_and_few_save(tracker, store, context, building):
    """Whoever waits for a save under way finds its own change in it, or shares the next one."""
    instances = [building() for _ in range(12)]
    gate, entered = threading.Event(), threading.Event()

    def slow():
        entered.set()
        assert gate.wait(30)

    store.before["ComputeNode.save"] = slow
    store.calls.clear()

    def boot(instance):
        with tracker.instance_claim(instance, HOST):
            tracker.publish(context, HOST)

    threads = [threading.Thread(target=boot, args=(instance,)) for instance in instances]
    threads[0].start()
    assert entered.wait(30)
    for thread in threads[1:]:
        thread.start()
    # Nobody waits for the slow save to get its place.
    for _ in range(3000):
        if held(tracker)[0] == 12:
            break
        gate.wait(0.01)
    assert held(tracker)[0] == 12
    gate.set()
    for thread in threads:
        thread.join(30)
    assert store.calls == ["ComputeNode.save"] * 2
    assert used(store)[0] == 12


@pytest.mark.parametrize(
    "failure", [errors.ConductorTimeout("no answer"), errors.InternalError(err="x"), errors.DBNotAllowed()]
)
def test_a_failed_save_fails_nobody_and_is_made_good(tracker, store, context, building, failure, caplog):
    def fail():
        del store.before["ComputeNode.save"]
        raise failure

    store.before["ComputeNode.save"] = fail
    with tracker.instance_claim(building(), HOST):
        tracker.publish(context, HOST)
    assert used(store) == NOTHING_HELD
    assert "published by the next audit" in caplog.text
    tracker.publish(context, HOST)
    assert used(store) == (1, 1024, 10)


def test_publishing_an_unknown_node_does_nothing(tracker, store, context):
    store.calls.clear()
    tracker.publish(context, "elsewhere")
    assert store.calls == []


def test_stats_of_builds_and_states(tracker, store, context, building):
    def stats():
        tracker.publish(context, HOST)
        (node,) = store.nodes.values()
        return node.stats

    assert stats() == {"failed_builds": "0"}
    tracker.build_failed(HOST)
    tracker.build_failed(HOST)
    tracker.build_failed("elsewhere")
    assert stats() == {"failed_builds": "2"}
    tracker.build_succeeded(HOST)
    tracker.build_succeeded("elsewhere")
    instance = building()
    tracker.instance_claim(instance, HOST).settle()
    assert stats()["io_workload"] == "1"
    instance.vm_state, instance.task_state = "active", "rebooting"
    tracker.observe(instance)
    assert {key: stats()[key] for key in ("failed_builds", "io_workload", "num_task_rebooting")} == {
        "failed_builds": "0",
        "io_workload": "0",
        "num_task_rebooting": "1",
    }
    (node,) = store.nodes.values()
    assert node.current_workload == 1


def test_what_is_known_of_the_nodes(tracker, store):
    assert tracker.nodenames() == {HOST}
    (node,) = store.nodes.values()
    assert tracker.compute_node(HOST).id == node.id
    with pytest.raises(errors.ComputeHostNotFound):
        tracker.compute_node("elsewhere")


def test_no_io_ever_happens_under_the_claim_lock(tracker, lock, store, placement, context, building):
    """The store and placement fail the test when they are asked under the lock; it was really used."""
    times = lock.times
    with tracker.instance_claim(building(), HOST):
        tracker.publish(context, HOST)
        tracker.update_available_resource(context)
    assert lock.times > times + 5
    with lock, pytest.raises(AssertionError, match="claim lock"):
        store.service_get_by_compute_host(context, HOST)
        store._asked(context, "Service.get_by_compute_host", HOST)
    with lock, pytest.raises(AssertionError, match="claim lock"):
        placement.providers_in_tree(context, "x")


def test_a_wrong_provider_configuration_file_keeps_the_agent_from_starting(make_host, tmp_path):
    (tmp_path / "a.yaml").write_text("meta: {schema_version: '9.0'}")
    with pytest.raises(errors.ProviderConfigException, match=r"a\.yaml"):
        make_host()
