"""Migration records: every move of an instance between hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import objects
from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Persistent, register
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime


@register
class Migration(Persistent, ComputedObject):
    """A move or resize of an instance, from its start to its confirmation."""

    VERSION = "1.8"
    fields = {
        "cross_cell_move": fields.BooleanField(default=False),
        "dest_compute": fields.StringField(nullable=True),
        "dest_compute_id": fields.IntegerField(nullable=True),
        "dest_host": fields.StringField(nullable=True),
        "dest_node": fields.StringField(nullable=True),
        "disk_processed": fields.IntegerField(nullable=True),
        "disk_remaining": fields.IntegerField(nullable=True),
        "disk_total": fields.IntegerField(nullable=True),
        "hidden": fields.BooleanField(default=False),
        "id": fields.IntegerField(),
        "instance_uuid": fields.StringField(nullable=True),
        "memory_processed": fields.IntegerField(nullable=True),
        "memory_remaining": fields.IntegerField(nullable=True),
        "memory_total": fields.IntegerField(nullable=True),
        "migration_type": fields.MigrationTypeField(),
        "new_instance_type_id": fields.IntegerField(nullable=True),
        "old_instance_type_id": fields.IntegerField(nullable=True),
        "project_id": fields.StringField(nullable=True),
        "source_compute": fields.StringField(nullable=True),
        "source_node": fields.StringField(nullable=True),
        "status": fields.StringField(nullable=True),
        "user_id": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
    }

    created_at: datetime.datetime | None
    cross_cell_move: bool
    deleted: bool
    deleted_at: datetime.datetime | None
    dest_compute: str | None
    dest_compute_id: int | None
    dest_host: str | None
    dest_node: str | None
    disk_processed: int | None
    disk_remaining: int | None
    disk_total: int | None
    hidden: bool
    id: int
    instance_uuid: str | None
    memory_processed: int | None
    memory_remaining: int | None
    memory_total: int | None
    migration_type: str
    new_instance_type_id: int | None
    old_instance_type_id: int | None
    project_id: str | None
    source_compute: str | None
    source_node: str | None
    status: str | None
    updated_at: datetime.datetime | None
    user_id: str | None
    uuid: str

    LAZY_DEFAULTS = dict.fromkeys(("user_id", "project_id"))

    @property
    def instance(self) -> Any:
        """The instance that moves, asked for each time; raises InstanceNotFound."""
        return objects.Instance.get_by_uuid(self.obj_context(), self.instance_uuid)

    @remotable
    def create(self) -> None: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, migration_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_id_and_instance(cls, context: Any, migration_id: Any, instance_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_and_status(cls, context: Any, instance_uuid: Any, status: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, migration_uuid: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class MigrationList(ObjectList):
    """Migrations, as the conductor finds them."""

    VERSION = "1.5"
    fields = {
        "objects": fields.ListOfObjectsField("Migration"),
    }

    @classmethod
    @remotable
    def get_by_filters(
        cls,
        context: Any,
        filters: Any,
        sort_keys: Any = None,
        sort_dirs: Any = None,
        limit: Any = None,
        marker: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def get_in_progress_and_error(cls, context: Any, host: Any, node: Any) -> Any: ...

    @classmethod
    @remotable
    def get_in_progress_by_host_and_node(cls, context: Any, host: Any, node: Any) -> Any: ...

    @classmethod
    @remotable
    def get_in_progress_by_instance(
        cls, context: Any, instance_uuid: Any, migration_type: Any = None
    ) -> Any: ...

    @classmethod
    @remotable
    def get_unconfirmed_by_dest_compute(
        cls, context: Any, confirm_window: Any, dest_compute: Any, use_slave: Any = False
    ) -> Any: ...
