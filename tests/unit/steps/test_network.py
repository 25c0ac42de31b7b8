"""Network steps: what is asked of the network service, what is recorded, and what is given back."""

import copy
from types import SimpleNamespace

import pytest

from computed import errors, objects
from computed.context import RequestContext
from computed.lib.locks import KeyedLocks
from computed.lib.undo import UndoStack
from computed.objects.base import ComputedObject
from computed.objects.network_model import NetworkInfo
from computed.operations.events import external_instance_event
from computed.steps import network

UUID = "11111111-1111-4111-8111-111111111111"
PORTS = [f"{n}{n}{n}{n}{n}{n}{n}{n}-2222-4222-8222-222222222222" for n in range(4)]
CONTEXT = RequestContext(user_id="u", project_id="p", auth_token="t")


class Conductor:
    """Keeps the info cache and the interface records of one instance, and counts what is asked of it."""

    def __init__(self):
        self.cache = NetworkInfo()
        self.vifs = []
        self.asked = []
        self.fails = None
        self.away = None

    def object_action(self, context, objinst, objmethod, args, kwargs):
        self.asked.append(f"{objinst.obj_name()}.{objmethod}")
        if self.fails == self.asked[-1]:
            raise errors.VirtualInterfaceCreateException()
        if self.away == self.asked[-1]:
            raise errors.ConductorUnavailable()
        if objinst.obj_name() == "VirtualInterface":
            self.vifs.append((objinst.address, objinst.uuid, objinst.tag))
            return {}, None
        if objmethod == "save":
            self.cache = NetworkInfo.from_json(objinst.network_info.json())
            return {}, None
        return {"network_info": self.cache.json()}, None

    def object_class_action_versions(self, context, objname, objmethod, object_versions, args, kwargs):
        self.asked.append(f"{objname}.{objmethod}")
        self.vifs.clear()


class Service:
    """A network service with ports in memory."""

    def __init__(self, *ports):
        self.ports = list(ports)
        self.failures = []
        self.calls = []
        self.when_bound = {}

    def _say(self, what):
        self.calls.append(what)
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure

    def allocate(self, context, instance, *, host, requested, security_groups, providers):
        self._say(("allocate", host, security_groups, providers))
        return self.network_info(context, instance, quietly=True)

    def network_info(self, context, instance, quietly=False):
        if not quietly:
            self._say("network_info")
        return NetworkInfo.hydrate(copy.deepcopy(self.ports))

    def bind_to_host(self, context, instance, *, host, migration=None, providers=None):
        self._say(("bind", host))
        for known in self.ports:
            known.update(self.when_bound)
        return self.network_info(context, instance, quietly=True)

    def deallocate(self, context, instance, *, requested=None):
        self._say("deallocate")
        self.ports.clear()


def port(number, **values):
    return {"id": PORTS[number], "address": f"fa:16:3e:00:00:0{number}", "active": False, **values}


@pytest.fixture
def conductor(monkeypatch):
    made = Conductor()
    monkeypatch.setattr(ComputedObject, "indirection_api", made)
    return made


class Stopping:
    """Never set; remembers how long it was waited for."""

    def __init__(self):
        self.waited = []

    def is_set(self):
        return False

    def wait(self, seconds):
        self.waited.append(seconds)
        return False


def host_with(service, retries=0):
    driver = SimpleNamespace(detached=[])
    driver.detach_interface = lambda context, instance, vif: driver.detached.append(vif["id"])
    conf = SimpleNamespace(network_allocate_retries=retries)
    return SimpleNamespace(
        name="here", network=service, conf=conf, locks=KeyedLocks(), stopping=Stopping(), driver=driver
    )


def instance_with(*ports, **system_metadata):
    instance = objects.Instance(context=CONTEXT, uuid=UUID, project_id="p", system_metadata=system_metadata)
    instance.info_cache = objects.InstanceInfoCache(
        context=CONTEXT, instance_uuid=UUID, network_info=NetworkInfo.hydrate(list(ports))
    )
    instance.obj_reset_changes(recursive=True)
    return instance


def order(instance, *requests, groups=("default",), spec=None):
    requested = objects.NetworkRequestList(objects=[objects.NetworkRequest(**r) for r in requests])
    return SimpleNamespace(
        instance=instance,
        requested_networks=requested if requests else None,
        security_groups=list(groups),
        request_spec=spec,
    )


def test_ports_are_recorded_with_the_tags_of_their_requests(conductor):
    service = Service(port(1), port(2))
    undo = UndoStack()
    asked_for = order(instance_with(), {"network_id": "n"}, {"port_id": PORTS[2], "tag": "nic2"})
    got = network.allocate(host_with(service), CONTEXT, asked_for, undo)
    assert [vif["id"] for vif in got] == PORTS[1:3]
    assert service.calls == [("allocate", "here", ("default",), {})]
    assert conductor.vifs == [
        (f"fa:16:3e:00:00:01/{PORTS[1]}", PORTS[1], None),
        (f"fa:16:3e:00:00:02/{PORTS[2]}", PORTS[2], "nic2"),
    ]
    undo.rollback()
    assert (service.ports, conductor.vifs) == ([], [])


def test_nothing_is_asked_for_when_no_network_is_wanted(conductor):
    service = Service(port(1))
    got = network.allocate(
        host_with(service), CONTEXT, order(instance_with(), {"network_id": "none"}), UndoStack()
    )
    assert (got, service.calls, conductor.asked) == ([], [], [])


def test_ports_go_back_when_an_interface_cannot_be_recorded(conductor):
    service = Service(port(1))
    conductor.fails = "VirtualInterface.create"
    undo = UndoStack()
    with pytest.raises(errors.VirtualInterfaceCreateException):
        network.allocate(host_with(service), CONTEXT, order(instance_with()), undo)
    undo.rollback()
    assert service.ports == []


def test_ports_of_an_earlier_host_are_taken_over(conductor):
    service = Service(port(1))
    instance = instance_with(network_allocated="True")
    got = network.allocate(host_with(service), CONTEXT, order(instance), UndoStack())
    assert [vif["id"] for vif in got] == [PORTS[1]]
    assert service.calls == [("bind", "here")]
    assert conductor.vifs == []


def test_a_failed_allocation_is_tried_again_as_often_as_the_option_says(conductor):
    service = Service(port(1))
    service.failures = [errors.NetworkServiceUnavailable("x"), errors.NetworkServiceUnavailable("x")]
    host = host_with(service, retries=2)
    assert len(network.allocate(host, CONTEXT, order(instance_with()), UndoStack())) == 1
    assert host.stopping.waited == [1.0, 2.0]
    service.failures = [errors.NoMoreFixedIps(net="n"), errors.NoMoreFixedIps(net="n")]
    with pytest.raises(errors.NoMoreFixedIps):
        network.allocate(host_with(service, retries=1), CONTEXT, order(instance_with()), UndoStack())
    assert service.failures == []


def test_providers_of_requested_resources_go_along(conductor):
    group = objects.RequestGroup(requester_id=PORTS[1], provider_uuids=[PORTS[3]])
    spec = objects.RequestSpec(requested_resources=[group])
    service = Service(port(1))
    network.allocate(host_with(service), CONTEXT, order(instance_with(), spec=spec), UndoStack())
    assert service.calls[0][3] == {PORTS[1]: [PORTS[3]]}


def test_a_refresh_saves_what_has_changed_and_nothing_else(conductor):
    service = Service(port(1, active=True))
    conductor.cache = NetworkInfo.hydrate([port(1)])
    instance = instance_with(port(1))
    host = host_with(service)
    assert network.refresh(host, CONTEXT, instance) is True
    assert conductor.cache[0]["active"] is True
    assert network.refresh(host, CONTEXT, instance) is False
    assert conductor.asked.count("InstanceInfoCache.save") == 1


def test_a_failed_read_leaves_the_cache_as_it_is(conductor):
    service = Service()
    service.failures = [errors.NetworkServiceUnavailable("x")]
    conductor.cache = NetworkInfo.hydrate([port(1)])
    instance = instance_with(port(1))
    with pytest.raises(errors.NetworkServiceUnavailable):
        network.refresh(host_with(service), CONTEXT, instance)
    assert "InstanceInfoCache.save" not in conductor.asked
    assert [vif["id"] for vif in conductor.cache] == [PORTS[1]]


def test_what_is_remembered_rightly_costs_the_conductor_nothing(conductor):
    service = Service(port(1, active=False))
    instance = instance_with(port(1, active=True))
    network.refresh_if_possible(host_with(service), CONTEXT, instance)
    assert network.cached(instance)[0]["active"] is True, "it is the port of a guest that is off"
    assert (service.calls, conductor.asked) == (["network_info"], [])


def test_ports_without_a_binding_are_bound_before_a_guest_is_made_anew(conductor):
    conductor.cache = NetworkInfo.hydrate([port(1, type="ovs")])
    service, instance = Service(port(1, type="unbound")), instance_with(port(1, type="ovs"))
    host = host_with(service)
    service.failures = [None, errors.PortBindingFailed(port_id=PORTS[1])]
    network.refresh_if_possible(host, CONTEXT, instance)
    assert network.cached(instance)[0]["type"] == "ovs", "nothing better is known"
    service.when_bound = {"type": "hw_veb"}
    network.refresh_if_possible(host, CONTEXT, instance)
    assert service.calls.count(("bind", "here")) == 2
    assert [vif["type"] for vif in conductor.cache] == ["hw_veb"]


@pytest.mark.parametrize("method", ["refresh", "save"])
def test_a_conductor_that_is_away_leaves_what_is_remembered(conductor, method):
    conductor.cache = NetworkInfo.hydrate([port(1)])
    conductor.away = f"InstanceInfoCache.{method}"
    network.refresh_if_possible(host_with(Service(port(1), port(2))), CONTEXT, instance_with(port(1)))
    assert conductor.asked[-1] == conductor.away
    assert [vif["id"] for vif in conductor.cache] == [PORTS[1]]


def test_a_vanished_port_leaves_the_cache_only_when_it_is_asked_so(conductor):
    conductor.cache = NetworkInfo.hydrate([port(1), port(2)])
    service = Service(port(2, active=True), port(3))
    instance = instance_with()
    network.refresh(host_with(service), CONTEXT, instance, keep_vanished=True)
    assert [(vif["id"], vif["active"]) for vif in conductor.cache] == [
        (PORTS[1], False),
        (PORTS[2], True),
        (PORTS[3], False),
    ]
    network.refresh(host_with(service), CONTEXT, instance)
    assert [vif["id"] for vif in conductor.cache] == PORTS[2:4]


def event(name, tag=None):
    return objects.InstanceExternalEvent(instance_uuid=UUID, name=name, tag=tag, status="completed")


def test_a_port_deleted_under_the_guest_is_taken_out_of_it_even_after_a_change_was_told(conductor):
    conductor.cache = NetworkInfo.hydrate([port(1), port(2)])
    service = Service(port(2))
    host, instance = host_with(service), instance_with()
    events = [event("network-changed", PORTS[1]), event("network-vif-deleted", PORTS[1])]
    external_instance_event(host, CONTEXT, instances=[instance], events=events)
    assert host.driver.detached == [PORTS[1]]
    assert [vif["id"] for vif in conductor.cache] == [PORTS[2]]


def test_deallocation_empties_the_cache_that_goes_with_the_next_save(conductor):
    service = Service(port(1))
    instance = instance_with(port(1))
    network.deallocate(host_with(service), CONTEXT, instance)
    assert network.cached(instance) == []
    assert "network_info" in instance.info_cache.obj_what_changed()
    assert conductor.asked == []
