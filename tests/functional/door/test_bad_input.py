"""Messages that must change nothing, sent to an agent with servers; every record is compared."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import oslo_messaging
import pytest

from computed import objects
from tests.functional.cloud import Cloud

KINDS = ("Instance", "InstanceFault", "InstanceAction", "InstanceActionEvent", "ComputeNode", "Migration")
OTHER = "bbbbbbbb-0000-4000-8000-00000000000b"


def _records(cloud: Cloud) -> dict[str, list[dict[str, Any]]]:
    return {kind: cloud.rows(kind) for kind in KINDS}


def _elsewhere(cloud: Cloud, uuid: str) -> Any:
    instance = cloud.instance(uuid)
    instance.host = "another-host"
    instance.obj_reset_changes()
    return instance


def _deleted(cloud: Cloud, uuid: str) -> Any:
    instance = cloud.instance(uuid)
    instance.deleted = True
    instance.obj_reset_changes()
    return instance


def _bad_field(cloud: Cloud, uuid: str) -> Any:
    envelope = cloud.instance(uuid).obj_to_primitive()
    envelope["nova_object.data"]["launched_at"] = {"not": "a date"}
    return envelope


def _unknown_object(cloud: Cloud, uuid: str) -> Any:
    return {**cloud.instance(uuid).obj_to_primitive(), "nova_object.name": "Teapot"}


def _newer_object(cloud: Cloud, uuid: str) -> Any:
    return {**cloud.instance(uuid).obj_to_primitive(), "nova_object.version": "3.0"}


# name: (what to send, name of the class that comes back)
ROWS: dict[str, tuple[Callable[[Cloud, str], dict[str, Any]], str]] = {
    "an unknown method": (lambda cloud, uuid: {"method": "make_tea"}, "NoSuchMethod"),
    "a newer version": (
        lambda cloud, uuid: {"method": "get_host_uptime", "version": "6.6"},
        "UnsupportedVersion",
    ),
    "an older version": (
        lambda cloud, uuid: {"method": "get_host_uptime", "version": "4.0"},
        "UnsupportedVersion",
    ),
    "a missing argument": (
        lambda cloud, uuid: {"method": "stop_instance", "instance": cloud.instance(uuid)},
        "TypeError",
    ),
    "an extra argument": (
        lambda cloud, uuid: {"method": "start_instance", "instance": cloud.instance(uuid), "fast": True},
        "TypeError",
    ),
    "an argument of the wrong kind": (
        lambda cloud, uuid: {"method": "start_instance", "instance": objects.Flavor(id=1)},
        "TypeError",
    ),
    "a field of the wrong type": (
        lambda cloud, uuid: {"method": "start_instance", "instance": _bad_field(cloud, uuid)},
        "ValueError",
    ),
    "an unknown object": (
        lambda cloud, uuid: {"method": "start_instance", "instance": _unknown_object(cloud, uuid)},
        "UnsupportedObjectError",
    ),
    "an object that nobody can make older": (
        lambda cloud, uuid: {"method": "start_instance", "instance": _newer_object(cloud, uuid)},
        "InternalError",
    ),
    "an instance of another host": (
        lambda cloud, uuid: {
            "method": "stop_instance",
            "instance": _elsewhere(cloud, uuid),
            "clean_shutdown": True,
        },
        "InstanceNotFound",
    ),
    "a deleted instance": (
        lambda cloud, uuid: {
            "method": "stop_instance",
            "instance": _deleted(cloud, uuid),
            "clean_shutdown": True,
        },
        "InstanceNotFound",
    ),
    "ten mebibytes": (
        lambda cloud, uuid: {
            "method": "start_instance",
            "instance": cloud.instance(uuid),
            "ballast": "x" * (10 << 20),
        },
        "TypeError",
    ),
}


def _class_of_failure(cloud: Cloud, message: dict[str, Any]) -> str:
    try:
        cloud.rpc.call(**message)
    except oslo_messaging.RemoteError as error:
        return str(error.exc_type)
    except Exception as error:
        return type(error).__name__.removesuffix("_Remote")
    return "nothing"


@pytest.mark.parametrize("kind", ["call", "cast"])
def test_bad_input_is_refused_once_and_changes_nothing(
    cloud: Cloud, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    (uuid,) = cloud.boot(1)
    for name, (make, error) in ROWS.items():
        message = make(cloud, uuid)
        before, state = _records(cloud), cloud.host.driver.states()[uuid]
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            if kind == "call":
                assert _class_of_failure(cloud, message) == error, name
            else:
                cloud.rpc.cast(**message)
                # The bus keeps the order, so what came before an answered ping has been received.
                cloud.rpc.call("ping", namespace="baseapi", version="1.0", arg=1)
            cloud.settle()
        assert _records(cloud) == before, name
        assert cloud.host.driver.states()[uuid] == state, name
        told = caplog.records
        assert len(told) == 1, f"{name}: {[r.getMessage() for r in told]}"
        assert len(told[0].getMessage()) < 1000, name
    cloud.verb(uuid, "stop")
    assert cloud.row(uuid)["vm_state"] == "stopped"
