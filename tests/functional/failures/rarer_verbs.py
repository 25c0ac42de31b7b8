"""More verbs of the table: swaps, addresses, shares, accelerators, consoles, a password, an offload alone."""

from __future__ import annotations

import contextlib
import time
import uuid as uuids
from collections.abc import Callable
from typing import Any, Final

from computed import objects
from computed.embedded.conductor.primitives import envelope
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST
from tests.functional.failures.stage import SECOND, Stage
from tests.functional.failures.verb import ANSWERS, STOP, Step, Verb, cast, states

# The image of a shelved server leaves the host


def _shelve_and_stay(stage: Stage, uuid: str) -> None:
    conf = stage.cloud.agents[HOST].conf
    conf.set_override("shelved_offload_time", -1)
    try:
        stage.owner.shelve(uuid)
    finally:
        conf.clear_override("shelved_offload_time")


def _offload(stage: Stage, uuid: str) -> None:
    stage.owner.offload(uuid)


# Volumes


def _swap(*, is_migration: bool) -> Step:
    def step(stage: Stage, uuid: str) -> None:
        volumes, context = stage.cloud.embedded.volumes, user_context()
        mappings = stage.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
        (old,) = [row for row in mappings if row["volume_id"]]
        new = volumes.add()
        if is_migration:
            volumes.change(old["volume_id"], migration_status="migrating")
        else:
            volumes.begin_detaching(context, old["volume_id"])
        wanted = {
            "old_volume_id": old["volume_id"],
            "new_volume_id": new,
            "new_attachment_id": volumes.attachment_create(context, new, uuid).id,
        }
        stage.send(uuid, "swap_volume", None, **wanted)

    return step


# Addresses


def _addresses(stage: Stage, uuid: str) -> list[str]:
    info = stage.cloud.instance(uuid).info_cache.network_info
    return [str(ip["address"]) for ip in info.fixed_ips()]


def _add_address(stage: Stage, uuid: str) -> None:
    network_id = stage.cloud.instance(uuid).info_cache.network_info[0]["network"]["id"]
    stage.send(uuid, "add_fixed_ip_to_instance", None, network_id=network_id)


def _remove_address(stage: Stage, uuid: str) -> None:
    stage.send(uuid, "remove_fixed_ip_from_instance", None, address=_addresses(stage, uuid)[-1])


# Shares


def _mapping(stage: Stage, uuid: str, status: str) -> Any:
    """The mapping of the server's share as the API records it before it sends a verb."""
    with stage.cloud.embedded.store.transaction() as records:
        row = records.first("ShareMapping", instance_uuid=uuid)
        if row is None:
            fields = {
                "uuid": str(uuids.uuid4()),
                "instance_uuid": uuid,
                "share_id": stage.cloud.embedded.shares.add(),
                "tag": "data",
                "export_location": "192.0.2.1:/exports/data",
                "share_proto": "NFS",
            }
            row = records.insert("ShareMapping", {**fields, "status": status})
        else:
            row = records.update("ShareMapping", row, {"status": status})
    return objects.ShareMapping.obj_from_primitive(envelope("ShareMapping", row), user_context())


def _allow(stage: Stage, uuid: str) -> None:
    stage.send(uuid, "allow_share", None, share_mapping=_mapping(stage, uuid, "attaching"))


def _deny(stage: Stage, uuid: str) -> None:
    stage.send(uuid, "deny_share", None, share_mapping=_mapping(stage, uuid, "detaching"))


# Accelerators


def _boot_accelerated(stage: Stage, uuid: str) -> str:
    with stage.accelerating():
        return stage.boot(flavor=stage.accelerated_flavor())


def _accelerate(stage: Stage, uuid: str) -> None:
    """From now on the server's flavor asks for an accelerator."""
    stage.cloud.set_fields(uuid, flavor=stage.accelerated_flavor().obj_to_primitive())
    stage.cloud.embedded.accelerators.add(uuid)


def _unshelve_accelerated(stage: Stage, uuid: str) -> None:
    wanted = [stage.cloud.embedded.accelerators.add(uuid)]
    stage.owner.unshelve(uuid, SECOND, accel_uuids=wanted)


# A live migration is called off, or brought to its end


def _interfere(how: Callable[[Stage, str, str], None]) -> Step:
    def step(stage: Stage, uuid: str) -> None:
        source = stage.cloud.agents[HOST]
        leaving = source.host.driver._leaving  # type: ignore[attr-defined]
        source.conf.set_override("delays", {"live_migrate": "0.5"}, "fake")
        try:
            with contextlib.suppress(*ANSWERS, AssertionError):
                migration = stage.mover.live_migrate(uuid, to=SECOND, wait=False)
                while uuid not in leaving and stage.is_busy(uuid):
                    time.sleep(0.01)
                if uuid in leaving:
                    how(stage, uuid, migration)
            stage.rest(uuid)
        finally:
            source.conf.clear_override("delays", "fake")

    return step


def _abort(stage: Stage, uuid: str, migration: str) -> None:
    stage.mover.abort(uuid, migration)


def _force(stage: Stage, uuid: str, migration: str) -> None:
    stage.mover.force(uuid)


# Looking in


def _vnc(stage: Stage, uuid: str) -> None:
    with contextlib.suppress(*ANSWERS):
        stage.ask(uuid, "get_vnc_console", console_type="novnc")
    stage.owner.settle()


ALLOWED: Final = (STOP, _allow)
START: Final = cast("start_instance", "powering-on")
SHELVED: Final = states("active", "shelved", "shelved_offloaded")

RARER_VERBS: Final = (
    Verb("offload", _offload, SHELVED, before=(_shelve_and_stay,)),
    Verb("swap-volume", _swap(is_migration=False), states("active")),
    Verb("swap-volume-migrating", _swap(is_migration=True), states("active")),
    Verb("add-address", _add_address, states("active")),
    Verb("remove-address", _remove_address, states("active"), before=(_add_address,)),
    Verb("allow-share", _allow, states("stopped"), before=(STOP,)),
    Verb("deny-share", _deny, states("stopped"), before=ALLOWED),
    Verb("start-with-share", START, states("active", "stopped"), before=ALLOWED),
    Verb("stop-with-share", STOP, states("active", "stopped"), before=(*ALLOWED, START)),
    Verb("boot-accelerated", _boot_accelerated, states("active"), before=None),
    Verb(
        "unshelve-accelerated",
        _unshelve_accelerated,
        states("active", "shelved_offloaded"),
        before=(_accelerate, lambda stage, uuid: stage.owner.shelve(uuid, accel_uuids=[])),
    ),
    Verb("password", cast("set_admin_password", "updating_password", new_pass="word"), states("active")),
    Verb("vnc-console", _vnc, states("active")),
    Verb("abort", _interfere(_abort), states("active")),
    Verb("force", _interfere(_force), states("active")),
)
