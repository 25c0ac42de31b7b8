"""The error classes against the recorded facts, and through oslo.messaging's own failure payload."""

import json
import sys
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import common as wire

from computed import errors

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "exceptions.json").read_text())
# Not derived from nova's root class, hence without code and arguments.
PLAIN = {"InstanceEventTimeout"}
NEEDED = sorted(set(FACTS["crossing"] + FACTS["inside_compute"]) - PLAIN)


@pytest.mark.parametrize("name", NEEDED)
def test_every_error_that_a_compute_meets_exists(name: str) -> None:
    assert errors.lookup(name) is not None


@pytest.mark.parametrize("name", sorted(errors.wire_classes()))
def test_class_has_the_recorded_ancestors_code_and_arguments(name: str) -> None:
    ours = errors.wire_classes()[name]
    fact = FACTS["classes"][name]
    ancestors = [c.__name__ for c in ours.__mro__[1:] if issubclass(c, errors.NovaException)]
    assert ancestors == fact["ancestors"]
    assert ours.code == fact["code"]
    assert sorted(ours.message_args()) == sorted(fact["message_args"])
    assert ours.__module__ == "nova.exception"


def _round_trip(failure: BaseException) -> BaseException:
    payload = wire.serialize_remote_exception((type(failure), failure, failure.__traceback__))
    assert sorted(json.loads(payload)) == sorted(FACTS["failure_payload_keys"])
    rebuilt: BaseException = wire.deserialize_remote_exception(payload, ["nova.exception"])
    return rebuilt


# InstanceFaultRollback wraps a failure for the guards and never leaves the compute.
@pytest.mark.parametrize("name", sorted(set(errors.wire_classes()) - {"InstanceFaultRollback"}))
def test_a_failure_comes_back_as_the_same_class(name: str) -> None:
    errors.install_remote_module()
    kind = errors.wire_classes()[name]
    failure = kind(**{argument: f"<{argument}>" for argument in kind.message_args()})
    rebuilt = _round_trip(failure)
    assert isinstance(rebuilt, kind)
    assert type(rebuilt).__name__ == f"{name}_Remote"
    assert rebuilt.args == failure.args
    assert rebuilt.format_message() == failure.format_message()
    assert rebuilt.kwargs == failure.kwargs
    for argument in kind.message_args():
        assert f"<{argument}>" in failure.format_message()


def test_an_error_of_our_own_becomes_a_remote_error() -> None:
    rebuilt = _round_trip(errors.ConductorTimeout("no answer"))
    assert isinstance(rebuilt, oslo_messaging.RemoteError)


def test_a_real_nova_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = object()
    monkeypatch.setitem(sys.modules, "nova.exception", real)
    errors.install_remote_module()
    assert sys.modules["nova.exception"] is real
