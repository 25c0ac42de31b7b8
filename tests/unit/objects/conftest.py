"""A conductor that remembers what it was asked and answers from a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_versionedobjects import base as ovo

from computed.objects.base import ComputedObject


class RecordingConductor(ovo.VersionedObjectIndirectionAPI):
    """Answers to class methods take context and arguments, answers to actions the object."""

    def __init__(self) -> None:
        self.class_calls: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []
        self.contexts: list[Any] = []
        self.actions: list[tuple[str, str, list[str], tuple[Any, ...], dict[str, Any]]] = []
        self.backports: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.class_answers: dict[tuple[str, str], Callable[..., Any]] = {}
        self.action_answers: dict[str, Callable[[Any], tuple[dict[str, Any], Any]]] = {}
        self.backported: Any = None

    def object_action(self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        changes = sorted(objinst.obj_what_changed())
        self.actions.append((objinst.obj_name(), objmethod, changes, args, kwargs))
        return self.action_answers.get(objmethod, lambda _: ({}, None))(objinst)

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        assert object_versions[objname], "a class call carries the versions of what it may return"
        self.contexts.append(context)
        self.class_calls.append((objname, objmethod, args, kwargs))
        return self.class_answers[objname, objmethod](context, *args, **kwargs)

    def object_backport_versions(self, context: Any, objinst: Any, object_versions: Any) -> Any:
        self.backports.append((objinst, object_versions))
        return self.backported


@pytest.fixture
def conductor() -> Iterator[RecordingConductor]:
    before = ComputedObject.indirection_api
    recorder = ComputedObject.indirection_api = RecordingConductor()
    yield recorder
    ComputedObject.indirection_api = before
