"""An instance's volumes when its guest leaves this host: given back, deleted with it, or let go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.steps.patience import insistently
from computed.steps.volumes import connection_of, volume_bdms

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@contextmanager
def shared_volumes(host: ComputeHost, bdms: Iterable[Any]) -> Iterator[None]:
    """Held while an instance goes that shares volumes with others of this host: one goes after the other."""
    shared = {bdm.volume_id for bdm in volume_bdms(bdms) if connection_of(bdm).get("multiattach")}
    with ExitStack() as stack:
        for volume_id in sorted(shared):
            stack.enter_context(host.locks.hold(f"volume-{volume_id}"))
        yield


def leave(
    host: ComputeHost,
    context: Any,
    instance: Any,
    bdms: Iterable[Any],
    attachment_ids: Sequence[str | None] | None = None,
) -> None:
    """The source of a move is done with the volumes: delete its attachments, by default those of `bdms`.

    What fails is logged: the guest lives elsewhere already.
    """
    volumes = volume_bdms(bdms)
    if attachment_ids is None:
        attachment_ids = [bdm.attachment_id for bdm in volumes]
    for attachment_id in attachment_ids:
        if attachment_id is not None:
            complaint = f"attachment {attachment_id} is not deleted"
            _try(host, instance, complaint, partial(host.volumes.attachment_delete, context, attachment_id))
    for bdm in volumes:
        if bdm.attachment_id is None:
            complaint = f"volume {bdm.volume_id} stays connected here"
            _try(host, instance, complaint, partial(_terminate, host, context, instance, bdm))


def leave_elsewhere(
    host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any], known: Iterable[str | None]
) -> None:
    """The instance has been evacuated to here: delete its attachments that `bdms` do not name. Those are the
    `known` ones, and what a crash has left of others. Never raises."""
    volumes = volume_bdms(bdms)
    ours = {bdm.attachment_id for bdm in volumes} - {None}
    if not ours:
        return
    # The volume service lists old-style attachments too, which no mapping names: they are in use here.
    old_style = {bdm.volume_id for bdm in volumes if bdm.attachment_id is None}
    old = set(known)
    try:
        found = host.volumes.attachments(context, instance.uuid)
        old |= {each.id for each in found if each.volume_id not in old_style}
    except Exception as error:
        LOG.warning("Instance %s may keep attachments elsewhere: %s", instance.uuid, error)
    leave(host, context, instance, (), list(old - ours))


def release(host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any]) -> None:
    """The instance goes for good, its guest is gone: give its volumes back, delete those that go with it.

    What fails is logged and the deletion goes on, as users must be able to get rid of a server.
    """
    volumes = volume_bdms(bdms)
    for bdm in volumes:
        if bdm.volume_id is not None:
            complaint = f"volume {bdm.volume_id} stays attached"
            _try(host, instance, complaint, partial(let_go, host, context, instance, bdm))
    for bdm in volumes:
        if bdm.volume_id is not None and bdm.delete_on_termination:
            complaint = f"volume {bdm.volume_id} is not deleted"
            _try(host, instance, complaint, partial(host.volumes.delete, context, bdm.volume_id))


def let_go(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    """Disconnect one volume from this host and give it back; the mapping is not changed.

    A mapping without attachment is an old-style one, or an agent was killed before it could write down the
    attachment that it had made.
    """
    known = [bdm.attachment_id]
    if bdm.attachment_id is None:
        found = host.volumes.attachments(context, instance.uuid)
        known = [attachment.id for attachment in found if attachment.volume_id == bdm.volume_id]
    for attachment_id in known:
        host.volumes.attachment_delete(context, attachment_id)
    if known:
        return
    _terminate(host, context, instance, bdm)
    host.volumes.detach(context.elevated(), bdm.volume_id, instance.uuid)


def _terminate(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    connector = host.driver.volume_connector(instance)
    # An old-style connection of another host is ended with the connector it was made with.
    made_with = connection_of(bdm).get("connector")
    if made_with and made_with.get("host") != connector.get("host"):
        connector = made_with
    host.volumes.terminate_connection(context, bdm.volume_id, connector)


def _try(host: ComputeHost, instance: Any, complaint: str, deed: Callable[[], None]) -> None:
    what = f"Volumes of instance {instance.uuid}"
    gone = (errors.VolumeNotFound,)
    try:
        insistently(what, deed, stopping=host.stopping, final=gone)
    except errors.VolumeNotFound as error:
        LOG.debug("Instance %s: %s", instance.uuid, error)
    except Exception as error:
        LOG.warning("Instance %s: %s, see to it in the volume service: %s", instance.uuid, complaint, error)
