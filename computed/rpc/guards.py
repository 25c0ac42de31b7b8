"""What stands around every operation, in one fixed order, whatever the verb."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.rpc.call import Arguments, Call
from computed.steps.action_events import action_event
from computed.steps.faults import record_fault
from computed.steps.images import removed_on_error
from computed.steps.records import save

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

Guard = Callable[["ComputeHost", Any, Call, Arguments], AbstractContextManager[Any]]


def run_guarded(host: ComputeHost, context: Any, call: Call, arguments: Arguments) -> Any:
    """Run the operation of `call` inside its guards and return what it returns.

    A failure passes the guards from the inside out: the lock is released, the event finished, the task
    state put back, the fault recorded, the exception notified; then the caller gets it.
    """
    with ExitStack() as stack:
        for is_wanted, guard in _GUARDS:
            if is_wanted(call):
                stack.enter_context(guard(host, context, call, arguments))
        return call.operation(host, context, **arguments)


@contextmanager
def _exception_notification(
    host: ComputeHost, context: Any, call: Call, arguments: Arguments
) -> Iterator[None]:
    """Tell those who listen to notifications that the verb failed."""
    try:
        yield
    except Exception as error:
        try:
            host.notifier.exception(context, error, call.name, arguments)
        except Exception as failure:
            LOG.warning("The failure of %s was not notified: %s", call.name, failure)
        raise


@contextmanager
def _instance_fault(host: ComputeHost, context: Any, call: Call, arguments: Arguments) -> Iterator[None]:
    """Leave a fault that the API shows the owner."""
    try:
        yield
    except Exception as error:
        record_fault(host, context, arguments["instance"], error)
        raise


@contextmanager
def _task_state_revert(host: ComputeHost, context: Any, call: Call, arguments: Arguments) -> Iterator[None]:
    """Free the instance for the next verb, unless another verb has taken it over meanwhile."""
    try:
        yield
    except errors.UnexpectedTaskStateError as error:
        LOG.info("%s gave way to another verb: %s", call.name, error.format_message())
        raise
    except Exception:
        _revert_task_state(host, arguments["instance"])
        raise


def _revert_task_state(host: ComputeHost, instance: Any) -> None:
    was = instance.task_state
    if was is None:
        return
    instance.task_state = None
    try:
        save(host, instance, expected=[was])
    except (errors.UnexpectedTaskStateError, errors.InstanceNotFound):
        LOG.info("Instance %s is no longer %s: its task state is left alone", instance.uuid, was)
    except Exception as failure:
        LOG.warning("The task state %s of instance %s was not put back: %s", was, instance.uuid, failure)
    else:
        LOG.info("Instance %s is no longer %s after the failure", instance.uuid, was)


def _action_event(
    host: ComputeHost, context: Any, call: Call, arguments: Arguments
) -> AbstractContextManager[None]:
    assert call.event is not None
    return action_event(host, context, call.event, arguments["instance"].uuid)


@contextmanager
def _migration_error(host: ComputeHost, context: Any, call: Call, arguments: Arguments) -> Iterator[None]:
    """End the migration record too; older callers send none."""
    try:
        yield
    except Exception:
        migration = arguments.get("migration")
        if migration is not None:
            migration.status = "error"
            try:
                migration.save()
            except Exception as failure:
                LOG.warning("Migration %s was not put into error: %s", migration.id, failure)
        raise


def _image_removal(
    host: ComputeHost, context: Any, call: Call, arguments: Arguments
) -> AbstractContextManager[None]:
    """Remove the image that the API made for a snapshot that failed."""
    return removed_on_error(host, context, arguments["instance"], arguments["image_id"])


def _lock(host: ComputeHost, context: Any, call: Call, arguments: Arguments) -> AbstractContextManager[None]:
    assert call.lock is not None
    return host.locks.hold(call.lock(arguments))


# The order, outermost first.
_GUARDS: Final[tuple[tuple[Callable[[Call], bool], Guard], ...]] = (
    (lambda call: call.notify_exception, _exception_notification),
    (lambda call: call.records_fault, _instance_fault),
    (lambda call: call.reverts_task_state, _task_state_revert),
    (lambda call: call.event is not None, _action_event),
    (lambda call: call.errors_out_migration, _migration_error),
    (lambda call: call.deletes_image_on_error, _image_removal),
    (lambda call: call.lock is not None, _lock),
)
