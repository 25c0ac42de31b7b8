"""Refreshes the network information of one instance after the other."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import TaskState, VmState
from computed.steps import network
from computed.steps.guest import PARTS
from computed.steps.power import has_guest

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


class Healer:
    """One instance at a run, so that many instances do not ask for everything at once."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = {}

    def __call__(self, host: ComputeHost, context: Any) -> None:
        """Refresh the next instance of the host; ports that lost their binding, or that a move has left bound
        to another host, are bound again."""
        instance = self._next(host, context)
        if instance is None:
            return
        try:
            elsewhere = network.locate(host, context, instance) - {host.name}
            is_unbound = network.has_unbound(network.cached(instance))
            if instance.task_state is None and (elsewhere or is_unbound):
                _bind_anew(host, context, instance, elsewhere)
        except errors.NotFound as error:
            LOG.debug("Instance %s is gone: %s", instance.uuid, error)
        except (errors.NetworkServiceUnavailable, errors.HypervisorUnavailable) as error:
            LOG.warning("The network of instance %s cannot be looked at now: %s", instance.uuid, error)

    def _next(self, host: ComputeHost, context: Any) -> Any:
        waiting = self._waiting.setdefault(host.name, [])
        if not waiting:
            everything = objects.InstanceList.get_by_host(
                context, host.name, expected_attrs=[], use_slave=True
            )
            waiting.extend(instance.uuid for instance in everything if _is_settled(instance))
        while waiting:
            try:
                instance = objects.Instance.get_by_uuid(
                    context, waiting.pop(0), expected_attrs=list(PARTS), use_slave=True
                )
            except errors.InstanceNotFound:
                continue
            if _is_settled(instance) and instance.host == host.name:
                return instance
        return None


def _is_settled(instance: Any) -> bool:
    return bool(instance.vm_state != VmState.BUILDING and instance.task_state != TaskState.DELETING)


def _bind_anew(host: ComputeHost, context: Any, instance: Any, elsewhere: Set[str]) -> None:
    with host.locks.try_hold(instance.uuid) as is_free:
        if is_free:
            # What was read of it may be old, and a move may have begun since.
            instance.refresh()
        if not is_free or instance.task_state is not None or instance.host != host.name:
            LOG.debug("Instance %s is being worked on", instance.uuid)
        elif elsewhere and not _is_at_home(host, context, instance):
            LOG.info("Instance %s has ports on %s and may be there", instance.uuid, ", ".join(elsewhere))
        else:
            where = f"bound to {', '.join(sorted(elsewhere))}" if elsewhere else "not bound"
            LOG.warning("Instance %s has ports that are %s; they are bound anew", instance.uuid, where)
            providers = network.providers_held(host, context, instance)
            host.network.bind_to_host(context, instance, host=host.name, providers=providers)
            network.refresh(host, context, instance)


def _is_at_home(host: ComputeHost, context: Any, instance: Any) -> bool:
    """Whether the ports are wanted here and nowhere else. The record alone does not tell: that of an instance
    which another cell tries out is hidden, and the guest of a lost live migration may be at either end."""
    if instance.hidden or not has_guest(host, instance):
        return False
    return not objects.MigrationList.get_in_progress_by_instance(context, instance.uuid)
