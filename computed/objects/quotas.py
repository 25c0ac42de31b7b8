"""Quotas; the agent only passes them on."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class Quotas(ComputedObject):
    """The quotas of a project or user."""

    VERSION = "1.3"
    fields = {
        "project_id": fields.StringField(nullable=True, default=None),
        "reservations": fields.ListOfStringsField(nullable=True, default=[]),
        "user_id": fields.StringField(nullable=True, default=None),
    }

    @classmethod
    @remotable
    def check_deltas(cls, context: Any, deltas: Any, *count_args: Any, **count_kwargs: Any) -> Any: ...

    @remotable
    def commit(self) -> Any: ...

    @classmethod
    @remotable
    def count(cls, context: Any, resource: Any, *args: Any, **kwargs: Any) -> Any: ...

    @classmethod
    @remotable
    def count_as_dict(cls, context: Any, resource: Any, *args: Any, **kwargs: Any) -> Any: ...

    @classmethod
    @remotable
    def create_limit(
        cls, context: Any, project_id: Any, resource: Any, limit: Any, user_id: Any = None
    ) -> Any: ...

    @classmethod
    @remotable
    def limit_check(cls, context: Any, project_id: Any = None, user_id: Any = None, **values: Any) -> Any: ...

    @classmethod
    @remotable
    def limit_check_project_and_user(
        cls,
        context: Any,
        project_values: Any = None,
        user_values: Any = None,
        project_id: Any = None,
        user_id: Any = None,
    ) -> Any: ...

    @remotable
    def reserve(
        self, expire: Any = None, project_id: Any = None, user_id: Any = None, **deltas: Any
    ) -> Any: ...

    @remotable
    def rollback(self) -> Any: ...

    @classmethod
    @remotable
    def update_limit(
        cls, context: Any, project_id: Any, resource: Any, limit: Any, user_id: Any = None
    ) -> Any: ...
