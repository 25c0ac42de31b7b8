"""What the bus hears of pause, suspend, rescue, reboot, crash dumps and failures, in both forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.functional.cloud import Cloud
from tests.functional.control_plane import ControlPlane
from tests.functional.images.owner import Owner
from tests.functional.notices import TOLD, Notices


class Listener:
    """A server, and everything that is notified of it, in both forms."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.plane = ControlPlane(cloud)
        self.versioned, self.legacy = Notices(cloud.bus), Notices(cloud.bus, "notifications")
        (self.uuid,) = cloud.boot()

    def verb(self, action: str, task_state: str | None, method: str = "", **arguments: Any) -> None:
        """Have a verb done, and forget what was heard before it."""
        self.versioned.clear()
        self.legacy.clear()
        context = Owner.begin(self, self.uuid, action, task_state=task_state)  # type: ignore[arg-type]
        instance = self.cloud.instance(self.uuid)
        self.cloud.rpc.cast(method or f"{action}_instance", context=context, instance=instance, **arguments)
        Owner.settle(self)  # type: ignore[arg-type]

    def payload(self, event_type: str) -> dict[str, Any]:
        """That of the versioned notification of this type, which must be the only one."""
        [notice] = [notice for notice in self.versioned.all() if notice.event_type == event_type]
        return notice.payload


@pytest.fixture
def listener(make_cloud: Callable[..., Cloud]) -> Iterator[Listener]:
    yield Listener(make_cloud(TOLD))


def heard(*names: str) -> tuple[list[str], list[str]]:
    return [f"instance.{name}" for name in names], [f"compute.instance.{name}" for name in names]


VERBS: list[tuple[str, str, dict[str, Any]]] = [
    ("pause", "pausing", {}),
    ("unpause", "unpausing", {}),
    ("suspend", "suspending", {}),
    ("resume", "resuming", {}),
    ("stop", "powering-off", {"clean_shutdown": True}),
    ("start", "powering-on", {}),
    ("reboot", "rebooting_hard", {"block_device_info": None, "reboot_type": "HARD"}),
]

WITH_DEVICES = ("resume", "reboot")
"""Verbs that tell their volumes, of which there are none here, although no option asks for them."""


def test_there_and_back(listener: Listener) -> None:
    names = {"stop": "power_off", "start": "power_on"}
    for action, task_state, arguments in VERBS:
        listener.verb(action, task_state, **arguments)
        name = names.get(action, action)
        expected = heard(f"{name}.start", f"{name}.end")
        assert (listener.versioned.names(), listener.legacy.names()) == expected, action
        start, end = (listener.payload(f"instance.{name}.{phase}") for phase in ("start", "end"))
        pending = "reboot_pending_hard" if action == "reboot" else task_state
        assert (start["task_state"], end["task_state"]) == (pending, None)
        assert start["uuid"] == end["uuid"] == listener.uuid
        assert end["fault"] is None
        devices = [] if action in WITH_DEVICES else None
        assert (start["block_devices"], end["block_devices"]) == (devices, devices), action


@pytest.mark.parametrize("is_named", [True, False])
def test_rescue(listener: Listener, is_named: bool) -> None:
    image = listener.cloud.embedded.images.find("guest")
    marks = {**listener.cloud.row(listener.uuid)["system_metadata"], "image_base_image_ref": image["id"]}
    listener.cloud.set_fields(listener.uuid, system_metadata=marks)
    ref = image["id"] if is_named else None
    order = {"rescue_password": "secret-word", "rescue_image_ref": ref, "clean_shutdown": False}
    listener.verb("rescue", "rescuing", **order)
    expected = heard("rescue.start", "exists", "rescue.end")
    assert (listener.versioned.names(), listener.legacy.names()) == expected
    assert listener.payload("instance.rescue.end")["rescue_image_ref"] == ref
    assert listener.payload("instance.rescue.end")["state"] == "rescued"
    assert [notice.payload["block_devices"] for notice in listener.versioned.all()] == [None] * 3
    for notice in listener.legacy.all():
        if notice.event_type != "compute.instance.exists":
            assert notice.payload["rescue_image_name"] == image["name"]
            assert len(notice.payload["fixed_ips"]) == 1
    assert "secret-word" not in str(listener.versioned.all()) + str(listener.legacy.all())
    listener.verb("unrescue", "unrescuing")
    assert (listener.versioned.names(), listener.legacy.names()) == heard("unrescue.start", "unrescue.end")


def test_crash_dump(listener: Listener) -> None:
    listener.verb("trigger_crash_dump", None, "trigger_crash_dump")
    expected = heard("trigger_crash_dump.start", "trigger_crash_dump.end")
    assert (listener.versioned.names(), listener.legacy.names()) == expected


def test_failure(listener: Listener) -> None:
    listener.cloud.conf.set_override("fail", ["suspend:*:NovaException"], "fake")
    listener.verb("suspend", "suspending")
    assert listener.versioned.names() == ["instance.suspend.start", "compute.exception"]
    assert listener.legacy.names() == ["compute.instance.suspend.start", "suspend_instance"]
    assert listener.payload("compute.exception")["exception"] == "NovaException"


def test_password_is_never_told(listener: Listener) -> None:
    listener.cloud.conf.set_override("fail", ["set_admin_password:*:NovaException"], "fake")
    listener.verb("changePassword", "updating_password", "set_admin_password", new_pass="secret-word")
    told = [*listener.versioned.all(), *listener.legacy.all()]
    assert [notice.event_type for notice in told] == ["compute.exception", "set_admin_password"]
    assert "secret-word" not in str(told)
