"""The contexts in which privileged entry points run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_privsep import capabilities
from oslo_utils import importutils

from computed import privileged
from computed.cmd import rootwrap
from computed.privileged import files, network

CONTEXTS = {
    "network_context": {"CAP_NET_ADMIN"},
    "files_context": {"CAP_CHOWN", "CAP_DAC_READ_SEARCH"},
}
STOCK = {"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "NET_ADMIN", "SYS_ADMIN"}


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_helper_finds_the_context_by_its_name(name: str) -> None:
    context = getattr(privileged, name)
    assert importutils.import_class(context.pypath) is context


@pytest.mark.parametrize("name", CONTEXTS)
def test_it_has_the_capabilities_that_it_needs_and_no_more(name: str) -> None:
    section = cfg.CONF[getattr(privileged, name).cfg_section]
    taken = {capabilities.CAPS_BYVALUE[number] for number in section.capabilities}
    assert taken == CONTEXTS[name]


def test_together_they_have_fewer_than_a_stock_agent_takes() -> None:
    together = set().union(*CONTEXTS.values())
    assert together < {f"CAP_{name}" for name in STOCK}


def test_the_document_names_every_entry_point_and_context() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "PRIVILEGES.md").read_text()
    entry_points = [
        name
        for module in (files, network)
        for name, value in vars(module).items()
        if any(getattr(privileged, context).is_entrypoint(value) for context in CONTEXTS)
    ]
    assert f"| 55, in one context | {len(entry_points)}, in {['none', 'one', 'two'][len(CONTEXTS)]} |" in text
    assert [name for name in (*entry_points, *rootwrap.CONTEXTS) if f"`{name}" not in text] == []


@pytest.fixture
def on_the_other_side() -> Iterator[None]:
    """Entry points run here, as they do in the helper process, where their checks are."""
    privileged.network_context.set_client_mode(False)
    yield
    privileged.network_context.set_client_mode(True)


@pytest.mark.parametrize("name", ["eth0", "br-int", "tap../../x", "tap", "", "tapabc\n", "tap" + "a" * 13])
@pytest.mark.usefixtures("on_the_other_side")
def test_only_a_guest_s_tap_device_is_deleted(name: str) -> None:
    with pytest.raises(ValueError, match="tap device"):
        network.delete_tap(name)


@pytest.mark.parametrize("name", ["", "..", "../lo", "a/b", "a b", "a" * 16, "-f", None])
@pytest.mark.usefixtures("on_the_other_side")
def test_a_bridge_has_the_name_of_a_device(name: str) -> None:
    with pytest.raises(ValueError, match="network device"):
        network.create_bridge(name, 1500)


@pytest.mark.parametrize(
    ("number", "mac", "tag"),
    [(-1, "52:54:00:00:00:01", 1), (0, "52:54:00:00:00", 1), (0, "52:54:00:00:00:01", 4095), (0, "x", 0)],
)
@pytest.mark.usefixtures("on_the_other_side")
def test_a_virtual_function_gets_a_real_address_and_vlan(number: int, mac: str, tag: int) -> None:
    with pytest.raises(ValueError, match="is not"):
        network.set_virtual_function("lo", number, "lo", mac, tag)
