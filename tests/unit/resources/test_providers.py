"""What placement is told of a node: ratios, reserved amounts, traits, additions from files."""

import pytest
from oslo_config import cfg

from computed import conf as computed_conf
from computed.resources.provider_config import EVERY_NODE, ProviderConfig
from computed.resources.providers import (
    NodeReport,
    Offer,
    ProviderView,
    root_inventories,
    root_traits,
    same_inventories,
    wanted_tree,
)
from computed.resources.usage import NOTHING, Usage
from computed.virt.specs import Inventory

OFFER = Offer({}, {"VCPU": 4.0, "MEMORY_MB": 1.0, "DISK_GB": 1.0}, Usage(1, 512, 2), NOTHING)
NODE_UUID = "8f1b7a4e-8f43-4f0e-9a80-b3d0f8b2c001"


def offer(**options):
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf([])
    for name, value in options.items():
        group, _, option = name.rpartition("__")
        conf.set_override(option, value, group=group or None)
    return Offer.from_conf(conf)


@pytest.mark.parametrize(
    ("disk_mib", "reserved_gib", "in_use_gib"),
    [(0, 0, 0), (1, 1, 0), (1024, 1, 1), (1025, 2, 1), (4096, 4, 4)],
)
def test_reserved_disk_is_rounded_up_for_placement_and_down_in_the_record(disk_mib, reserved_gib, in_use_gib):
    made = offer(reserved_host_disk_mb=disk_mib, reserved_host_cpus=3, reserved_host_memory_mb=64)
    assert made.reserved == Usage(3, 64, reserved_gib)
    assert made.reserved_in_use == Usage(3, 64, in_use_gib)


@pytest.mark.parametrize(
    ("configured", "present", "expected"),
    [
        (None, None, 4.0),
        (None, 7.5, 7.5),
        (2.0, None, 2.0),
        (2.0, 7.5, 2.0),
        (0.0, None, 4.0),
        (0.0, 7.5, 7.5),
    ],
)
def test_ratio_configured_else_present_else_initial(configured, present, expected):
    records = {} if present is None else {"VCPU": {"allocation_ratio": present}}
    made = offer(cpu_allocation_ratio=configured)
    assert root_inventories({"VCPU": Inventory(8)}, records, made)["VCPU"]["allocation_ratio"] == expected


@pytest.mark.parametrize(
    ("name", "option", "initial"),
    [
        ("VCPU", "cpu_allocation_ratio", 4.0),
        ("MEMORY_MB", "ram_allocation_ratio", 1.0),
        ("DISK_GB", "disk_allocation_ratio", 1.0),
    ],
)
def test_each_class_has_its_own_ratio(name, option, initial):
    offered = {name: Inventory(8)}
    assert root_inventories(offered, {}, offer())[name]["allocation_ratio"] == initial
    assert root_inventories(offered, {}, offer(**{option: 9.0}))[name]["allocation_ratio"] == 9.0
    made = offer(**{f"initial_{option}": 3.0})
    assert root_inventories(offered, {}, made)[name]["allocation_ratio"] == 3.0


def test_inventories_of_a_node():
    offered = {
        "VCPU": Inventory(8),
        "MEMORY_MB": Inventory(4096),
        "DISK_GB": Inventory(100, reserved=3, step_size=5),
        "PCPU": Inventory(0),
        "CUSTOM_MAGIC": Inventory(10, reserved=1, max_unit=2, allocation_ratio=1.0),
    }
    assert root_inventories(offered, {}, OFFER) == {
        "VCPU": {"total": 8, "reserved": 1, "max_unit": 8, "allocation_ratio": 4.0, **UNITS},
        "MEMORY_MB": {"total": 4096, "reserved": 512, "max_unit": 4096, "allocation_ratio": 1.0, **UNITS},
        "DISK_GB": {"total": 100, "reserved": 5, "max_unit": 100, "allocation_ratio": 1.0, **UNITS}
        | {"step_size": 5},
        "CUSTOM_MAGIC": {"total": 10, "reserved": 1, "max_unit": 2, "allocation_ratio": 1.0, **UNITS},
    }


UNITS = {"min_unit": 1, "step_size": 1}


def report(traits=(), owned=(), disabled=None, inventories=None, owns_child=lambda name: False):
    return NodeReport(
        NODE_UUID,
        "node1",
        {"node1": {"VCPU": Inventory(8)}} if inventories is None else inventories,
        frozenset(traits),
        frozenset(owned),
        owns_child,
        lambda: disabled,
    )


ALWAYS = {"COMPUTE_NODE", "OWNER_NOVA"}


@pytest.mark.parametrize(
    ("told", "present", "expected"),
    [
        (report(), set(), ALWAYS),
        (report(["HW_A"]), set(), ALWAYS | {"HW_A"}),
        # what others put there stays, custom or not
        (report(["HW_A"]), {"CUSTOM_X", "HW_B"}, ALWAYS | {"HW_A", "HW_B", "CUSTOM_X"}),
        # what only the driver decides about goes when it no longer says so
        (report(["HW_A"], owned=["HW_A", "HW_B"]), {"HW_B", "CUSTOM_X"}, ALWAYS | {"HW_A", "CUSTOM_X"}),
        # the service's state, or nothing known of it
        (report(disabled=True), set(), ALWAYS | {"COMPUTE_STATUS_DISABLED"}),
        (report(disabled=False), {"COMPUTE_STATUS_DISABLED"}, ALWAYS),
        (report(), {"COMPUTE_STATUS_DISABLED"}, ALWAYS | {"COMPUTE_STATUS_DISABLED"}),
        # no host without such devices shows this one, whatever its driver can do
        (report(["COMPUTE_REMOTE_MANAGED_PORTS"]), set(), ALWAYS),
    ],
)
def test_traits_of_a_node(told, present, expected):
    assert root_traits(told, frozenset(present), OFFER) == expected


def test_excluded_image_types():
    made = offer(compute__image_type_exclude_list=["vmdk"])
    told = report(
        ["COMPUTE_IMAGE_TYPE_VMDK", "COMPUTE_IMAGE_TYPE_RAW"],
        owned=["COMPUTE_IMAGE_TYPE_VMDK", "COMPUTE_IMAGE_TYPE_RAW"],
    )
    assert root_traits(told, frozenset({"COMPUTE_IMAGE_TYPE_VMDK"}), made) == ALWAYS | {
        "COMPUTE_IMAGE_TYPE_RAW"
    }


def view(name, uuid=None, parent=NODE_UUID, inventories=None, traits=()):
    return ProviderView(uuid or f"uuid-of-{name}", name, parent, 5, inventories or {}, frozenset(traits))


GOLD = {"CUSTOM_GOLD": {"total": 3}}
GOLD_RECORD = {
    "total": 3,
    "reserved": 0,
    "min_unit": 1,
    "max_unit": 2147483647,
    "step_size": 1,
    "allocation_ratio": 1.0,
}


def config(identifier, inventories=None, traits=(), source="a.yaml"):
    return ProviderConfig(identifier, source, inventories or {}, frozenset(traits))


def test_children_that_the_driver_reports_are_ours_and_foreign_ones_are_not_touched():
    told = report(inventories={"node1": {"VCPU": Inventory(8)}, "child": {"CUSTOM_MAGIC": Inventory(10)}})
    wanted = wanted_tree(told, {"foreign": view("foreign")}, OFFER)
    assert set(wanted) == {"node1", "child"}
    assert wanted["child"].traits == {"OWNER_NOVA"}
    assert wanted["child"].inventories["CUSTOM_MAGIC"]["total"] == 10


@pytest.mark.parametrize("identifier", ["node1", NODE_UUID, EVERY_NODE])
def test_an_entry_adds_to_the_root(identifier):
    wanted = wanted_tree(report(), {}, OFFER, [config(identifier, GOLD, ["CUSTOM_FAST"])])["node1"]
    assert wanted.inventories["CUSTOM_GOLD"] == GOLD_RECORD
    assert "VCPU" in wanted.inventories
    assert "CUSTOM_FAST" in wanted.traits


def test_an_entry_for_every_node_yields_to_one_for_this_node():
    entries = [config(EVERY_NODE, GOLD), config("node1", traits=["CUSTOM_FAST"])]
    wanted = wanted_tree(report(), {}, OFFER, entries)["node1"]
    assert set(wanted.inventories) == {"VCPU"}
    assert "CUSTOM_FAST" in wanted.traits


def test_an_entry_adds_to_a_provider_of_another_service_and_keeps_what_it_has():
    foreign = view("nic", inventories={"NET_BW": GOLD_RECORD}, traits=["CUSTOM_PHYSNET"])
    wanted = wanted_tree(report(), {"nic": foreign}, OFFER, [config("uuid-of-nic", GOLD, ["CUSTOM_FAST"])])
    assert set(wanted["nic"].inventories) == {"NET_BW", "CUSTOM_GOLD"}
    assert wanted["nic"].traits == {"CUSTOM_PHYSNET", "CUSTOM_FAST", "OWNER_NOVA"}


def test_an_entry_for_nobody_here_adds_nothing():
    assert set(wanted_tree(report(), {}, OFFER, [config("elsewhere", GOLD)])) == {"node1"}


def test_an_entry_may_not_replace_what_the_driver_reports(caplog):
    told = report(inventories={"node1": {"CUSTOM_GOLD": Inventory(8)}})
    entry = config("node1", {"CUSTOM_GOLD": {"total": 1}, "CUSTOM_NEW": {"total": 2}})
    wanted = wanted_tree(told, {}, OFFER, [entry])["node1"]
    assert wanted.inventories["CUSTOM_GOLD"]["total"] == 8
    assert wanted.inventories["CUSTOM_NEW"]["total"] == 2
    assert "a.yaml" in caplog.text


def test_a_provider_named_by_uuid_and_by_name_gets_one_entry_and_an_error(caplog):
    entries = [config("node1", traits=["CUSTOM_A"]), config(NODE_UUID, traits=["CUSTOM_B"], source="b.yaml")]
    wanted = wanted_tree(report(), {}, OFFER, entries)["node1"]
    assert "CUSTOM_A" in wanted.traits
    assert "CUSTOM_B" not in wanted.traits
    assert "a.yaml and b.yaml" in caplog.text


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (GOLD_RECORD, True),
        (GOLD_RECORD | {"allocation_ratio": 1.00000001}, True),
        (GOLD_RECORD | {"allocation_ratio": 1.001}, False),
        (GOLD_RECORD | {"total": 4}, False),
        (GOLD_RECORD | {"reserved": 1}, False),
        (GOLD_RECORD | {"max_unit": 1}, False),
        (GOLD_RECORD | {"min_unit": 2}, False),
        (GOLD_RECORD | {"step_size": 2}, False),
    ],
)
def test_same_inventories(other, same):
    assert same_inventories({"A": GOLD_RECORD}, {"A": other}) is same
    assert not same_inventories({"A": GOLD_RECORD}, {})
    assert not same_inventories({"A": GOLD_RECORD}, {"B": GOLD_RECORD})
