"""A whole agent in this process, on a real bus, a real conductor and the real placement; servers to send it.

Stand-ins stand only at the ports of what cannot be had here: the network service and the notification bus.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import opts as messaging_options

from computed import errors, objects
from computed.clients.network import Located
from computed.clients.placement import PlacementClient
from computed.clients.serializer import WireSerializer
from computed.cmd import wiring
from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.conf import CONF, register_all
from computed.context import RequestContext
from computed.embedded.accelerators import EmbeddedAccelerators
from computed.embedded.bus import MemoryBus
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.conductor.endpoint import ConductorEndpoint
from computed.embedded.conductor.server import ConductorServer
from computed.embedded.placement_app import placement_adapter
from computed.embedded.store import Store
from computed.embedded.volumes import EmbeddedVolumes
from computed.objects.network_model import VIF, Network, NetworkInfo
from computed.service import Service

WAIT_SECONDS = 20
EXECUTOR = os.environ.get(ENVIRONMENT, THREADING)
IMAGE = {"id": "aaaaaaaa-1111-4000-8000-000000000001", "name": "guest", "properties": {}, "min_ram": 0}


class PortNetwork:
    """In place of the network service: ports in a dictionary, requests counted, failures as told."""

    def __init__(self):
        self.ports = {}
        self.fails = {}
        self.on_allocate = lambda instance, ports: None

    def _step(self, name):
        if name in self.fails:
            raise self.fails[name]

    def allocate(self, context, instance, *, host, requested, security_groups, providers=None):
        self._step("allocate")
        wanted = [None] if requested is None or requested.auto_allocate else list(requested)
        made = [self._port(instance, host, request) for request in wanted]
        self.on_allocate(instance, made)
        return self._info(made)

    def _port(self, instance, host, request):
        given = request is not None and request.port_id is not None
        port_id = request.port_id if given else str(uuid.uuid4())
        port = self.ports.setdefault(port_id, {"id": port_id, "given": given, "active": False})
        port.update(owner=instance.uuid, host=host)
        return port

    def _info(self, ports):
        return NetworkInfo(
            VIF(
                id=port["id"],
                address="fa:16:3e:" + port["id"][:2] + ":" + port["id"][2:4] + ":" + port["id"][4:6],
                network=Network(id="net", label="private"),
                type="ovs",
                active=port["active"],
            )
            for port in ports
        )

    def of(self, instance_uuid):
        return [port for port in self.ports.values() if port.get("owner") == instance_uuid]

    def deallocate(self, context, instance, *, requested=None):
        self._step("deallocate")
        for port in self.of(instance.uuid):
            if port["given"]:
                port.update(owner=None, host=None)
            else:
                del self.ports[port["id"]]

    def unbind(self, context, instance):
        for port in self.of(instance.uuid):
            port["host"] = None

    def network_info(self, context, instance):
        self._step("network_info")
        return self._info(self.of(instance.uuid))

    def locate(self, context, instance):
        hosts = {port["host"] for port in self.of(instance.uuid)} - {None}
        return Located(self.network_info(context, instance), frozenset(hosts))

    def bind_to_host(self, context, instance, *, host, migration=None, providers=None):
        for port in self.of(instance.uuid):
            port["host"] = host
        return self._info(self.of(instance.uuid))


class Notices:
    """In place of the notification bus: what was told, in order, with the states told."""

    def __init__(self):
        self.told = []

    def instance(self, context, instance, action, phase, **details):
        name = f"{action}.{phase}" if phase else action
        self.told.append((instance.uuid, name, instance.vm_state, instance.task_state, instance.host))

    def exists(self, context, instance, **details):
        self.instance(context, instance, "exists", None)

    def volume_usage(self, context, usage):
        self.told.append((usage.instance_uuid, "volume.usage", usage.volume_id, None, None))

    def exception(self, context, error, name, arguments):
        self.told.append((None, f"exception {name}", type(error).__name__, None, None))

    def names(self, instance_uuid):
        return [row[1] for row in self.told if row[0] == instance_uuid]


class TaskRecorder:
    """In place of the conductor's workflows: writes down what it is handed."""

    target = oslo_messaging.Target(version="1.25", namespace="compute_task")

    def __init__(self):
        self.casts = []

    def build_instances(self, context, **arguments):
        self.casts.append(arguments)


class ConductorWatch:
    """Counts the remotables that the conductor is asked for, and makes it fail as told."""

    def __init__(self):
        self.asked = []
        self.rules = []

    def __call__(self, name, method, proceed):
        what = f"{name}.{method}"
        self.asked.append(what)
        for rule in list(self.rules):
            rule(what, self)
        return proceed()

    @property
    def without_heartbeat(self):
        return [what for what in self.asked if what != "Service.save"]

    def before(self, what, action, *, nth=1):
        """Do `action` just before the conductor carries out the nth `what` from now on."""
        seen = Counter()

        def rule(asked, watch):
            seen[asked] += 1
            if asked == what and seen[asked] == nth:
                action()

        self.rules.append(rule)


class Plane:
    """The records of the control plane, and asking them without being counted; `Bench` adds the rest."""

    def new_server(self, name="web-1", *, host=None, flavor=None, disks=None, **fields):
        """The records of a server that waits to be built, its action, and its allocation."""
        flavor = flavor or self.flavor()
        instance = objects.Instance(
            context=self.context,
            uuid=str(uuid.uuid4()),
            user_id="user",
            project_id="project",
            display_name=name,
            hostname=name,
            image_ref=IMAGE["id"],
            flavor=flavor,
            old_flavor=None,
            new_flavor=None,
            instance_type_id=flavor.id,
            memory_mb=flavor.memory_mb,
            vcpus=flavor.vcpus,
            root_gb=flavor.root_gb,
            ephemeral_gb=flavor.ephemeral_gb,
            vm_state="building",
            task_state="scheduling",
            power_state=0,
            metadata={},
            system_metadata={"image_base_image_ref": IMAGE["id"]},
            pci_requests=objects.InstancePCIRequests(requests=[]),
            keypairs=objects.KeyPairList(objects=[]),
            config_drive="",
            **{"root_device_name": None, "numa_topology": None, **fields},
        )
        instance.create()
        for disk in disks or [{"source_type": "image", "image_id": IMAGE["id"], "boot_index": 0}]:
            self._disk(instance, disk)
        self.begin_action(instance.uuid, "create")
        self.allocate(instance)
        return self.fetch(instance.uuid)

    def flavor(self, **fields):
        values = {
            "id": 1,
            "name": "m1.test",
            "flavorid": "1",
            "memory_mb": 96,
            "vcpus": 1,
            "root_gb": 1,
            "ephemeral_gb": 0,
            "swap": 0,
            "rxtx_factor": 1.0,
            "vcpu_weight": 0,
            "disabled": False,
            "is_public": True,
            "extra_specs": {},
            "description": None,
        }
        flavor = objects.Flavor(**{**values, **fields})
        flavor.obj_reset_changes()
        return flavor

    def _disk(self, instance, fields):
        objects.BlockDeviceMapping(
            context=self.context,
            uuid=str(uuid.uuid4()),
            instance_uuid=instance.uuid,
            **{"destination_type": "local", "delete_on_termination": True, "no_device": False, **fields},
        ).create()

    def begin_action(self, instance_uuid, name):
        """What the API records before it sends a verb; the context's request id changes with it."""
        self.context.request_id = f"req-{uuid.uuid4()}"
        with self.store.transaction() as records:
            actions.action_start(ClassCall(self.context, records), instance_uuid, name)

    def allocate(self, instance):
        node = next(iter(self.driver.node_uuids().values()))
        resources = {"VCPU": instance.vcpus, "MEMORY_MB": instance.memory_mb, "DISK_GB": instance.root_gb}
        body = {
            "allocations": {node: {"resources": resources}},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None,
        }
        self.placement.put_allocations(self.context, instance.uuid, body)

    def allocation(self, instance_uuid):
        return self.placement.get_allocations(self.context, instance_uuid)["allocations"]

    # Asking the records, without being counted

    @contextmanager
    def uncounted(self):
        kept = list(self.watch.asked), list(self.placement_requests)
        rules, self.watch.rules = self.watch.rules, []
        try:
            yield
        finally:
            self.watch.asked[:], self.placement_requests[:] = kept
            self.watch.rules = rules

    def fetch(self, instance_uuid, *, read_deleted="no"):
        """The instance with every part that the API sends along."""
        context = self.context.elevated(read_deleted=read_deleted)
        parts = ["flavor", "info_cache", "metadata", "system_metadata", "pci_requests", "numa_topology",
                 "tags", "trusted_certs", "security_groups", "keypairs", "services"]  # fmt: skip
        with self.uncounted():
            return objects.Instance.get_by_uuid(context, instance_uuid, expected_attrs=parts)

    def is_deleted(self, instance_uuid):
        try:
            self.fetch(instance_uuid)
        except errors.InstanceNotFound:
            return True
        return False

    def disks(self, instance_uuid):
        with self.uncounted():
            return objects.BlockDeviceMappingList.get_by_instance_uuid(self.context, instance_uuid)

    def rows(self, kind, **equal):
        with self.store.transaction() as records:
            return records.find(kind, **equal)

    def events(self, instance_uuid):
        """(event, result) of every action event of the instance, in order."""
        found = []
        for action in self.rows("InstanceAction", instance_uuid=instance_uuid):
            found += [
                (row["event"], row["result"])
                for row in self.rows("InstanceActionEvent", action_id=action["id"])
            ]
        return found

    def fault(self, instance_uuid):
        rows = self.rows("InstanceFault", instance_uuid=instance_uuid)
        return rows[-1] if rows else None

    def states(self, instance_uuid):
        instance = self.fetch(instance_uuid)
        return instance.vm_state, instance.task_state


class Bench(Plane):
    """Control plane and agent of one test."""

    def __init__(self, app, tmp_path, **options):
        objects.register_all()
        errors.install_remote_module()
        self.placement_requests = []
        adapter = placement_adapter(app, on_request=lambda *request: self.placement_requests.append(request))
        self.placement = PlacementClient(adapter)
        self.placement.sleep = lambda seconds: None
        self.conf = self._options(tmp_path, options)
        self.bus = MemoryBus()
        self.store = Store()
        self.watch = ConductorWatch()
        self.tasks = TaskRecorder()
        self.network = PortNetwork()
        self.volumes = EmbeddedVolumes(self.store)
        self.accelerators = EmbeddedAccelerators()
        self.notices = Notices()
        self.serializer = WireSerializer()
        self.transport = self.bus.rpc_transport(self.conf)
        self.conductor_endpoint = ConductorEndpoint(self.store, self.watch)
        endpoints = [self.conductor_endpoint, self.tasks]
        self.conductor = ConductorServer(
            self.bus.rpc_transport(self.conf), "plane", endpoints, executor=EXECUTOR
        )
        self.conductor.start()
        wiring.connect_objects(self.conf, self.transport, self.serializer)
        self.context = RequestContext(
            user_id="user", project_id="project", is_admin=True, roles=["member", "admin"], overwrite=False
        )
        self.service = None
        self.host = None

    def _options(self, tmp_path, options):
        CONF([], default_config_files=[], default_config_dirs=[])
        conf = cfg.ConfigOpts()
        register_all(conf)
        conf([], project="nova", default_config_files=[], default_config_dirs=[])
        given = {
            "host": "h-" + tmp_path.name[-40:].replace("[", "-").replace("]", ""),
            "state_path": str(tmp_path),
            "compute_driver": "fake.MediumFakeDriver",
            "periodic_enable": False,
            "rpc_response_timeout": 5,
            "compute.provider_config_location": str(tmp_path / "providers"),
            **options,
        }
        # oslo.messaging declares its options as late as it can; these are to be set before.
        for group, opts in messaging_options.list_opts():
            conf.register_opts(opts, group=group)
        for name, value in given.items():
            group, _, option = name.rpartition(".")
            conf.set_override(option, value, group or None)
        return conf

    def start(self):
        """Start the agent, or a new one over what an earlier one left."""
        self.host = wiring.build_host(
            self.conf,
            self.transport,
            self.serializer,
            placement=self.placement,
            network=self.network,
            images=None,
            volumes=self.volumes,
            accelerators=self.accelerators,
            notifier=self.notices,
        )
        self.parts = wiring.build_parts(self.host, self.transport, self.serializer, EXECUTOR)
        self.service = Service(self.parts)
        self.service.start()
        return self

    @property
    def driver(self):
        return self.host.driver

    def stop(self):
        if self.service is not None:
            self.service.stop()
            self.service = None

    def restart(self, **changes):
        """A new agent in the place of the old one, as after a crash: nothing in memory survives."""
        self.stop()
        return self.start()

    def close(self):
        self.stop()
        self.conductor.stop()
        self.store.close()

    # Verbs, as the control plane sends them

    def client(self, topic="compute"):
        target = oslo_messaging.Target(topic=topic, server=self.conf.host, version="6.5")
        return oslo_messaging.get_rpc_client(
            self.transport, target, timeout=WAIT_SECONDS, serializer=self.serializer
        )

    def call(self, method, *, topic="compute", **arguments):
        return self.client(topic).call(self.context, method, **arguments)

    def cast(self, method, *, topic="compute", **arguments):
        self.client(topic).cast(self.context, method, **arguments)

    def settle(self):
        """Wait until everything that was sent has been done."""
        for topic in ("compute", "compute-alt"):
            target = oslo_messaging.Target(
                topic=topic, server=self.conf.host, namespace="baseapi", version="1.1"
            )
            oslo_messaging.get_rpc_client(self.transport, target, timeout=WAIT_SECONDS).call(
                {}, "ping", arg="settle"
            )
        assert self.parts.manager.inflight.wait_idle(WAIT_SECONDS), self.parts.manager.inflight.counts()

    def build(self, instance, *, networks="net", retry=True, wait=True, attempt=1, **more):
        """Send a build as the conductor would, its `attempt`th, and wait for its end."""
        requested = [objects.NetworkRequest(network_id=networks)] if isinstance(networks, str) else networks
        properties = {"limits": {}}
        if retry:
            properties["retry"] = {"num_attempts": attempt, "hosts": [[self.conf.host, self.conf.host]]}
        arguments = {
            "instance": instance,
            "image": IMAGE,
            "request_spec": objects.RequestSpec(instance_uuid=instance.uuid, requested_resources=[]),
            "filter_properties": properties,
            "accel_uuids": [],
            "admin_password": "secret-word",
            "injected_files": [],
            "requested_networks": objects.NetworkRequestList(objects=requested),
            "security_groups": ["default"],
            "block_device_mapping": self.disks(instance.uuid),
            "node": self.conf.host,
            "limits": {},
            "host_list": [],
            **more,
        }
        self.cast("build_and_run_instance", **arguments)
        if wait:
            self.settle()

    def boot(self, name="web-1", **more):
        """A running server."""
        instance = self.new_server(name)
        self.build(instance, **more)
        assert self.states(instance.uuid) == ("active", None), self.fault(instance.uuid)
        return self.fetch(instance.uuid)

    def set_task(self, instance_uuid, task_state, **fields):
        """What the API writes into the record before it sends a verb."""
        instance = self.fetch(instance_uuid)
        instance.task_state = task_state
        for name, value in fields.items():
            setattr(instance, name, value)
        with self.uncounted():
            instance.save()
        return self.fetch(instance_uuid)

    def verb(self, method, instance_uuid, task_state, **arguments):
        """Write the task state, record the action, cast the verb and wait for its end."""
        instance = self.set_task(instance_uuid, task_state)
        self.begin_action(instance_uuid, method.removesuffix("_instance"))
        self.cast(method, instance=instance, **arguments)
        self.settle()

    def delete(self, instance_uuid):
        self.verb("terminate_instance", instance_uuid, "deleting", bdms=self.disks(instance_uuid))

    @contextmanager
    def counting(self):
        """Counts what the block makes the agent ask; `.conductor`, `.placement`."""
        self.watch.asked.clear()
        self.placement_requests.clear()
        counts = Counts()
        yield counts
        counts.conductor = list(self.watch.without_heartbeat)
        counts.placement = list(self.placement_requests)


class Counts:
    def __init__(self):
        self.conductor = []
        self.placement = []


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """Poll; fail with `what` when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def lose_every_first(bench, what, *, is_done):
    """Let every second call of `what` time out, done or not done."""
    conductor = bench.conductor_endpoint
    proceed_with = conductor.intercept
    calls = []

    def intercept(name, method, proceed):
        if f"{name}.{method}" != what:
            return proceed_with(name, method, proceed)
        calls.append(what)
        if len(calls) % 2 == 0:
            return proceed_with(name, method, proceed)
        if is_done:
            proceed_with(name, method, proceed)
        time.sleep(1.5)
        raise RuntimeError("nobody hears this any more")

    conductor.intercept = intercept
