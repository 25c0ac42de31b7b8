"""Methods that the conductor carries out: what is sent, what is refused, what comes back."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from computed import errors, objects
from computed.context import get_admin_context

UUID = "00000001-0000-4000-8000-000000000001"


def instance(**values: Any) -> Any:
    made = objects.Instance(context=get_admin_context(), uuid=UUID, **values)
    made.obj_reset_changes()
    return made


def test_an_object_without_a_context_cannot_act(conductor: Any) -> None:
    with pytest.raises(errors.OrphanedObjectError):
        objects.Instance(uuid=UUID).save()
    assert conductor.actions == []


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1, 2, 3, 4), {}), ((), {"expected_task_stat": None})], ids=["too many", "misspelt"]
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_sent(
    conductor: Any, args: Any, kwargs: Any
) -> None:
    with pytest.raises(TypeError):
        instance().save(*args, **kwargs)
    with pytest.raises(TypeError):
        objects.Instance.get_by_uuid(get_admin_context())
    assert (conductor.actions, conductor.class_calls) == ([], [])


def test_arguments_are_sent_as_they_were_given(conductor: Any) -> None:
    conductor.class_answers["Instance", "get_by_uuid"] = lambda *args, **kwargs: "answer"
    context = get_admin_context()
    assert objects.Instance.get_by_uuid(context, UUID, expected_attrs=["flavor"]) == "answer"
    assert conductor.class_calls == [("Instance", "get_by_uuid", (UUID,), {"expected_attrs": ["flavor"]})]
    assert conductor.contexts == [context]


def test_an_object_becomes_what_the_conductor_made_of_it(conductor: Any) -> None:
    conductor.action_answers["create"] = lambda _: (
        {"id": 7, "created_at": "2026-01-02T03:04:06Z", "obj_what_changed": ["volume_id"]},
        None,
    )
    bdm = objects.BlockDeviceMapping(context=get_admin_context(), volume_id="volume", instance_uuid=UUID)
    bdm.create()
    assert (bdm.id, bdm.created_at.year) == (7, 2026)
    assert bdm.obj_what_changed() == {"volume_id"}


def test_nested_objects_saved_along_are_not_sent_again(conductor: Any) -> None:
    cache = objects.InstanceInfoCache.new(get_admin_context(), UUID)
    saved = instance(info_cache=cache, vm_state="building")
    cache.network_info = [{"id": "port"}]
    saved.save()
    saved.vm_state = "active"
    saved.save()
    assert [action[2] for action in conductor.actions] == [["info_cache"], ["vm_state"]]


def test_only_a_save_stores_nested_objects(conductor: Any) -> None:
    cache = objects.InstanceInfoCache.new(get_admin_context(), UUID)
    changed = instance(info_cache=cache)
    cache.network_info = [{"id": "port"}]
    changed.drop_migration_context()
    assert changed.obj_what_changed() == {"info_cache"}


def test_the_instance_of_a_saved_device_keeps_its_own_changes(conductor: Any) -> None:
    owner = instance(vm_state="building")
    bdm = objects.BlockDeviceMapping(context=get_admin_context(), instance=owner)
    bdm.obj_reset_changes()
    owner.vm_state = "active"
    bdm.save()
    assert owner.obj_what_changed() == {"vm_state"}


def failing() -> None:
    raise KeyError("lost")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.InstanceNotFound(instance_id=UUID),
            errors.InstanceNotFound(instance_id=UUID).format_message(),
        ),
        (KeyError("secret"), "KeyError"),
        (None, None),
    ],
)
def test_an_error_of_ours_travels_as_its_message_and_others_as_their_class(
    conductor: Any, error: Exception | None, text: str | None
) -> None:
    conductor.class_answers["InstanceActionEvent", "event_finish_with_failure"] = lambda *_, **__: None
    objects.InstanceActionEvent.event_finish_with_failure(
        get_admin_context(), UUID, "compute_stop_instance", exc_val=error, want_result=False
    )
    assert conductor.class_calls[0][3] == {"exc_val": text, "want_result": False}


def test_a_traceback_travels_as_text(conductor: Any) -> None:
    conductor.class_answers["InstanceActionEvent", "event_finish_with_failure"] = lambda *_, **__: None
    try:
        failing()
    except KeyError as exc:
        trace = exc.__traceback__
    objects.InstanceActionEvent.event_finish_with_failure(get_admin_context(), UUID, "event", None, trace)
    sent = conductor.class_calls[0][2]
    assert sent[:3] == (UUID, "event", None)
    assert "in failing" in sent[3]


def test_a_date_among_the_arguments_travels_as_text(conductor: Any) -> None:
    conductor.class_answers["TaskLog", "get"] = lambda *_, **__: None
    begin = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    objects.TaskLog.get(get_admin_context(), "audit", begin, period_ending=begin, host="host")
    assert conductor.class_calls[0][2:] == (
        ("audit", "2026-01-02T03:04:05.000006"),
        {"period_ending": "2026-01-02T03:04:05.000006", "host": "host"},
    )
