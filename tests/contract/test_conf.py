"""Every option against the recorded facts: name, section, type, default, bounds, choices and former names."""

import json
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg, types

from computed.conf import identity, known, mdev, neutron_physnet, register_all
from computed.conf.load import load
from computed.conf.opts import list_opts

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "config.json").read_text())
OURS = {"alone", "fake"}
OURS_IN_DEFAULT = {"graceful_shutdown_timeout", "unknown_options"}
# castellan registers it when a key manager is used.
LIBRARY = {("key_manager", "backend")}
DYNAMIC = {"mdev_MDEVTYPE": "mdev_TYPE", "neutron_physnet_PHYSNET": "neutron_physnet_NAME"}
# The stock agent lets nobody set an endpoint's major version; keystoneauth's own options do no harm.
VERSIONS = {"version", "min_version", "max_version"}
ALL = [
    (group, name)
    for group, names in FACTS["groups"].items()
    for name in names
    if (group, name) not in LIBRARY and not (group in identity.IDENTITIES and name in VERSIONS)
]


@pytest.fixture(scope="module")
def live() -> dict[tuple[str, str], cfg.Opt]:
    """Every option as clients see it, keystoneauth's included: (section, name) → option with its default."""
    conf = cfg.ConfigOpts()
    register_all(conf)
    for group in identity.IDENTITIES:
        identity.register(conf, group)
    conf.register_opts(mdev.options("TYPE"), group=mdev.group_name("TYPE"))
    conf.register_opts(neutron_physnet.OPTS, group=neutron_physnet.group_name("NAME"))
    conf([], default_config_files=[], default_config_dirs=[])
    found = {("DEFAULT", entry["opt"].name): entry for entry in conf._opts.values()}
    for name, group in conf._groups.items():
        found |= {(name, entry["opt"].name): entry for entry in group._opts.values()}
    return {key: _with_set_default(entry) for key, entry in found.items()}


def _with_set_default(entry: dict[str, Any]) -> cfg.Opt:
    if "default" in entry:
        entry["opt"].effective = entry["default"]
    else:
        entry["opt"].effective = entry["opt"].default
    return entry["opt"]


@pytest.mark.parametrize(("group", "name"), ALL)
def test_option_is_as_recorded(live: dict[tuple[str, str], cfg.Opt], group: str, name: str) -> None:
    fact = FACTS["groups"][group][name]
    option = live[DYNAMIC.get(group, group), name]
    assert type(option).__name__ == fact["opt_class"]
    if not fact.get("default_is_computed"):
        assert option.effective == fact["default"]
    if "item_type" in fact:
        assert _type_name(option.type.item_type) == fact["item_type"]["type"]
        assert _choices(option.type.item_type) == fact["item_type"].get("choices")
    assert _choices(option.type) == fact.get("choices")
    lowest = 0 if isinstance(option, cfg.PortOpt) else None
    assert getattr(option.type, "min", None) == fact.get("min", lowest)
    assert getattr(option.type, "max", None) == fact.get("max")
    assert (getattr(option.type, "max_length", 0) or None) == fact.get("max_length")
    regex = getattr(option.type, "regex", None)
    assert (regex.pattern if regex else None) == fact.get("regex")
    assert (getattr(option.type, "schemes", None) or None) == fact.get("schemes")
    assert option.secret == fact.get("secret", False)
    assert option.advanced == fact.get("advanced", False)
    assert option.mutable == fact.get("mutable", False)
    assert option.deprecated_for_removal == fact.get("deprecated_for_removal", False)
    assert sorted(_former_names(group, option)) == sorted(fact.get("deprecated_names", []))


def _type_name(kind: object) -> str:
    return type(kind).__name__


def _choices(kind: object) -> list[Any] | None:
    choices = getattr(kind, "choices", None)
    return None if choices is None else list(choices)


def _former_names(group: str, option: cfg.Opt) -> list[str]:
    names = []
    for former in option.deprecated_opts:
        section = former.group or "same group"
        name = (former.name or option.name).replace("-", "_")
        names.append(f"{section}.{name}".replace("vgpu_TYPE", "vgpu_MDEVTYPE"))
    return names


def test_no_option_is_made_up(live: dict[tuple[str, str], cfg.Opt]) -> None:
    recorded = {(DYNAMIC.get(group, group), name) for group, name in ALL}
    made_up = {(g, o.dest) for (g, n), o in live.items() if (g, n) not in recorded and g not in OURS}
    # Of sections that nova's services share only the names were recorded; keystoneauth's test is below.
    made_up = {(group, name) for group, name in made_up if group not in FACTS["other_sections"]}
    made_up -= {(group, name) for group in identity.IDENTITIES for name in VERSIONS}
    from_oslo_config = {"config_dir", "config_file", "config_source", "shell_completion"}
    assert {group for group, _ in made_up} == {"DEFAULT"}
    assert {name for _, name in made_up} - from_oslo_config == OURS_IN_DEFAULT


@pytest.mark.parametrize("section", FACTS["other_sections"])
def test_sections_of_libraries_and_other_services_are_accepted(section: str) -> None:
    assert known.is_open_section(section.lower()) or section in identity.IDENTITIES


@pytest.mark.parametrize("group", sorted(identity.IDENTITIES))
def test_what_we_say_of_keystoneauth_is_what_it_registers(group: str) -> None:
    conf = cfg.ConfigOpts()
    identity.register(conf, group)
    real = {entry["opt"].dest: entry for entry in conf._groups[group]._opts.values()}
    declared = {option.dest: option for option in identity.declared(group)}
    assert set(real) <= set(declared)
    assert set(declared) <= identity.OPTION_NAMES
    for dest, entry in real.items():
        option = declared[dest]
        assert option.default == entry.get("default", entry["opt"].default), dest
        assert isinstance(option, type(entry["opt"])) or isinstance(option.type, types.String), dest


def test_every_option_has_a_help_text_of_one_sentence() -> None:
    for group, options in list_opts():
        for option in options:
            assert option.help and option.help.endswith("."), f"[{group}] {option.name}"


def test_the_file_of_a_stock_libvirt_compute_is_accepted_as_it_is() -> None:
    conf = cfg.ConfigOpts()
    load(["--config-file", str(Path(__file__).parent / "facts" / "stock-compute.conf")], conf)
    assert (conf.host, conf.libvirt.cpu_models, conf.vnc.enabled) == ("host1", ["Nehalem"], True)
    identity.register(conf, "placement")
    assert (conf.placement.region_name, conf.placement.valid_interfaces) == ("RegionOne", ["public"])
