"""What neutron says of servers, and what is made of it."""

import pytest

from computed import errors, objects


@pytest.fixture
def server(bench):
    return bench.boot()


def tell(bench, *events, instances=None):
    instances = instances or {uuid: bench.fetch(uuid) for uuid, *_ in events}
    told = [
        objects.InstanceExternalEvent(instance_uuid=uuid, name=name, tag=tag, status="completed")
        for uuid, name, tag in events
    ]
    bench.cast(
        "external_instance_event",
        topic="compute-alt",
        instances=list(instances.values()),
        events=told,
    )
    bench.settle()


def cached(bench, server):
    return bench.fetch(server.uuid).info_cache.network_info


def test_a_changed_port_is_recorded(bench, server):
    [port] = bench.network.of(server.uuid)
    port["active"] = True
    with bench.counting() as counts:
        tell(bench, (server.uuid, "network-changed", port["id"]))
    assert cached(bench, server)[0]["active"] is True
    assert counts.conductor == ["InstanceInfoCache.refresh", "InstanceInfoCache.save"]


def test_what_has_not_changed_is_not_saved(bench, server):
    with bench.counting() as counts:
        tell(bench, (server.uuid, "network-changed", None))
    assert "InstanceInfoCache.save" not in counts.conductor


def test_a_deleted_port_leaves_guest_and_cache(bench, server):
    [port] = bench.network.of(server.uuid)
    tell(bench, (server.uuid, "network-vif-deleted", port["id"]))
    assert list(cached(bench, server)) == []
    assert bench.driver._store.find(server.uuid).vifs == []


def test_a_port_that_the_guest_never_had_is_ignored(bench, server):
    tell(bench, (server.uuid, "network-vif-deleted", "dddddddd-0000-4000-8000-000000000001"))
    assert len(cached(bench, server)) == 1


@pytest.mark.parametrize(
    "name",
    ["network-vif-plugged", "network-vif-unplugged", "volume-extended", "power-update",
     "accelerator-request-bound", "volume-reimaged"],
)  # fmt: skip
def test_what_nobody_waits_for_changes_nothing(bench, server, name):
    before = bench.rows("Instance", uuid=server.uuid)
    tell(bench, (server.uuid, name, "some-tag"))
    assert bench.rows("Instance", uuid=server.uuid) == before
    assert bench.fault(server.uuid) is None


def test_one_event_that_cannot_be_handled_does_not_stop_the_next(bench, server):
    other = bench.boot("web-2")
    [port] = bench.network.of(other.uuid)
    port["active"] = True
    real = bench.network.network_info

    def fail(context, instance):
        if instance.uuid == server.uuid:
            raise errors.NetworkServiceUnavailable("away")
        return real(context, instance)

    bench.network.network_info = fail
    tell(bench, (server.uuid, "network-changed", None), (other.uuid, "network-changed", None))
    assert cached(bench, other)[0]["active"] is True


def test_an_event_for_a_server_that_was_not_sent_along(bench, server):
    other = bench.boot("web-2")
    tell(bench, (server.uuid, "network-changed", None), instances={other.uuid: bench.fetch(other.uuid)})
    assert len(cached(bench, server)) == 1
