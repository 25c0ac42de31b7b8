"""Marks an instance as broken when what is done to its guest fails half-way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.steps.records import save, set_error

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@contextmanager
def erring(host: ComputeHost, instance: Any, *, back_to: str) -> Iterator[None]:
    """Put the instance into ERROR when the block fails, and raise the failure.

    Two failures say that nothing has happened to the guest: NotImplementedError and InstanceFaultRollback.
    After them the instance is `back_to` (a vm_state) with no task; of the latter the failure inside it is
    raised. The task state of an instance in ERROR is left to the guards. One that is being deleted is left
    alone: its deletion says what becomes of it.
    """
    try:
        yield
    except NotImplementedError:
        _put_back(host, instance, back_to)
        raise
    except errors.InstanceFaultRollback as error:
        _put_back(host, instance, back_to)
        raise (error.inner_exception or error) from error
    except errors.UnexpectedDeletingTaskStateError:
        raise
    except Exception:
        set_error(host, instance)
        raise


def _put_back(host: ComputeHost, instance: Any, vm_state: str) -> None:
    LOG.info("Instance %s is %s as before: nothing has happened to its guest", instance.uuid, vm_state)
    instance.vm_state = vm_state
    instance.task_state = None
    try:
        save(host, instance)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone", instance.uuid)
