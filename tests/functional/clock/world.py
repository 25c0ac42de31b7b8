"""A one-host cloud whose servers need not have been booted: records and guests as a crash leaves them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_utils import uuidutils

from computed import objects
from computed.context import get_admin_context
from computed.states import PowerState
from tests.functional.cloud import HOST, Cloud

WAIT_SECONDS = 20


class Notifier:
    """Writes down what would be notified."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str | None]] = []
        self.failure: Exception | None = None

    def instance(
        self, context: Any, instance: Any, action: str, phase: str | None = None, **more: Any
    ) -> None:
        self.told.append((instance.uuid, action, phase))
        if self.failure is not None:
            raise self.failure

    def exists(self, context: Any, instance: Any, **more: Any) -> None:
        self.instance(context, instance, "exists")

    def exception(self, *arguments: Any) -> None:
        self.told.append(("", "exception", None))


class Scheduler:
    """Writes down what the schedulers are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str]]] = []

    def update_instance_info(self, context: Any, instances: Any) -> None:
        self.told.append(("update", [instance.uuid for instance in instances]))

    def sync_instance_info(self, context: Any, uuids: list[str]) -> None:
        self.told.append(("sync", uuids))

    def delete_instance_info(self, context: Any, instance_uuid: str) -> None:
        self.told.append(("delete", [instance_uuid]))


class World:
    """The cloud, as seen by what happens at a start and by the clock."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.conf = cloud.conf
        self.store = cloud.embedded.store
        self.placement = cloud.embedded.placement
        self.network = cloud.embedded.network
        self.notifier, self.scheduler = Notifier(), Scheduler()
        self.context = get_admin_context()
        # The agent that runs already; the next ones are started with them.
        object.__setattr__(self.host, "notifier", self.notifier)
        object.__setattr__(self.host, "scheduler", self.scheduler)

    @property
    def host(self) -> Any:
        return self.cloud.host

    def set(self, group: str | None = None, **options: Any) -> None:
        for name, value in options.items():
            self.conf.set_override(name, value, group=group)

    def start(self) -> None:
        """Start an agent in the place of one that is killed."""
        self.cloud.kill_agent()
        self.cloud.start_agent(notifier=self.notifier, scheduler=self.scheduler)

    def run(self, task: Callable[[Any, Any], None]) -> None:
        """Run a periodic task the way the runner does, with everything that it starts."""
        task(self.host, get_admin_context())
        assert self.host.lanes.wait_idle(WAIT_SECONDS), "a lane does not end"

    def forget_counts(self) -> None:
        self.cloud.counts.clear()

    @property
    def asked(self) -> Counter[str]:
        """What the conductor was asked, as "Object.method"."""
        return Counter({".".join(name): count for name, count in self.cloud.counts.conductor.items()})

    # Records and guests

    def add(self, vm_state: str = "active", task_state: str | None = None, **fields: Any) -> Any:
        """A server of this host, with a guest in the power state `guest` (None: no guest) whose memory may be
        put away all the same (`is_saved`)."""
        guest = fields.pop("guest", PowerState.RUNNING)
        is_saved = fields.pop("is_saved", False)
        flavor = objects.Flavor(
            id=1,
            name="m1.nano",
            flavorid="42",
            memory_mb=64,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            extra_specs={},
        )
        given = {
            "uuid": uuidutils.generate_uuid(),
            "vm_state": vm_state,
            "task_state": task_state,
            "power_state": int(guest) if guest is not None else int(PowerState.RUNNING),
            "project_id": "p",
            "user_id": "u",
            "host": HOST,
            "node": HOST,
            "display_name": "server",
            "memory_mb": 64,
            "vcpus": 1,
            "root_gb": 1,
            "ephemeral_gb": 0,
            **fields,
        }
        given = {name: value for name, value in given.items() if name not in ("deleted_at", "created_at")}
        if given["node"] is not None and "compute_id" not in given:
            given["compute_id"] = self.node_record()["id"]
        instance = objects.Instance(
            self.context, **given, flavor=flavor, old_flavor=None, new_flavor=None, system_metadata={}
        )
        instance.create()
        if guest is not None:
            self.set_guest(instance.uuid, guest, is_saved=is_saved)
        self.edit(instance.uuid, **{k: v for k, v in fields.items() if k in ("deleted_at", "created_at")})
        return instance

    def node_record(self) -> Any:
        with self.store.transaction() as records:
            return records.first("ComputeNode", host=HOST)

    def edit(self, uuid: str, **fields: Any) -> None:
        """Change a record behind everybody's back."""
        if not fields:
            return
        with self.store.transaction() as records:
            row = records.first("Instance", read_deleted="yes", uuid=uuid)
            records.update("Instance", row, fields)

    def record(self, instance: Any) -> Any:
        """The record now, as a mapping."""
        with self.store.transaction() as records:
            return records.first("Instance", read_deleted="yes", uuid=instance.uuid)

    def states(self, instance: Any) -> tuple[str, str | None, int]:
        row = self.record(instance)
        return row["vm_state"], row["task_state"], row["power_state"]

    def faults(self, instance: Any) -> list[str]:
        with self.store.transaction() as records:
            found = records.find("InstanceFault", read_deleted="yes", instance_uuid=instance.uuid)
            return [row["message"] for row in found]

    def actions(self, instance: Any) -> list[str]:
        with self.store.transaction() as records:
            found = records.find("InstanceAction", read_deleted="yes", instance_uuid=instance.uuid)
            return [row["action"] for row in found]

    def hold(self, instance: Any) -> None:
        """Let the instance hold something of the host in placement."""
        uuid = self.node_record()["uuid"]
        body = {
            "allocations": {uuid: {"resources": {"VCPU": 1, "MEMORY_MB": 64}}},
            "consumer_generation": None,
            "project_id": "p",
            "user_id": "u",
        }
        self.placement.put_allocations(self.context, instance.uuid, body)

    # The fake hypervisor, as it is found by the next agent or by the one that runs

    @property
    def _guest_folder(self) -> Path:
        return Path(self.conf.state_path) / "fake" / HOST

    def set_guest(self, uuid: str, power_state: int, **more: Any) -> None:
        guest = {"uuid": uuid, "name": uuid, "power_state": int(power_state), **more}
        self._guest_folder.mkdir(parents=True, exist_ok=True)
        (self._guest_folder / f"{uuid}.json").write_text(json.dumps(guest))
        self.host.driver._store.load()

    def guest(self, instance: Any) -> int | None:
        """The power state of the guest; None when there is none."""
        path = self._guest_folder / f"{instance.uuid}.json"
        if not path.exists():
            return None
        guest = json.loads(path.read_text())
        return guest["power_state"] if guest.get("defined", True) else None


def eventually(check: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Whether `check` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
