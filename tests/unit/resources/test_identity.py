"""Who may start on a host: each row is a host's file, service record and compute nodes, and the outcome."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from computed import errors, objects
from computed.context import get_admin_context
from computed.objects.base import ComputedObject
from computed.objects.remote import NoConductor
from computed.resources.identity import Identity

HOST = "here"
A, B, C = (f"{letter * 8}-0000-4000-8000-000000000001" for letter in "abc")


class Nodes(NoConductor):
    """A conductor that knows compute nodes: (uuid, host, name)."""

    def __init__(self) -> None:
        self.known: list[tuple[str, str, str]] = []

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        if objmethod == "get_all_by_host":
            found = [node for node in self.known if node[1] == args[0]]
            if not found:
                raise errors.ComputeHostNotFound(host=args[0])
        else:
            assert objmethod == "get_all_by_uuids"
            found = [node for node in self.known if node[0] in args[0]]
        nodes = [objects.ComputeNode(uuid=u, host=h, hypervisor_hostname=n) for u, h, n in found]
        return objects.ComputeNodeList(context, objects=nodes)


class Steady:
    """A driver whose nodes have an identity of their own: the file's, or what the hardware says."""

    can_adopt_nodes = False

    def __init__(self, conf: Any, names: list[str]) -> None:
        self.conf = conf
        self.names = names
        self.guests: dict[str, Any] = {}

    def states(self) -> dict[str, Any]:
        return self.guests

    def node_uuids(self) -> dict[str, str]:
        path = Path(self.conf.state_path) / "compute_id"
        first = path.read_text() if path.exists() else C
        return {
            name: first if n == 0 else str(uuid.uuid5(uuid.UUID(first), name))
            for n, name in enumerate(self.names)
        }


class Adopting(Steady):
    """A driver that takes over whatever node is recorded."""

    can_adopt_nodes = True

    def __init__(self, conf: Any, names: list[str]) -> None:
        super().__init__(conf, names)
        self.adopted: dict[str, str] = {}

    def adopt_node(self, node: str, node_uuid: str) -> None:
        self.adopted[node] = node_uuid

    def node_uuids(self) -> dict[str, str]:
        return {**super().node_uuids(), **self.adopted}


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    conductor, before = Nodes(), ComputedObject.indirection_api
    ComputedObject.indirection_api = conductor
    yield conductor
    ComputedObject.indirection_api = before


@pytest.fixture
def conf(tmp_path: Path) -> Any:
    return SimpleNamespace(state_path=str(tmp_path), config_file=[])


def _settle(conf: Any, driver: Any, version: int | None) -> str:
    service = None if version is None else SimpleNamespace(version=version)
    Identity(conf, driver, HOST).settle(get_admin_context(), service)
    return _file(conf) or ""


def _file(conf: Any) -> str | None:
    path = Path(conf.state_path) / "compute_id"
    return path.read_text() if path.exists() else None


def _write(conf: Any, text: str | None) -> None:
    if text is not None:
        (Path(conf.state_path) / "compute_id").write_text(text)


REFUSED = errors.InvalidConfiguration

# name: (driver, file, version of the service record or None, recorded nodes, the file afterwards or refusal)
ROWS: dict[str, tuple[type[Steady], str | None, int | None, list[tuple[str, str, str]], Any]] = {
    "first start": (Steady, None, None, [], C),
    "first start with a file made beforehand": (Steady, A, None, [], A),
    "restart": (Steady, A, 74, [(A, HOST, HOST)], A),
    "restart before the node was recorded": (Steady, A, 74, [], A),
    "the file is lost": (Steady, None, 74, [(A, HOST, HOST)], REFUSED),
    "the file is lost, version 65": (Steady, None, 65, [(A, HOST, HOST)], REFUSED),
    "upgrade from before there were files": (Steady, None, 64, [(A, HOST, HOST)], A),
    "such an upgrade with a file": (Steady, A, 64, [(A, HOST, HOST)], A),
    "such an upgrade without a node": (Steady, None, 64, [], REFUSED),
    "such an upgrade with two nodes": (Steady, None, 64, [(A, HOST, HOST), (B, HOST, "n2")], REFUSED),
    "the host was renamed": (Steady, A, 74, [(A, "before", HOST)], REFUSED),
    "the node was renamed": (Steady, A, 74, [(A, HOST, "before")], REFUSED),
    "takeover from a stock fake host": (Adopting, None, 74, [(B, HOST, HOST)], B),
    "restart after the takeover": (Adopting, B, 74, [(B, HOST, HOST)], B),
    "a fake host without a node": (Adopting, None, 74, [], C),
    "a fake host's first start": (Adopting, None, None, [], C),
    "a node is there, its service was deleted": (Adopting, None, None, [(B, HOST, HOST)], B),
    "two nodes of one name": (Adopting, None, 74, [(A, HOST, HOST), (B, HOST, HOST)], REFUSED),
    "nodes of other names do not count": (Adopting, None, 74, [(A, HOST, "other")], C),
    "a fake host that was renamed": (Adopting, A, 74, [(A, "before", HOST)], REFUSED),
}


@pytest.mark.parametrize("name", ROWS)
def test_who_may_start(name: str, conf: Any, nodes: Nodes) -> None:
    driver_class, file, version, known, outcome = ROWS[name]
    nodes.known = known
    _write(conf, file)
    driver = driver_class(conf, [HOST])
    if outcome is REFUSED:
        with pytest.raises(REFUSED):
            _settle(conf, driver, version)
        assert _file(conf) == file, "a refusal changes nothing"
    else:
        assert _settle(conf, driver, version) == outcome
        assert driver.node_uuids()[HOST] == outcome


def test_a_new_service_on_a_hypervisor_with_guests_has_the_wrong_database(conf: Any, nodes: Nodes) -> None:
    driver = Steady(conf, [HOST])
    driver.guests = {A: object()}
    with pytest.raises(errors.InvalidConfiguration, match="1 guests"):
        _settle(conf, driver, None)
    _write(conf, A)
    assert _settle(conf, driver, 74) == A


def test_each_of_several_nodes_is_adopted_by_its_name(conf: Any, nodes: Nodes) -> None:
    nodes.known = [(B, HOST, "n2"), (A, HOST, "n1")]
    driver = Adopting(conf, ["n1", "n2", "n3"])
    assert _settle(conf, driver, 74) == A
    assert driver.node_uuids()["n2"] == B
    again = Adopting(conf, ["n1", "n2", "n3"])
    _settle(conf, again, 74)
    assert again.node_uuids() == driver.node_uuids()


def test_a_broken_file_is_refused(conf: Any, nodes: Nodes) -> None:
    _write(conf, "not a uuid")
    with pytest.raises(errors.InvalidNodeConfiguration):
        _settle(conf, Steady(conf, [HOST]), 74)
