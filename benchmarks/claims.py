"""Claims and audits on a host with 0, 50 and 500 instances.

Conductor and placement answer with what was prepared: what is measured is the agent's own work, the reading
of their answers included.
"""

from __future__ import annotations

import gc
import json
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from oslo_config import cfg

from benchmarks.table import Table, percentile, ratio
from computed import conf as computed_conf
from computed import objects
from computed.clients.placement import PlacementClient
from computed.context import get_admin_context
from computed.objects.base import ComputedObject, ComputedObjectSerializer
from computed.resources.tracker import ResourceTracker
from computed.virt.fake.driver import FakeDriver

SIZES = (0, 50, 500)
CLAIMS = 2000
THREADS = 8
AUDITS = 5
HOST = "bench"
SERIALIZER = ComputedObjectSerializer()


def tables() -> Iterable[Table]:
    """Claims by one thread and by several, then audits."""
    hosts = {size: _Host(size) for size in SIZES}
    yield _claims(hosts, 1)
    yield _claims(hosts, THREADS)
    yield _audits(hosts)


def _claims(hosts: dict[int, _Host], threads: int) -> Table:
    rows: list[list[object]] = []
    base = (0.0, 0.0)
    for size, host in hosts.items():
        rate, seconds = host.claim(threads)
        p99 = percentile(seconds, 99) * 1e6
        base = base if rows else (rate, p99)
        median = percentile(seconds, 50) * 1e6
        rows.append([size, rate, ratio(rate, base[0]), median, p99, ratio(p99, base[1])])
    columns = ["instances", "claims/s", "to empty", "median us", "p99 us", "to empty"]
    return Table(f"Claim and release, {threads} thread(s), {CLAIMS} times", columns, rows)


def _audits(hosts: dict[int, _Host]) -> Table:
    rows: list[list[object]] = []
    base = 0.0
    for size, host in hosts.items():
        cpu_ms, calls, requests = host.audit()
        base = base if rows else cpu_ms
        saves = sum(count for name, count in calls.items() if name.endswith("save"))
        first = f"{host.first_cpu_ms:.0f}"
        rows.append([size, first, cpu_ms, ratio(cpu_ms, base), calls.total(), saves, requests])
    columns = ["instances", "first, CPU ms", "CPU ms", "to empty", "conductor", "saves", "placement"]
    return Table("Audit in which nothing changed", columns, rows)


class _Host:
    """A tracker with `size` instances, which has made its first audit."""

    def __init__(self, size: int) -> None:
        self.context = get_admin_context()
        self.conductor = _Conductor(size)
        self.placement = _Placement(self.conductor.uuids)
        self.conf = _conf()
        self._connect()
        client = PlacementClient(self.placement)
        self.tracker = ResourceTracker(HOST, FakeDriver(self.conf), client, self.conf)
        self.tracker.use_service(objects.Service(id=1, host=HOST, disabled=False))
        began = time.process_time()
        self.tracker.update_available_resource(self.context, startup=True)
        self.first_cpu_ms = (time.process_time() - began) * 1000

    def _connect(self) -> None:
        ComputedObject.indirection_api = self.conductor

    def claim(self, threads: int) -> tuple[float, list[float]]:
        """Claims per second of all threads together, and how long each took, in seconds."""
        self._connect()
        flavor = _flavor()
        waiting = [_instance(flavor, host=None, node=None) for _ in range(CLAIMS)]
        seconds: list[float] = []
        gc.collect()

        def work(mine: list[Any]) -> None:
            for instance in mine:
                began = time.perf_counter()
                claim = self.tracker.instance_claim(instance, HOST)
                seconds.append(time.perf_counter() - began)
                claim.settle()
                self.tracker.release(instance)

        workers = [
            threading.Thread(target=work, args=(waiting[number::threads],)) for number in range(threads)
        ]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return CLAIMS / (time.perf_counter() - began), seconds

    def audit(self) -> tuple[float, Counter[str], int]:
        """CPU milliseconds of one audit, and its calls of the conductor and requests to placement."""
        self._connect()
        self.tracker.update_available_resource(self.context)
        self.conductor.calls.clear()
        self.placement.requests = 0
        gc.collect()
        began = time.process_time()
        for _ in range(AUDITS):
            self.tracker.update_available_resource(self.context)
        cpu_ms = (time.process_time() - began) * 1000 / AUDITS
        calls = Counter({name: count // AUDITS for name, count in self.conductor.calls.items()})
        return cpu_ms, calls, self.placement.requests // AUDITS


class _Conductor:
    """Answers what an audit asks with prepared primitives, which are read anew each time as off the wire."""

    def __init__(self, size: int) -> None:
        self.calls: Counter[str] = Counter()
        flavor = _flavor()
        instances = [_instance(flavor) for _ in range(size)]
        self.uuids = [instance.uuid for instance in instances]
        self._uuids = json.dumps(self.uuids)
        self._with_flavors = _wire(objects.InstanceList(objects=instances))
        for instance in instances:
            for name in ("flavor", "old_flavor", "new_flavor", "migration_context"):
                delattr(instance, f"_obj_{name}")
        self._plain = _wire(objects.InstanceList(objects=instances))
        self._answers = {
            "ComputeNodeList.get_all_by_host": _wire(objects.ComputeNodeList(objects=[])),
            "ComputeNodeList.get_all_by_uuids": _wire(objects.ComputeNodeList(objects=[])),
            "MigrationList.get_in_progress_and_error": _wire(objects.MigrationList(objects=[])),
            "BlockDeviceMappingList.get_by_instance_uuids": _wire(objects.BlockDeviceMappingList(objects=[])),
        }

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, versions: Any, args: Any, kwargs: Any
    ) -> Any:
        name = f"{objname}.{objmethod}"
        self.calls[name] += 1
        if name == "InstanceList.get_uuids_by_host":
            return list(json.loads(self._uuids))
        answer = self._answers.get(name)
        if answer is None:
            answer = self._with_flavors if "flavor" in kwargs["expected_attrs"] else self._plain
        return SERIALIZER.deserialize_entity(context, json.loads(answer))

    def object_action(self, context: Any, obj: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        self.calls[f"{obj.obj_name()}.{objmethod}"] += 1
        SERIALIZER.serialize_entity(context, obj)
        return ({"id": 1} if objmethod == "create" else {}) | {"obj_what_changed": set()}, None


class _Placement:
    """An adapter on a placement that has one provider, always at the generation that was last written."""

    additional_headers = None

    def __init__(self, consumers: list[str]) -> None:
        self.requests = 0
        self._generation = 0
        held = {"resources": {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 10}}
        self._allocations = json.dumps(dict.fromkeys(consumers, held))

    def request(self, path: str, method: str, **kwargs: Any) -> Any:
        self.requests += 1
        if method == "PUT":
            self._generation += 1
        if method == "POST":
            body = json.dumps({**kwargs["json"], "generation": 0})
        elif path.endswith("/allocations"):
            body = self._body(f'"allocations": {self._allocations}')
        else:
            body = self._body('"resource_providers": []')
        return SimpleNamespace(status_code=200, text=body, json=lambda: json.loads(body))

    def _body(self, content: str) -> str:
        return f'{{{content}, "resource_provider_generation": {self._generation}}}'


def _wire(obj: Any) -> str:
    return json.dumps(SERIALIZER.serialize_entity(None, obj))


def _flavor() -> Any:
    return objects.Flavor(
        id=1, flavorid="1", name="small", vcpus=1, memory_mb=512, root_gb=10, ephemeral_gb=0, swap=0
    )


def _instance(flavor: Any, **values: Any) -> Any:
    text = dict.fromkeys(("display_name", "hostname", "reservation_id", "root_device_name"), "some text")
    fields = {
        **text,
        "uuid": str(uuid.uuid4()),
        "host": HOST,
        "node": HOST,
        "compute_id": 1,
        "vm_state": "active",
        "task_state": None,
        "power_state": 1,
        "os_type": None,
        "user_id": "user",
        "project_id": "project",
        "image_ref": "image",
        "instance_type_id": flavor.id,
        "vcpus": 1,
        "memory_mb": 512,
        "root_gb": 10,
        "ephemeral_gb": 0,
        "deleted": False,
        "hidden": False,
        "flavor": flavor,
        "old_flavor": None,
        "new_flavor": None,
        "migration_context": None,
        "numa_topology": None,
    }
    return objects.Instance(**(fields | values))


def _conf() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    state = tempfile.mkdtemp(prefix="computed-bench-")
    for name, value in {"host": HOST, "my_ip": "192.0.2.1", "state_path": state}.items():
        conf.set_override(name, value)
    conf.set_override("provider_config_location", state, group="compute")
    return conf
