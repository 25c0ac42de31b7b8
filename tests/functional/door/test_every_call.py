"""Every message that a stock client sends, at every version, with values of the recorded kinds, to an agent
with a server: each reaches its operation, and none of them trips over what it was sent.

That the door binds exactly the recorded arguments is held in tests/contract/test_door.py, with operations
that only write down; here the operations are the real ones, on a cloud of two hosts.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

from computed import objects
from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.context import get_admin_context
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.rpc.calls import CALLS
from computed.states import MigrationStatus, MigrationType
from tests.functional.cloud import Cloud
from tests.functional.control_plane import ControlPlane
from tests.functional.fleet import HOST
from tests.functional.templates import Templates

SECOND = "second"
FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "contract" / "facts" / "compute_rpc.json").read_text()
)
METHODS: dict[str, Any] = FACTS["methods"]
V5: dict[str, Any] = FACTS["v5_proxy"]["methods_with_own_signature"]
UUID = "99999999-0000-4000-8000-000000000009"

# What nova-api or nova-conductor has written into the record before it sends the message.
TASKS = {
    "build_and_run_instance": "scheduling",
    "terminate_instance": "deleting",
    "soft_delete_instance": "soft-deleting",
    "restore_instance": "restoring",
    "rebuild_instance": "rebuilding",
    "start_instance": "powering-on",
    "stop_instance": "powering-off",
    "reboot_instance": "rebooting",
    "pause_instance": "pausing",
    "unpause_instance": "unpausing",
    "suspend_instance": "suspending",
    "resume_instance": "resuming",
    "rescue_instance": "rescuing",
    "unrescue_instance": "unrescuing",
    "set_admin_password": "updating_password",
    "snapshot_instance": "image_snapshot_pending",
    "backup_instance": "image_backup",
    "prep_resize": "resize_prep",
    "prep_snapshot_based_resize_at_dest": "resize_prep",
    "prep_snapshot_based_resize_at_source": "resize_prep",
    "resize_instance": "resize_prep",
    "finish_resize": "resize_migrated",
    "finish_snapshot_based_resize_at_dest": "resize_migrated",
    "revert_resize": "resize_reverting",
    "revert_snapshot_based_resize_at_dest": "resize_reverting",
    "finish_revert_resize": "resize_reverting",
    "finish_revert_snapshot_based_resize_at_source": "resize_reverting",
    "shelve_instance": "shelving",
    "shelve_offload_instance": "shelving_offloading",
    "unshelve_instance": "unshelving",
    "live_migration": "migrating",
    "pre_live_migration": "migrating",
    "post_live_migration_at_destination": "migrating",
    "rollback_live_migration_at_destination": "migrating",
    "check_can_live_migrate_destination": "migrating",
    "check_can_live_migrate_source": "migrating",
}
BLUNDERS = (TypeError, AttributeError, KeyError, IndexError, NameError, AssertionError)
BLUNDER_NAMES = {blunder.__name__ for blunder in BLUNDERS} | {"NoSuchMethod", "UnsupportedVersion"}


class Sender:
    """Makes messages about a fresh server."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.plane = ControlPlane(cloud)
        self.context = user_context()

    def about(self, method: str) -> None:
        """A server of the first host, as the control plane leaves it before it sends `method`."""
        (self.uuid,) = self.cloud.boot(host=HOST)
        self.cloud.set_fields(self.uuid, task_state=TASKS.get(method))

    def value(self, method: str, name: str) -> Any:
        """Something of the recorded kind for an argument."""
        specific = SPECIFIC.get((method, name))
        made = specific or VALUES[name]
        return made(self) if callable(made) else made

    def instance(self) -> Any:
        return self.plane.instance(self.uuid, self.context)

    def migration(self) -> Any:
        uuid = self.plane.make_migration(
            self.uuid,
            MigrationType.MIGRATION,
            status=MigrationStatus.PRE_MIGRATING,
            flavor=find_flavor("m1.nano"),
            dest_compute=HOST,
            dest_node=HOST,
        )
        return self.plane.migration(uuid, self.context)

    def bdms(self) -> Any:
        return objects.BlockDeviceMappingList.get_by_instance_uuid(get_admin_context(), self.uuid)

    def bdm(self) -> Any:
        return objects.BlockDeviceMapping(
            self.context,
            uuid=UUID,
            instance_uuid=self.uuid,
            source_type="volume",
            destination_type="volume",
            volume_id=self.cloud.embedded.volumes.add(1),
            device_name="/dev/sdc",
            attachment_id=UUID,
            delete_on_termination=False,
        )

    def event(self) -> Any:
        return objects.InstanceExternalEvent(
            instance_uuid=self.uuid, name="network-changed", status="completed", tag=UUID, data={}
        )

    def share(self) -> Any:
        return objects.ShareMapping(
            self.context,
            uuid=UUID,
            instance_uuid=self.uuid,
            share_id=UUID,
            status="attaching",
            tag=UUID,
            export_location="10.0.0.1:/share",
            share_proto="NFS",
        )

    def migrate_data(self) -> Any:
        return objects.LibvirtLiveMigrateData(
            is_shared_block_storage=False,
            is_shared_instance_path=False,
            filename="mark",
            block_migration=True,
        )

    def limits(self) -> Any:
        return objects.SchedulerLimits(numa_topology=None, memory_mb=None, disk_gb=None, vcpu=None)


VALUES: dict[str, Any] = {
    "accel_uuids": [],
    "action": "reboot",
    "address": "192.168.222.77",
    "admin_password": "secret",
    "attachment_id": UUID,
    "backup_type": "daily",
    "bdm": Sender.bdm,
    "bdms": Sender.bdms,
    "block_device_info": None,
    "block_device_mapping": Sender.bdms,
    "block_migration": True,
    "clean_shutdown": True,
    "console_type": "novnc",
    "create_info": {"snapshot_id": UUID, "type": "qcow2", "new_file": "new_file"},
    "data": {"filename": "mark"},
    "delete_attachment": False,
    "delete_info": {"volume_id": UUID},
    "dest": SECOND,
    "dest_check_data": Sender.migrate_data,
    "destroy_disks": True,
    "device": None,
    "device_type": None,
    "disk": None,
    "disk_bus": None,
    "disk_info": "{}",
    "disk_over_commit": False,
    "enabled": True,
    "events": lambda sender: [sender.event()],
    "filter_properties": {"limits": {}},
    "flavor": lambda sender: find_flavor("m1.nano"),
    "host": HOST,
    "host_list": [],
    "image": lambda sender: sender.plane.image(),
    "image_id": UUID,
    "image_ids": lambda sender: [sender.plane.image()["id"]],
    "image_ref": lambda sender: sender.plane.image()["id"],
    "injected_files": [],
    "instance": Sender.instance,
    "instance_type": lambda sender: find_flavor("m1.nano"),
    "instances": lambda sender: [sender.instance()],
    "limits": Sender.limits,
    "mapping": None,
    "migrate_data": Sender.migrate_data,
    "migration": Sender.migration,
    "migration_id": lambda sender: sender.migration().id,
    "mode": True,
    "multiattach": False,
    "network_id": None,
    "new_attachment_id": UUID,
    "new_pass": "secret",
    "new_volume_id": UUID,
    "node": HOST,
    "nodename": HOST,
    "old_volume_id": UUID,
    "on_shared_storage": None,
    "orig_image_ref": lambda sender: sender.plane.image()["id"],
    "orig_sys_metadata": {},
    "port": "5900",
    "port_id": None,
    "preserve_ephemeral": False,
    "reboot_type": "SOFT",
    "recreate": False,
    "reimage_boot_volume": False,
    "request_spec": lambda sender: sender.plane.request_spec(sender.uuid),
    "requested_ip": None,
    "requested_networks": None,
    "rescue_image_ref": None,
    "rescue_password": "secret",
    "rotation": 1,
    "scheduled_node": None,
    "security_groups": ["default"],
    "share_mapping": Sender.share,
    "snapshot_id": UUID,
    "tag": None,
    "tail_length": 10,
    "target_state": None,
    "volume_id": lambda sender: sender.cloud.embedded.volumes.add(1),
}
SPECIFIC: dict[tuple[str, str], Callable[[Sender], Any]] = {
    ("get_spice_console", "console_type"): lambda sender: "spice-html5",
    ("get_serial_console", "console_type"): lambda sender: "serial",
    ("get_mks_console", "console_type"): lambda sender: "webmks",
    ("get_rdp_console", "console_type"): lambda sender: "rdp-html5",
    ("detach_interface", "port_id"): lambda sender: UUID,
}


def _messages() -> list[Any]:
    """(method, version, arguments): those of the stock client at every pin, and all of both majors."""
    found: dict[tuple[str, str, tuple[str, ...]], None] = {}
    for name, fact in METHODS.items():
        latest = fact["client_6_5"] or {}
        changes = fact["client_differs_at_version_cap"].values()
        sent = [latest, *fact["client_alternatives"].values(), *({**latest, **change} for change in changes)]
        for message in sent:
            if message and "refused" not in message:
                found[name, message["version"], tuple(message["args"])] = None
        found[name, "6.0", tuple(argument["name"] for argument in fact["args"])] = None
        old = V5[name]["args"] if name in V5 else fact["args"]
        found[name, "5.0", tuple(argument["name"] for argument in old)] = None
    return [pytest.param(*key, id=f"{key[0]}-{key[1]}-{len(key[2])}") for key in found]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[list[Cloud]]:
    """A cloud of two hosts, made anew when a message has left it unfit."""
    made: list[Cloud] = []
    yield made
    for cloud in made:
        cloud.close()


@pytest.fixture
def sender(
    clouds: list[Cloud], tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Sender]:
    if not clouds:
        executor = os.environ.get(ENVIRONMENT, THREADING)
        options = {
            "shutdown_timeout": 0,
            "vnc.enabled": True,
            "spice.enabled": True,
            "serial_console.enabled": True,
        }
        cloud = Cloud(tmp_path_factory.mktemp("calls"), templates.of((HOST, SECOND)), executor, options)
        cloud.add_host(SECOND)
        clouds.append(cloud)
    yield Sender(clouds[0])


@pytest.mark.parametrize(("method", "version", "arguments"), _messages())
def test_the_operation_understands_what_it_is_sent(
    sender: Sender, caplog: pytest.LogCaptureFixture, method: str, version: str, arguments: tuple[str, ...]
) -> None:
    sender.about(method)
    sent = {name: sender.value(method, name) for name in arguments}
    with caplog.at_level(logging.WARNING, "computed"):
        try:
            sender.cloud.rpc.call(method, context=sender.context, version=version, **sent)
        except oslo_messaging.RemoteError as error:
            assert error.exc_type not in BLUNDER_NAMES, error
        except BLUNDERS as error:
            pytest.fail(f"{type(error).__name__}: {error}")
        except NotImplementedError as error:
            assert "does not do" not in str(error)
        except Exception as error:
            assert type(error).__name__ not in BLUNDER_NAMES, error
        sender.cloud.settle()
    for record in caplog.records:
        blunder = record.exc_info[0] if record.exc_info else None
        assert blunder is None or not issubclass(blunder, BLUNDERS), record.getMessage()
        assert "does not do" not in record.getMessage()


def test_every_method_is_sent_something() -> None:
    assert {message.values[0] for message in _messages()} == set(METHODS) == set(CALLS)
