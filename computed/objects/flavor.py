"""Flavors: the sizes of instances."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Persistent, register
from computed.objects.remote import remotable


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
