"""A conductor for tests: records in memory, every call passing through the wire's encoding and counted."""

import datetime
import threading
import uuid

from oslo_versionedobjects import base as ovo

from computed import errors, objects
from computed.objects.base import ComputedObjectSerializer

SERIALIZER = ComputedObjectSerializer()


class WatchedLock:
    """A lock that knows whether anybody holds it, and makes I/O under it fail the test."""

    def __init__(self):
        self._lock = threading.Lock()
        self.is_held = False
        self.times = 0

    def __enter__(self):
        self._lock.acquire()
        self.is_held = True
        self.times += 1

    def __exit__(self, *exc):
        self.is_held = False
        self._lock.release()


class Store(ovo.VersionedObjectIndirectionAPI):
    """The records of one cell. `calls` lists what was asked, as "Class.method"."""

    def __init__(self):
        self.calls = []
        self.nodes = {}
        self.instances = {}
        self.migrations = {}
        self.mappings = []
        self.service = None
        self.locks = []
        self.before = {}
        self._ids = iter(range(1, 10**6))

    # The indirection

    def object_class_action_versions(self, context, objname, objmethod, versions, args, kwargs):
        found = self._asked(context, f"{objname}.{objmethod}", *args, **kwargs)
        return SERIALIZER.deserialize_entity(context, SERIALIZER.serialize_entity(context, found))

    def object_action(self, context, objinst, objmethod, args, kwargs):
        wire = SERIALIZER.serialize_entity(context, objinst)
        there = SERIALIZER.deserialize_entity(context, wire)
        before = there.obj_clone()
        result = self._asked(context, f"{there.obj_name()}.{objmethod}", there)
        updates = {
            name: field.to_primitive(there, name, getattr(there, name))
            for name, field in there.fields.items()
            if there.obj_attr_is_set(name)
            and not (before.obj_attr_is_set(name) and getattr(before, name) == getattr(there, name))
        }
        updates["obj_what_changed"] = there.obj_what_changed()
        return updates, result

    def _asked(self, context, name, *args, **kwargs):
        for lock in self.locks:
            assert not lock.is_held, f"{name} was called under the claim lock"
        assert context.is_admin
        self.calls.append(name)
        self.before.get(name, lambda: None)()
        return getattr(self, name.replace(".", "_").lower())(context, *args, **kwargs)

    # What it answers

    def computenodelist_get_all_by_host(self, context, host, use_slave=False):
        found = [node for node in self.nodes.values() if node.host == host and not node.deleted]
        if not found:
            raise errors.ComputeHostNotFound(host=host)
        return objects.ComputeNodeList(objects=found)

    def computenodelist_get_all_by_uuids(self, context, uuids):
        readable = [node for node in self.nodes.values() if context.read_deleted == "yes" or not node.deleted]
        return objects.ComputeNodeList(objects=[node for node in readable if node.uuid in uuids])

    def computenode_create(self, context, node):
        for other in self.nodes.values():
            same_name = (other.host, other.hypervisor_hostname) == (node.host, node.hypervisor_hostname)
            if other.uuid == node.uuid or (same_name and not other.deleted):
                raise errors.DuplicateRecord(target="compute_node")
        node.id, node.mapped, node.deleted, node.deleted_at = next(self._ids), 0, False, None
        self._keep(self.nodes, node)

    def computenode_save(self, context, node):
        known = self.nodes.get(node.uuid)
        if known is None or (known.deleted and context.read_deleted != "yes"):
            raise errors.ComputeHostNotFound(host=node.host)
        node.updated_at = datetime.datetime.now(datetime.UTC)
        self._keep(self.nodes, node)
        # A real conductor reads the record back, and what lies in it as text comes back marked as changed.
        node.pci_device_pools = objects.PciDevicePoolList(objects=[])
        node.obj_reset_changes()

    def computenode_destroy(self, context, node):
        if self.nodes[node.uuid].host != node.host:
            raise errors.ObjectActionError(action="destroy", reason="host changed")
        del self.nodes[node.uuid]

    def service_get_by_compute_host(self, context, host):
        if self.service is None:
            raise errors.ComputeHostNotFound(host=host)
        return self.service

    def instancelist_get_by_host_and_node(self, context, host, node, expected_attrs=None):
        return self._instances(lambda each: (each.host, each.node) == (host, node), expected_attrs)

    def instancelist_get_uuids_by_host(self, context, host):
        return [each.uuid for each in self._instances(lambda each: each.host == host, None)]

    def instancelist_get_by_host(self, context, host, expected_attrs=None, use_slave=False):
        return self._instances(lambda each: each.host == host, expected_attrs)

    def instancelist_get_by_filters(self, context, filters, expected_attrs=None):
        uuids, is_hidden = filters["uuid"], filters.get("hidden", False)
        wanted = [uuid for uuid in uuids if uuid in self.instances]
        wanted = [uuid for uuid in wanted if self.instances[uuid].hidden == is_hidden]
        return self._instances(lambda each: each.uuid in wanted, expected_attrs, with_deleted=True)

    def instance_save(self, context, instance):
        for name in instance.obj_what_changed():
            setattr(self.instances[instance.uuid], name, getattr(instance, name))
        instance.obj_reset_changes()

    def migrationlist_get_in_progress_and_error(self, context, host, node):
        here = (host, node)
        over = ("confirmed", "reverted", "failed", "completed", "cancelled", "done")
        found = [
            each
            for each in self.migrations.values()
            if here in ((each.source_compute, each.source_node), (each.dest_compute, each.dest_node))
            and each.status not in over
        ]
        return objects.MigrationList(objects=found)

    def migration_save(self, context, migration):
        self._keep(self.migrations, migration)

    def blockdevicemappinglist_get_by_instance_uuids(self, context, uuids, use_slave=False):
        found = [each for each in self.mappings if each.instance_uuid in uuids]
        return objects.BlockDeviceMappingList(objects=found)

    def _instances(self, wanted, expected_attrs, with_deleted=False):
        optional = {"flavor", "old_flavor", "new_flavor", "migration_context", "numa_topology", "resources"}
        asked = set(expected_attrs or ())
        if "flavor" in asked:
            asked |= {"old_flavor", "new_flavor"}
        found = []
        for instance in self.instances.values():
            if wanted(instance) and (with_deleted or not instance.deleted):
                copy = instance.obj_clone()
                copy.obj_reset_changes(recursive=True)
                for name in optional - asked:
                    if copy.obj_attr_is_set(name):
                        delattr(copy, f"_obj_{name}")
                found.append(copy)
        return objects.InstanceList(objects=found)

    @staticmethod
    def _keep(table, record):
        record.obj_reset_changes(recursive=True)
        table[record.uuid] = record.obj_clone()

    # What a test puts in

    def add_instance(self, flavor, **values):
        fields = {
            "uuid": str(uuid.uuid4()),
            "host": None,
            "node": None,
            "compute_id": None,
            "vm_state": "active",
            "task_state": None,
            "os_type": None,
            "project_id": "p1",
            "image_ref": "image",
            "deleted": False,
            "hidden": False,
            "instance_type_id": flavor.id,
            "flavor": flavor,
            "old_flavor": None,
            "new_flavor": None,
            "migration_context": None,
            "numa_topology": None,
        }
        instance = objects.Instance(**(fields | values))
        instance.obj_reset_changes(recursive=True)
        self.instances[instance.uuid] = instance
        return instance

    def add_migration(self, instance, source, dest, **values):
        moment = datetime.datetime.now(datetime.UTC)
        fields = {
            "id": next(self._ids),
            "uuid": str(uuid.uuid4()),
            "instance_uuid": instance.uuid,
            "migration_type": "resize",
            "status": "migrating",
            "created_at": moment,
            "updated_at": moment,
            "old_instance_type_id": instance.instance_type_id,
            "source_compute": source[0],
            "source_node": source[1],
            "dest_compute": dest[0],
            "dest_node": dest[1],
        }
        migration = objects.Migration(**(fields | values))
        migration.obj_reset_changes()
        self.migrations[migration.uuid] = migration
        return migration


def make_flavor(number=1, **values):
    fields = {
        "id": number,
        "vcpus": 1,
        "memory_mb": 512,
        "root_gb": 10,
        "ephemeral_gb": 0,
        "swap": 0,
        "extra_specs": {},
    }
    flavor = objects.Flavor(**(fields | values))
    flavor.obj_reset_changes()
    return flavor
