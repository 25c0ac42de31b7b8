"""The tracker on one host: claims, publishing, releases, and how many calls each of them costs."""

import pytest
import store as stores

from computed import errors

HOST = "host1"
AUDIT = ["InstanceList.get_by_host_and_node", "MigrationList.get_in_progress_and_error"]


@pytest.fixture
def flavor():
    return stores.make_flavor()


def used(store):
    (node,) = store.nodes.values()
    return node.vcpus_used, node.memory_mb_used, node.local_gb_used, node.running_vms


def held(tracker):
    usage = tracker._nodes.get(HOST).ledger.load().held
    return usage.vcpus, usage.memory_mib, usage.disk_gib


def test_a_boot_costs_one_save_of_the_node(tracker, store, placement, context, flavor):
    instance = store.add_instance(flavor, vm_state="building")
    instance._context = context
    store.calls.clear()
    placement.calls.clear()
    with tracker.instance_claim(instance, HOST) as claim:
        claim.stamp(instance)
        instance.save()
        tracker.publish(context, HOST)
        tracker.publish(context, HOST)
    assert store.calls == ["Instance.save", "ComputeNode.save"]
    assert placement.calls == []
    assert used(store) == (1, 512 + 512, 10, 1)


def test_a_claim_on_an_unknown_node(tracker, store, flavor):
    with pytest.raises(errors.ComputeResourcesUnavailable, match="elsewhere"):
        tracker.instance_claim(store.add_instance(flavor), "elsewhere")


def test_what_a_failed_build_leaves(tracker, store, context, flavor):
    instance = store.add_instance(flavor, vm_state="building")
    with pytest.raises(KeyboardInterrupt), tracker.instance_claim(instance, HOST):
        raise KeyboardInterrupt
    assert held(tracker) == (0, 512, 0)
    tracker.publish(context, HOST)
    assert store.calls.count("ComputeNode.save") == 0
