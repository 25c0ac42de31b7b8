"""What the tests of the audit share: one audit with its calls counted, and what came of it."""

import store as stores

HOST = "host1"
UUID = "11111111-1111-4111-8111-111111111111"
OTHER_UUID = "22222222-2222-4222-8222-222222222222"
FLAVOR = stores.make_flavor()
LIST = ["MigrationList.get_in_progress_and_error", "InstanceList.get_by_host"]
UNCHANGED = ["InstanceList.get_uuids_by_host", "MigrationList.get_in_progress_and_error"]
ALLOCATIONS = ["provider_allocations"]


def audit(tracker, context, store, placement=None, **flags):
    """Run one audit; the calls it made."""
    store.calls.clear()
    if placement is not None:
        placement.calls.clear()
    tracker.update_available_resource(context, **flags)
    return list(store.calls)


def held(tracker, name=HOST):
    return tracker._nodes.get(name).ledger.load().held.vcpus


def here(store, **values):
    return store.add_instance(FLAVOR, **({"host": HOST, "node": HOST, "compute_id": 1} | values))
