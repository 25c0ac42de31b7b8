"""The last look at a server group's policy, on the host itself, after the scheduler's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oslo_utils import uuidutils

from computed import errors, objects

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost


def group_hint(request_spec: Any, filter_properties: Mapping[str, Any] | None) -> str | None:
    """The server group that the user asked for, by uuid or name.

    A request specification keeps hints as lists; one that came by way of a reschedule may have none.
    """
    hints: Mapping[str, Any] = {}
    if request_spec is not None and request_spec.obj_attr_is_set("scheduler_hints"):
        hints = request_spec.scheduler_hints or {}
    hint = (hints or (filter_properties or {}).get("scheduler_hints") or {}).get("group")
    return (hint[0] if hint else None) if isinstance(hint, list) else hint


def check_group_policy(host: ComputeHost, context: Any, instance: Any, hint: str | None) -> None:
    """Raise GroupAffinityViolation if the instance must not be on this host together with its group.

    Two builds may have been scheduled at once. By now the instance's record must name this host, so that
    of two builds on one host at least the later one sees the other.
    """
    if not hint or host.conf.workarounds.disable_group_policy_check_upcall:
        return
    by_uuid = uuidutils.is_uuid_like(hint)
    try:
        find = objects.InstanceGroup.get_by_uuid if by_uuid else objects.InstanceGroup.get_by_name
        group = find(context, hint)
    except errors.InstanceGroupNotFound:
        return
    _check(host, context, instance, group)


def check_own_group(host: ComputeHost, context: Any, instance: Any) -> None:
    """Raise GroupAffinityViolation if the instance, which is elsewhere, must not come to this host together
    with its group. An instance in no group never gets into one, so it is asked about once only."""
    if host.conf.workarounds.disable_group_policy_check_upcall or instance.uuid in host.ungrouped:
        return
    try:
        group = objects.InstanceGroup.get_by_instance_uuid(context, instance.uuid)
    except errors.InstanceGroupNotFound:
        host.ungrouped.add(instance.uuid)
        return
    _check(host, context, instance, group)


def _check(host: ComputeHost, context: Any, instance: Any, group: Any) -> None:
    with host.locks.hold(f"group-{group.uuid}"):
        if group.policy == "anti-affinity":
            _check_apart(host, context, instance, group)
        elif group.policy == "affinity":
            hosts = group.get_hosts(exclude=[instance.uuid])
            if hosts and host.name not in hosts:
                raise errors.GroupAffinityViolation(instance_uuid=instance.uuid, policy="Affinity")


def _check_apart(host: ComputeHost, context: Any, instance: Any, group: Any) -> None:
    here = set(objects.InstanceList.get_uuids_by_host(context, host.name))
    for nodename in host.tracker.nodenames():
        coming = objects.MigrationList.get_in_progress_by_host_and_node(context, host.name, nodename)
        here |= {migration.instance_uuid for migration in coming}
    others = here & set(group.members or ()) - {instance.uuid}
    rules = group._rules if group.obj_attr_is_set("_rules") else {}
    if len(others) >= int(rules.get("max_server_per_host", 1)):
        raise errors.GroupAffinityViolation(instance_uuid=instance.uuid, policy="Anti-affinity")
