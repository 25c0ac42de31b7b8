"""Flavors: the sizes of instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Persistent, register
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime


@register
class Flavor(Persistent, DictCompat, ComputedObject):
    """The size of an instance and what else it is promised."""

    VERSION = "1.2"
    fields = {
        "description": fields.StringField(nullable=True),
        "disabled": fields.BooleanField(),
        "ephemeral_gb": fields.IntegerField(),
        "extra_specs": fields.DictOfStringsField(),
        "flavorid": fields.StringField(),
        "id": fields.IntegerField(),
        "is_public": fields.BooleanField(),
        "memory_mb": fields.IntegerField(),
        "name": fields.StringField(nullable=True),
        "projects": fields.ListOfStringsField(),
        "root_gb": fields.IntegerField(),
        "rxtx_factor": fields.FloatField(nullable=True, default=1.0),
        "swap": fields.IntegerField(),
        "vcpu_weight": fields.IntegerField(nullable=True),
        "vcpus": fields.IntegerField(),
    }

    created_at: datetime.datetime | None
    deleted: bool
    deleted_at: datetime.datetime | None
    description: str | None
    disabled: bool
    ephemeral_gb: int
    extra_specs: dict[str, str]
    flavorid: str
    id: int
    is_public: bool
    memory_mb: int
    name: str | None
    projects: list[str]
    root_gb: int
    rxtx_factor: float | None
    swap: int
    updated_at: datetime.datetime | None
    vcpu_weight: int | None
    vcpus: int

    CHANGED_IN_PLACE = ("extra_specs", "projects")

    def obj_load_attr(self, attrname: str) -> None:
        """Load the projects that may use the flavor; other fields have defaults or are never left out."""
        if attrname == "projects":
            self._load_projects()
        else:
            super().obj_load_attr(attrname)

    @remotable
    def _load_projects(self) -> Any: ...

    @remotable
    def add_access(self, project_id: Any) -> Any: ...

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_flavor_id(cls, context: Any, flavor_id: Any, read_deleted: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_name(cls, context: Any, name: Any) -> Any: ...

    @remotable
    def remove_access(self, project_id: Any) -> Any: ...

    @remotable
    def save_extra_specs(self, to_add: Any = None, to_delete: Any = None) -> Any: ...

    @remotable
    def save_projects(self, to_add: Any = None, to_delete: Any = None) -> Any: ...
