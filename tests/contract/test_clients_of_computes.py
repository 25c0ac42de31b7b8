"""What this agent says to other computes, under every pin of [upgrade_levels], against the recorded facts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

from computed import errors
from computed.clients import compute
from computed.clients.compute import METHODS, RELEASES, ComputeClient
from computed.clients.scheduler import SchedulerClient
from computed.clients.serializer import WireSerializer
from computed.conf import CONF
from computed.context import RequestContext

FACTS_DIR = Path(__file__).parent / "facts"
FACTS: dict[str, Any] = json.loads((FACTS_DIR / "compute_rpc.json").read_text())
VERSIONS: dict[str, Any] = json.loads((FACTS_DIR / "compute_versions.json").read_text())
CAPS = ("5.0", "5.13", "6.0", "6.1", "6.2", "6.3", "6.4", "6.5")
# Recorded as sent although the pin forbids it: stock refuses it when it is really sent.
REFUSED = {("drop_move_claim_at_destination", "5.0")}


class Bus:
    """A transport that writes down what is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        CONF([], default_config_files=[], default_config_dirs=[])
        self.transport = oslo_messaging.get_rpc_transport(CONF, "fake://")
        self.sent: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
        monkeypatch.setattr(self.transport, "_send", self._send)

    def _send(self, target: Any, context: Any, message: Any, **options: Any) -> Any:
        self.sent.append((target, json.loads(json.dumps(message)), options))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    yield Bus(monkeypatch)


@pytest.fixture
def context() -> RequestContext:
    return RequestContext(user_id="u", project_id="p", overwrite=False)


def _client(bus: Bus, pin: str | None = None, **more: Any) -> ComputeClient:
    return ComputeClient(bus.transport, WireSerializer(), pin=pin, **more)


def _arguments(name: str) -> dict[str, str]:
    parameters = inspect.signature(getattr(ComputeClient, name)).parameters.values()
    return {each.name: f"the {each.name}" for each in parameters if each.kind is each.KEYWORD_ONLY}


def _recorded(name: str, cap: str) -> dict[str, Any]:
    fact = FACTS["methods"][name]
    return {**fact["client_6_5"], **fact["client_differs_at_version_cap"].get(cap, {})}


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_what_is_sent_is_what_the_stock_client_sends(
    bus: Bus, context: RequestContext, name: str, cap: str
) -> None:
    client = _client(bus, cap)
    if (name, cap) in REFUSED:
        with pytest.raises(oslo_messaging.RPCVersionCapError):
            getattr(client, name)(context, "there", **_arguments(name))
        assert bus.sent == []
        return
    getattr(client, name)(context, "there", **_arguments(name))
    [(target, message, options)] = bus.sent
    fact = _recorded(name, cap)
    assert (message["method"], message["version"]) == (name, fact["version"])
    assert sorted(message["args"]) == sorted(fact["args"])
    assert target.topic == (fact["topic"] or "compute")
    assert (target.server, bool(target.fanout)) == ("there", fact["fanout"])
    assert bool(options.get("wait_for_reply")) == (fact["kind"] == "call")
    if fact["timeout_option"]:
        seconds = {"long_rpc_timeout": 1800, "rpc_response_timeout": 60}[fact["timeout_option"]]
        assert options["timeout"] == seconds
        assert bool(options["call_monitor_timeout"]) == fact["call_monitor"]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_value_changes_its_name_but_as_recorded(bus: Bus, context: RequestContext, name: str) -> None:
    for cap in CAPS:
        if (name, cap) in REFUSED:
            continue
        getattr(_client(bus, cap), name)(context, "there", **_arguments(name))
    renamed = {"instance_type": "the flavor"}
    for _, message, _ in bus.sent:
        for argument, value in message["args"].items():
            # Version 5 wanted to be told once more what the data says.
            expected = None if argument == "block_migration" and name == "pre_live_migration" else argument
            assert value == renamed.get(argument, expected and f"the {expected}")


def test_release_names_are_those_of_stock() -> None:
    known = FACTS["target"]["client_version_aliases"]
    assert {name: version for name, version in known.items() if version[0] in "56"} == RELEASES


@pytest.mark.parametrize("pin", ["pike", "4.5", "7.0", "no-such-release"])
def test_what_this_agent_does_not_speak_is_refused(bus: Bus, pin: str) -> None:
    with pytest.raises(errors.ConfigError):
        _client(bus, pin)


@pytest.mark.parametrize("minimum", sorted(VERSIONS["history"], key=int))
def test_auto_follows_the_oldest_compute(bus: Bus, minimum: str) -> None:
    expected = VERSIONS["history"][minimum]
    client = _client(bus, "auto", minimum_version=lambda: int(minimum))
    if minimum == "0":
        assert client.version == "6.5"
    elif expected.startswith("4."):
        with pytest.raises(errors.ServiceTooOld):
            assert client.version
    else:
        assert client.version == expected


@pytest.mark.parametrize(("minimum", "version"), [(72, "6.5"), (99, "6.5")])
def test_newer_computes_speak_what_this_one_does(bus: Bus, minimum: int, version: str) -> None:
    assert _client(bus, "auto", minimum_version=lambda: minimum).version == version


def test_auto_asks_once_until_it_is_told_to_forget(bus: Bus) -> None:
    answers = [0, 66, 71]
    client = _client(bus, "auto", minimum_version=lambda: answers.pop(0))
    assert [client.version, client.version, client.version] == ["6.5", "6.2", "6.2"]
    client.forget_version()
    assert client.version == "6.5"
    assert answers == []


def test_a_pin_is_not_forgotten(bus: Bus) -> None:
    client = _client(bus, "zed")
    client.forget_version()
    assert client.version == "6.1"


def test_the_current_version_is_the_one_that_is_served() -> None:
    assert FACTS["target"]["endpoints"][0]["version"] == compute.CURRENT


@pytest.mark.parametrize(("pin", "is_told"), [(None, True), ("4.5", True), ("kilo", True), ("juno", False)])
def test_a_scheduler_that_is_pinned_too_low_is_told_nothing(
    bus: Bus, context: RequestContext, caplog: pytest.LogCaptureFixture, pin: str | None, is_told: bool
) -> None:
    client = SchedulerClient(bus.transport, WireSerializer(), "here", is_enabled=True, pin=pin)
    client.sync_instance_info(context, [])
    assert len(bus.sent) == int(is_told)
    assert ("upgrade_levels" in caplog.text) != is_told
