"""Fields that were left out: which question brings them, and which have a meaning of their own."""

from __future__ import annotations

from typing import Any

import pytest

from computed import errors, objects
from computed.context import get_admin_context
from computed.objects.instance import LOADABLE

UUID = "00000001-0000-4000-8000-000000000001"


@pytest.fixture
def stored(conductor: Any) -> dict[str, Any]:
    """What the conductor has of the instance, by field."""
    have: dict[str, Any] = {"flavor": objects.Flavor(id=1), "old_flavor": None, "new_flavor": None}

    def get_by_uuid(context: Any, uuid: str, expected_attrs: list[str]) -> Any:
        # As the stock conductor does: the three flavors come together, a fault not at all.
        assert not {"fault", "old_flavor", "new_flavor"} & set(expected_attrs)
        wanted = set(expected_attrs) | ({"old_flavor", "new_flavor"} if "flavor" in expected_attrs else set())
        return objects.Instance(context=context, uuid=uuid, **{k: v for k, v in have.items() if k in wanted})

    conductor.class_answers["Instance", "get_by_uuid"] = get_by_uuid
    return have


def instance(**values: Any) -> Any:
    made = objects.Instance(context=get_admin_context(), uuid=UUID, **values)
    made.obj_reset_changes()
    return made


@pytest.mark.parametrize("name", sorted(LOADABLE - {"fault", "keypairs"}))
def test_every_field_that_may_be_left_out_takes_one_question(conductor: Any, stored: Any, name: str) -> None:
    empty = objects.Instance.fields[name].nullable
    child = None if empty else getattr(objects.Instance.fields[name], "objname", None)
    stored.setdefault(name, None if empty else getattr(objects, child)() if child else {})
    read = instance()
    assert getattr(read, name) == stored[name]
    assert getattr(read, name) == stored[name]
    assert len(conductor.class_calls) == 1
    assert conductor.contexts[0].read_deleted == "yes"
    assert read.obj_context().read_deleted == "no"
    assert read.obj_what_changed() == set()


def test_a_fault_is_asked_for_by_itself(conductor: Any, stored: Any) -> None:
    fault = objects.InstanceFault(id=1)
    conductor.class_answers["InstanceFault", "get_latest_for_instance"] = lambda context, uuid: fault
    stored["tags"] = objects.TagList()
    read = instance()
    read.load("fault", "tags")
    assert read.fault is fault
    assert [call[:2] for call in conductor.class_calls] == [
        ("InstanceFault", "get_latest_for_instance"),
        ("Instance", "get_by_uuid"),
    ]


def test_the_flavors_of_a_resize_do_not_replace_a_flavor_that_is_here(conductor: Any, stored: Any) -> None:
    stored["old_flavor"] = objects.Flavor(id=2)
    flavor = objects.Flavor(id=3)
    read = instance(flavor=flavor)
    assert read.get_flavor("old").id == 2
    assert read.get_flavor("new") is None
    assert read.get_flavor() is flavor
    assert [call[3] for call in conductor.class_calls] == [{"expected_attrs": ["flavor"]}]


def test_an_instance_stored_without_key_pairs_has_none(conductor: Any, stored: Any) -> None:
    assert len(instance().keypairs) == 0


def test_a_field_that_does_not_come_is_named(conductor: Any, stored: Any) -> None:
    with pytest.raises(errors.ObjectActionError, match="numa_topology"):
        _ = instance().numa_topology


def test_a_device_asks_for_its_instance_once(conductor: Any) -> None:
    owner = objects.Instance(uuid=UUID)
    owner.obj_reset_changes()
    conductor.class_answers["Instance", "get_by_uuid"] = lambda context, uuid: owner
    bdm = objects.BlockDeviceMapping(context=get_admin_context(), instance_uuid=UUID)
    bdm.obj_reset_changes()
    assert bdm.instance is bdm.instance is owner
    assert len(conductor.class_calls) == 1
    assert bdm.obj_what_changed() == set()


def test_a_service_asks_for_the_node_of_its_host(conductor: Any) -> None:
    nodes = objects.ComputeNodeList(objects=[objects.ComputeNode(host="host")])
    conductor.class_answers["ComputeNodeList", "get_all_by_host"] = lambda context, host: nodes
    service = objects.Service(context=get_admin_context(), binary="nova-compute", host="host")
    assert service.compute_node is nodes[0]
    assert conductor.class_calls == [("ComputeNodeList", "get_all_by_host", ("host",), {})]


def test_a_group_asks_where_its_members_are(conductor: Any) -> None:
    conductor.action_answers["get_hosts"] = lambda _: ({}, ["a", "b"])
    group = objects.InstanceGroup(context=get_admin_context(), uuid=UUID)
    assert group.hosts == ["a", "b"]
    assert "hosts" not in group.obj_what_changed()


@pytest.mark.parametrize(
    ("name", "field", "meaning"),
    [
        ("NetworkRequest", "tag", None),
        ("InstancePCIRequest", "numa_policy", None),
        ("VirtCPUFeature", "policy", None),
        ("VirtCPUModel", "vendor", None),
        ("VirtCPUModel", "features", []),
        ("Destination", "allow_cross_cell_move", False),
        ("RequestLevelParams", "same_subtree", []),
        ("RequestSpec", "requested_destination", None),
        ("PciDevice", "extra_info", {}),
        ("Migration", "cross_cell_move", False),
    ],
)
def test_what_older_senders_leave_out_has_a_meaning(name: str, field: str, meaning: Any) -> None:
    made = getattr(objects, name)()
    assert getattr(made, field) == meaning
    assert made.obj_what_changed() == set()


def test_a_request_spec_has_empty_lists_for_what_it_was_not_asked() -> None:
    spec = objects.RequestSpec()
    assert (len(spec.security_groups), len(spec.requested_networks)) == (0, 0)
    assert spec.network_metadata.tunneled is False


@pytest.mark.parametrize(
    ("name", "field", "before", "key"),
    [
        ("Flavor", "extra_specs", {"a": "b"}, "c"),
        ("PciDevice", "extra_info", {}, "capabilities"),
        ("ComputeNode", "stats", {"io_workload": "0"}, "io_workload"),
    ],
)
def test_a_dictionary_changed_in_place_counts_as_changed(
    name: str, field: str, before: Any, key: str
) -> None:
    made = getattr(objects, name)(**{field: before})
    made.obj_reset_changes()
    read = made.obj_from_primitive(made.obj_to_primitive())
    for each in (made, read, read.obj_clone()):
        assert each.obj_what_changed() == set()
        getattr(each, field)[key] = "1"
        assert each.obj_what_changed() == {field}
        each.obj_reset_changes([field])
        assert each.obj_what_changed() == set()
