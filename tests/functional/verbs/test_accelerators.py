"""Accelerators of servers: awaited in a build, known to every start, given back."""

import pytest

from computed import errors, objects

PROFILE = {"accel:device_profile": "fpga"}


@pytest.fixture
def bench(make_bench):
    return make_bench(arq_binding_timeout=1)


def order(bench, *states):
    """A new server that asks for accelerators, and its accelerator requests."""
    instance = bench.new_server(flavor=bench.flavor(extra_specs=PROFILE))
    return instance, [bench.accelerators.add(instance.uuid, state) for state in states]


def guest(bench, instance):
    return bench.driver._store.find(instance.uuid)


def tell(bench, instance, tag, status="completed"):
    event = objects.InstanceExternalEvent(
        instance_uuid=instance.uuid, name="accelerator-request-bound", tag=tag, status=status
    )
    bench.call("external_instance_event", topic="compute-alt", instances=[instance], events=[event])


def test_accelerators_that_are_bound_already(bench):
    instance, requests = order(bench, "Bound", "Bound")
    bench.build(instance, accel_uuids=requests)
    assert bench.states(instance.uuid) == ("active", None)
    assert guest(bench, instance).accelerators == requests
    assert bench.accelerators.by_method["requests_of"] == 1


def test_accelerators_that_are_bound_while_the_build_waits(bench):
    instance, requests = order(bench, "BindStarted", "Bound")

    def bind():
        bench.accelerators.set_state(requests[0], "Bound")
        tell(bench, instance, requests[0])

    # Cyborg speaks after it was first asked and before it is asked again: only the event ends the wait.
    real = bench.accelerators.requests_of

    def requests_of(context, uuid):
        found = real(context, uuid)
        if bench.accelerators.by_method["requests_of"] == 1:
            bind()
        return found

    bench.accelerators.requests_of = requests_of
    bench.build(instance, accel_uuids=requests)
    assert bench.states(instance.uuid) == ("active", None)
    assert guest(bench, instance).accelerators == requests


@pytest.mark.parametrize("states", [["BindFailed"], ["Bound", "BindStarted"]])
def test_accelerators_that_are_not_bound_end_the_build(bench, states):
    instance, requests = order(bench, *states)
    bench.build(instance, accel_uuids=requests)
    assert bench.states(instance.uuid) == ("error", None)
    assert "accelerators were not bound" in bench.fault(instance.uuid)["message"]
    assert bench.accelerators.ids() == []
    assert (bench.allocation(instance.uuid), bench.network.of(instance.uuid)) == ({}, [])
    assert bench.tasks.casts == []


def test_accelerators_of_nobody_end_the_build(bench):
    instance = bench.new_server()
    bench.build(instance, accel_uuids=["aaaaaaaa-0000-4000-8000-000000000009"])
    assert bench.states(instance.uuid) == ("error", None)
    assert bench.accelerators.by_method["delete"] == 1


def test_a_cyborg_that_is_away_ends_the_build(bench):
    instance, requests = order(bench, "Bound")
    bench.accelerators.fail("requests_of", errors.AcceleratorRequestOpFailed(op="get", msg="away"))
    bench.build(instance, accel_uuids=requests)
    assert bench.states(instance.uuid) == ("error", None)
    assert bench.accelerators.ids() == []


def test_another_host_gets_other_accelerators(make_bench):
    bench = make_bench(**{"fake.fail": ["spawn:*"]})
    instance, requests = order(bench, "Bound")
    bench.build(instance, accel_uuids=requests)
    assert len(bench.tasks.casts) == 1
    assert bench.accelerators.ids() == []


def test_a_port_that_needs_an_accelerator_is_refused(bench):
    instance, requests = order(bench, "Bound")
    port = objects.NetworkRequest(network_id="net", arq_uuid=requests[0])
    bench.build(instance, accel_uuids=requests, networks=[port])
    assert bench.states(instance.uuid) == ("error", None)
    assert "accelerator" in bench.fault(instance.uuid)["message"]


def test_every_start_knows_the_accelerators_and_the_delete_gives_them_back(bench):
    instance, requests = order(bench, "Bound")
    bench.build(instance, accel_uuids=requests)
    bench.verb("stop_instance", instance.uuid, "powering-off", clean_shutdown=False)
    with bench.driver._store.changing(instance.uuid) as kept:
        kept.accelerators = []
    bench.verb("start_instance", instance.uuid, "powering-on")
    assert guest(bench, instance).accelerators == requests
    bench.delete(instance.uuid)
    assert bench.is_deleted(instance.uuid)
    assert bench.accelerators.ids() == []


def test_a_cyborg_that_is_away_keeps_nobody_from_going(bench):
    instance, requests = order(bench, "Bound")
    bench.build(instance, accel_uuids=requests)
    bench.accelerators.fail("delete_of", errors.AcceleratorRequestOpFailed(op="delete", msg="away"))
    bench.delete(instance.uuid)
    assert bench.is_deleted(instance.uuid)


def test_servers_without_accelerators_ask_nobody(bench):
    server = bench.boot()
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=False)
    bench.verb("start_instance", server.uuid, "powering-on")
    bench.delete(server.uuid)
    assert not bench.accelerators.by_method
