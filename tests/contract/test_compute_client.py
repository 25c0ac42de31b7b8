"""What the agent sends to other computes, against the recorded facts, in every version it may speak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._utils import version_is_compatible

from computed import errors
from computed.clients.compute import METHODS, ComputeClient, of_service_version, release_of
from computed.clients.serializer import WireSerializer
from computed.conf import CONF
from computed.context import RequestContext

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "compute_rpc.json").read_text())
CAPS = ("6.5", "6.4", "6.3", "6.2", "6.1", "6.0", "5.13", "5.0")
HOST = "elsewhere"


class Bus:
    """A transport that writes down what is sent."""

    def __init__(self) -> None:
        CONF([], default_config_files=[], default_config_dirs=[])
        self.real = oslo_messaging.get_rpc_transport(CONF, "fake://")
        self.real._send = self.send
        self.sent: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []

    def send(self, target: Any, context: Any, message: Any, **options: Any) -> Any:
        self.sent.append((target, message, options))


def recorded(method: str, cap: str) -> dict[str, Any]:
    """What the stock client sends at a version cap."""
    fact = FACTS["methods"][method]
    return {**fact["client_6_5"], **fact["client_differs_at_version_cap"].get(cap, {})}


def arguments_of(method: str) -> dict[str, Any]:
    names = {argument["name"] for argument in FACTS["methods"][method]["args"]}
    known = {name: f"a {name}" for name in names}
    return {**known, "instance": "an instance"} if method == "check_instance_shared_storage" else known


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_message(method: str, cap: str) -> None:
    bus = Bus()
    client = ComputeClient(bus.real, WireSerializer(), pin=cap, long_seconds=1800)
    context = RequestContext(user_id="u", project_id="p", overwrite=False)
    fact = recorded(method, cap)
    # The facts were recorded without oslo.messaging's own look at the cap.
    if "refused" in fact or not version_is_compatible(cap, fact["version"]):
        with pytest.raises(oslo_messaging.RPCVersionCapError):
            getattr(client, method)(context, HOST, **arguments_of(method))
        return
    getattr(client, method)(context, HOST, **arguments_of(method))
    [(target, message, options)] = bus.sent
    assert (message["method"], message["version"]) == (method, fact["version"])
    assert sorted(message["args"]) == sorted(fact["args"])
    assert target.topic == (fact["topic"] or "compute") and target.server == HOST
    assert bool(options.get("wait_for_reply")) == (fact["kind"] == "call")
    if fact["timeout_option"] == "long_rpc_timeout":
        assert options["timeout"] == 1800
    assert bool(options.get("call_monitor_timeout")) == fact["call_monitor"]


def test_pins() -> None:
    aliases = FACTS.get("target", {}).get("client_version_aliases", {"caracal": "6.3", "train": "5.3"})
    for release, version in aliases.items():
        if version[0] in "56":
            assert release_of(release) == version
    assert release_of(None) == "6.5"
    for wrong in ("4.0", "kilo", "nonsense"):
        with pytest.raises(errors.ConfigError):
            release_of(wrong)


OLDEST = {0: "6.5", 74: "6.5", 99: "6.5", 70: "6.4", 56: "6.0", 55: "5.13", 30: "5.0"}


@pytest.mark.parametrize(("oldest", "version"), OLDEST.items())
def test_oldest_service_decides(oldest: int, version: str) -> None:
    assert of_service_version(oldest) == version


def test_auto_asks_once_there_is_somebody() -> None:
    answers = [0, 66, 99]
    client = ComputeClient(Bus().real, WireSerializer(), pin="auto", minimum_version=lambda: answers.pop(0))
    assert [client.version for _ in range(3)] == ["6.5", "6.2", "6.2"]
    with pytest.raises(errors.ServiceTooOld):
        of_service_version(29)
