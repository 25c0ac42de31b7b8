"""The verbs whose remote calls are made to fail, each with how a server gets to where it begins."""

from __future__ import annotations

import contextlib
from typing import Final

from tests.functional.cloud import HOST
from tests.functional.failures.stage import SECOND, Stage
from tests.functional.failures.verb import ANSWERS, STOP, Step, Verb, cast
from tests.functional.failures.verb import states as _states


def _boot(stage: Stage, uuid: str) -> str:
    return stage.boot()


def _delete(stage: Stage, uuid: str) -> None:
    stage.delete(uuid)


def _snapshot(stage: Stage, uuid: str) -> None:
    stage.owner.snapshot(uuid)


def _backup(stage: Stage, uuid: str) -> None:
    stage.owner.backup(uuid, rotation=1)


def _shelve(stage: Stage, uuid: str) -> None:
    stage.owner.shelve(uuid)


def _unshelve(stage: Stage, uuid: str) -> None:
    stage.owner.unshelve(uuid, SECOND)


def _rebuild(stage: Stage, uuid: str) -> None:
    stage.rebuilder.rebuild(uuid, wait=False)
    stage.owner.settle()


def _live_migrate(stage: Stage, uuid: str) -> None:
    # The conductor hears of a refusal at once; whoever asked reads it in the record.
    # The role finds no record to give up when the server is deleted meanwhile.
    with contextlib.suppress(*ANSWERS, AssertionError):
        stage.mover.live_migrate(uuid, to=SECOND, wait=False)
    stage.rest(uuid)


def _resize(flavor: str | None, to: str) -> Step:
    def step(stage: Stage, uuid: str) -> None:
        stage.mover.resize(uuid, flavor, to=to, wait=False)
        stage.rest(uuid)

    return step


def _confirm(stage: Stage, uuid: str) -> None:
    stage.mover.confirm(uuid, wait=False)
    stage.rest(uuid)


def _revert(stage: Stage, uuid: str) -> None:
    stage.mover.revert(uuid, wait=False)
    stage.rest(uuid)


def _evacuate(stage: Stage, uuid: str) -> None:
    stage.rebuilder.evacuate(uuid, to=SECOND, wait=False)
    stage.rest(uuid)


def _lose_host(stage: Stage, uuid: str) -> None:
    stage.lose_host(uuid)


def _attach_interface(stage: Stage, uuid: str) -> None:
    asked = {"network_id": None, "port_id": None, "requested_ip": None, "tag": None}
    with contextlib.suppress(*ANSWERS):
        stage.ask(uuid, "attach_interface", **asked)
    stage.owner.settle()


def _detach_interface(stage: Stage, uuid: str) -> None:
    stage.send(uuid, "detach_interface", None, port_id=stage.ports(uuid)[-1]["uuid"])


def _attach_volume(stage: Stage, uuid: str) -> None:
    with contextlib.suppress(*ANSWERS):
        stage.attach_volume(uuid)
    stage.owner.settle()


def detach_volume(stage: Stage, uuid: str) -> None:
    stage.detach_volume(uuid)


RESIZE_AWAY: Final = _resize("m1.micro", SECOND)
PAUSE: Final = cast("pause_instance", "pausing")
SUSPEND: Final = cast("suspend_instance", "suspending")
SOFT_DELETE: Final = cast("soft_delete_instance", "soft-deleting")
REBOOT: Final = {"block_device_info": None}
HARD_REBOOT: Final = cast("reboot_instance", "rebooting_hard", reboot_type="HARD", **REBOOT)
RESCUE: Final = cast(
    "rescue_instance", "rescuing", rescue_password="word", rescue_image_ref=None, clean_shutdown=True
)

VERBS: Final = (
    Verb("boot", _boot, _states("active"), before=None),
    Verb("delete", _delete, _states("active")),
    Verb("soft-delete", SOFT_DELETE, _states("active", "soft-delete")),
    Verb(
        "restore",
        cast("restore_instance", "restoring"),
        _states("active", "soft-delete"),
        before=(SOFT_DELETE,),
    ),
    Verb("stop", STOP, _states("active", "stopped")),
    Verb("start", cast("start_instance", "powering-on"), _states("active", "stopped"), before=(STOP,)),
    Verb("reboot", cast("reboot_instance", "rebooting", reboot_type="SOFT", **REBOOT), _states("active")),
    Verb("hard-reboot", HARD_REBOOT, _states("active")),
    Verb("pause", PAUSE, _states("active", "paused")),
    Verb("unpause", cast("unpause_instance", "unpausing"), _states("active", "paused"), before=(PAUSE,)),
    Verb("suspend", SUSPEND, _states("active", "suspended")),
    Verb("resume", cast("resume_instance", "resuming"), _states("active", "suspended"), before=(SUSPEND,)),
    Verb("rescue", RESCUE, _states("active", "rescued")),
    Verb("unrescue", cast("unrescue_instance", "unrescuing"), _states("active", "rescued"), before=(RESCUE,)),
    Verb("snapshot", _snapshot, _states("active")),
    Verb("backup", _backup, _states("active")),
    Verb("shelve", _shelve, _states("active", "shelved", "shelved_offloaded")),
    Verb("unshelve", _unshelve, _states("active", "shelved_offloaded"), before=(_shelve,)),
    Verb("rebuild", _rebuild, _states("active")),
    Verb("evacuate", _evacuate, _states("active"), before=(_lose_host,)),
    Verb("live-migrate", _live_migrate, _states("active")),
    Verb("resize", RESIZE_AWAY, _states("active", "resized")),
    Verb("resize-here", _resize("m1.micro", HOST), _states("active", "resized")),
    Verb("migrate", _resize(None, SECOND), _states("active", "resized")),
    Verb("confirm", _confirm, _states("active", "resized"), before=(RESIZE_AWAY,)),
    Verb("revert", _revert, _states("active", "resized"), before=(RESIZE_AWAY,)),
    Verb("attach-interface", _attach_interface, _states("active")),
    Verb("detach-interface", _detach_interface, _states("active")),
    Verb("attach-volume", _attach_volume, _states("active")),
    Verb("detach-volume", detach_volume, _states("active")),
)
