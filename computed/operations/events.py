"""What other services say about servers: ports plugged, changed and deleted, and the like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import DELETING_STATES, ExternalEventName, PowerUpdate, TaskState
from computed.steps import network
from computed.steps.volume_extend import extend

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

Handler = Callable[["ComputeHost", Any, Any, Any], None]


def external_instance_event(
    host: ComputeHost, context: RequestContext, *, instances: Sequence[Any], events: Sequence[Any]
) -> None:
    """Take note of events, each for one of `instances`; one that cannot be handled does not stop the rest."""
    by_uuid = {instance.uuid: instance for instance in instances}
    for event in events:
        instance = by_uuid.get(event.instance_uuid)
        if instance is None:
            LOG.warning("Event %s is for an instance that was not sent along", event.key)
            continue
        try:
            _HANDLERS.get(event.name, _deliver)(host, context, instance, event)
        except errors.NotFound as error:
            LOG.info("Event %s of instance %s comes too late: %s", event.key, instance.uuid, error)
        except Exception:
            LOG.exception("Event %s of instance %s could not be handled", event.key, instance.uuid)


def _deliver(host: ComputeHost, context: Any, instance: Any, event: Any) -> None:
    """Wake who waits for the event."""
    if host.events.deliver(event):
        return
    is_expected = event.name == ExternalEventName.NETWORK_VIF_UNPLUGGED and instance.task_state in (
        *DELETING_STATES,
        TaskState.MIGRATING,
    )
    LOG.log(
        logging.DEBUG if is_expected else logging.INFO,
        "Nobody waits for event %s of instance %s (%s, %s)",
        event.key,
        instance.uuid,
        instance.vm_state,
        instance.task_state,
    )


def _network_changed(host: ComputeHost, context: Any, instance: Any, event: Any) -> None:
    network.refresh(host, context, instance, keep_vanished=True)


def _interface_deleted(host: ComputeHost, context: Any, instance: Any, event: Any) -> None:
    """The port was deleted under the guest: take the interface out of it and of the cache."""
    with network.cache_lock(host, instance):
        known = network.fresh(instance)
        vif = next((vif for vif in known if vif["id"] == event.tag), None)
        if vif is None:
            return
        LOG.info("Port %s of instance %s was deleted: its interface goes too", event.tag, instance.uuid)
        if vif.has_allocation():
            LOG.error(
                "Placement keeps what port %s held of %s until instance %s is deleted: detach ports first",
                event.tag,
                vif["profile"]["allocation"],
                instance.uuid,
            )
        try:
            host.driver.detach_interface(context, instance, vif)
        except errors.InstanceNotFound:
            LOG.debug("Instance %s has no guest to take an interface out of", instance.uuid)
        except (errors.NovaException, NotImplementedError) as error:
            LOG.warning("Interface %s stays in the guest %s: %s", event.tag, instance.uuid, error)
        network.remember(instance, type(known)(other for other in known if other is not vif))
        instance.info_cache.save()


def _volume_extended(host: ComputeHost, context: Any, instance: Any, event: Any) -> None:
    extend(host, context, instance, event.tag)


def _power_update(host: ComputeHost, context: Any, instance: Any, event: Any) -> None:
    """The guest was switched from outside: a verb of its own, with all its guards."""
    if event.tag not in set(PowerUpdate):
        LOG.warning("Event %s of instance %s: nobody can be switched so", event.key, instance.uuid)
        return
    host.own_calls("power_update", context, instance=instance, target_power_state=event.tag)


_HANDLERS: Final[Mapping[str, Handler]] = {
    ExternalEventName.NETWORK_CHANGED: _network_changed,
    ExternalEventName.NETWORK_VIF_DELETED: _interface_deleted,
    ExternalEventName.VOLUME_EXTENDED: _volume_extended,
    ExternalEventName.POWER_UPDATE: _power_update,
}
