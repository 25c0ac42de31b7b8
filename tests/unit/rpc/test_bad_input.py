"""Messages that nobody should send: whatever they hold, they are refused once and change nothing."""

from __future__ import annotations

import copy
import logging
from typing import Any

import oslo_messaging
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from computed import objects
from computed.clients.serializer import WireSerializer
from computed.rpc.calls import CALLS
from tests.unit.rpc.world import HOST, Door

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(sorted(CALLS)) | st.text(max_size=12) | JSON
VALID_VERSIONS = st.sampled_from(["6.0", "6.5", "5.13"])
VERSIONS = VALID_VERSIONS | VALID_VERSIONS | VALID_VERSIONS | st.text(max_size=8) | JSON
NAMESPACES = st.none() | st.none() | st.none() | JSON
ENVELOPE = st.fixed_dictionaries(
    {
        "nova_object.name": st.sampled_from(["Instance", "Flavor", "Nonsense"]) | JSON,
        "nova_object.namespace": st.sampled_from(["nova", "versionedobjects"]) | JSON,
        "nova_object.version": st.sampled_from(["2.8", "1.0", "99.9", "2.8.1", "x"]) | JSON,
        "nova_object.data": st.dictionaries(
            st.sampled_from(["uuid", "host", "vm_state", "launched_at", "info_cache"]), JSON, max_size=4
        )
        | JSON,
    }
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["instance", "clean_shutdown", "image", "bdms"]) | st.text(max_size=8), JSON | ENVELOPE
)
FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Log(logging.Handler):
    """What our own modules said at warning level or above."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("computed"):
            self.lines.append(record.getMessage())


def _send(door: Door, message: dict[str, Any], context: Any = None) -> tuple[Any, list[str]]:
    """(the failure or the answer, log lines)"""
    outcome: Any
    log, root = Log(), logging.getLogger()
    root.addHandler(log)
    target = oslo_messaging.Target(topic="compute", server=HOST)
    try:
        outcome = door.transport._send(
            target,
            door.context.to_dict() if context is None else context,
            message,
            wait_for_reply=True,
            timeout=10,
        )
    except Exception as error:
        outcome = error
    finally:
        root.removeHandler(log)
    event(type(outcome).__name__ if isinstance(outcome, Exception) else "obeyed")
    return outcome, log.lines


def _assert_refused(door: Door, outcome: Any, lines: list[str]) -> None:
    assert isinstance(outcome, Exception)
    assert not isinstance(outcome, oslo_messaging.MessagingTimeout), "nobody answered"
    assert door.arrived == []
    assert door.conductor.asked == []
    assert door.notifier.told == []
    assert len(lines) == 1, lines
    assert len(lines[0]) < 1500


def _assert_alive(door: Door) -> None:
    door.does("get_host_uptime", lambda: "up")
    assert door.call("get_host_uptime") == "up"
    door.arrived.clear()


@FUZZ
@given(name=NAMES, version=VERSIONS, arguments=ARGUMENTS | JSON, namespace=NAMESPACES)
@example(name=None, version="6.0", arguments={}, namespace=None)
@example(name="stop_instance", version=6.0, arguments={}, namespace=None)
@example(name="stop_instance", version="6.0", arguments=[1], namespace=None)
@example(name="stop_instance", version="6.0", arguments={}, namespace={"a": 1})
@example(name="__class__", version="6.0", arguments={}, namespace=None)
@example(
    name="stop_instance", version="6.0", arguments={"instance": None, "clean_shutdown": 1}, namespace=None
)
def test_any_message(door: Door, name: Any, version: Any, arguments: Any, namespace: Any) -> None:
    door.reset()
    for method in CALLS:
        door.does(method)
    outcome, lines = _send(
        door, {"method": name, "version": version, "args": arguments, "namespace": namespace}
    )
    if isinstance(outcome, Exception):
        _assert_refused(door, outcome, lines)
    else:
        # A message that happens to be a right one is obeyed.
        assert [method for method, _ in door.arrived] == [name]


@FUZZ
@given(envelope=ENVELOPE)
def test_any_object_in_place_of_an_instance(door: Door, envelope: dict[str, Any]) -> None:
    door.reset()
    door.does("get_console_output")
    outcome, lines = _send(
        door,
        {
            "method": "get_console_output",
            "version": "6.0",
            "args": {"instance": envelope, "tail_length": None},
        },
    )
    if isinstance(outcome, Exception):
        _assert_refused(door, outcome, lines)
    else:
        [(_, arrived)] = door.arrived
        assert arrived["instance"].obj_name() == "Instance"


@FUZZ
@given(
    field=st.sampled_from(sorted(objects.Instance.fields)),
    value=JSON,
    changes=st.lists(st.text(max_size=8), max_size=2) | JSON,
)
@example(field="access_ip_v4", value=-1, changes=[])
def test_any_value_in_a_field(door: Door, field: str, value: Any, changes: Any) -> None:
    door.reset()
    door.does("stop_instance")
    instance = WireSerializer().serialize_entity(door.context, door.instance())
    spoilt = copy.deepcopy(instance)
    spoilt["nova_object.data"][field] = value
    spoilt["nova_object.changes"] = changes
    outcome, lines = _send(
        door,
        {"method": "stop_instance", "version": "6.0", "args": {"instance": spoilt, "clean_shutdown": True}},
    )
    if isinstance(outcome, Exception):
        broken = [line for line in lines if line.startswith("RPC stop_instance failed")]
        assert broken == [], "it went past the door and broke there"
        _assert_refused(door, outcome, lines)
    else:
        assert len(door.arrived) == 1


@FUZZ
@given(
    context=st.dictionaries(st.sampled_from(["request_id", "roles", "timestamp", "read_deleted"]), JSON)
    | JSON
)
def test_any_context(door: Door, context: Any) -> None:
    door.reset()
    door.does("get_host_uptime", lambda: "up")
    outcome, lines = _send(
        door,
        {"method": "get_host_uptime", "version": "6.0", "args": {}},
        context if context is not None else {},
    )
    if isinstance(outcome, Exception):
        _assert_refused(door, outcome, lines)
    else:
        assert outcome == "up"


def test_the_door_still_works_after_all_that(door: Door) -> None:
    _assert_alive(door)
