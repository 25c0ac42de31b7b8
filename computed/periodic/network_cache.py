"""Refreshes the network information of one instance after the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import TaskState, VmState
from computed.steps import network
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_UNBOUND: Final = frozenset({"unbound", "binding_failed"})


class Healer:
    """One instance at a run, so that many instances do not ask for everything at once."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = {}

    def __call__(self, host: ComputeHost, context: Any) -> None:
        """Refresh the next instance of the host; ports that lost their binding are bound again."""
        instance = self._next(host, context)
        if instance is None:
            return
        try:
            network.refresh(host, context, instance)
            if instance.task_state is None and any(
                vif["type"] in _UNBOUND for vif in network.cached(instance)
            ):
                LOG.warning("Instance %s has ports that are not bound; they are bound anew", instance.uuid)
                host.network.bind_to_host(context, instance, host=host.name)
                network.refresh(host, context, instance)
        except errors.NotFound as error:
            LOG.debug("Instance %s is gone: %s", instance.uuid, error)
        except errors.NetworkServiceUnavailable as error:
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
