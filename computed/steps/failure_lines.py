"""What an operator reads of a leg that failed: at which stage, whose doing, and what to do next."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Final

from computed import errors
from computed.errors import accelerator, base, image, network, placement, share, volume

LOG = logging.getLogger(__name__)

_OWN: Final = (
    # no place on this host, whatever placement says
    (errors.ComputeResourcesUnavailable, "this host"),
    (errors.ConductorUnavailable, "the conductor"),
    (errors.ComputeUnavailable, "the other compute"),
    ((errors.NetworkServiceUnavailable, errors.NetworkRequestRefused, errors.PortLimitExceeded), "neutron"),
    ((errors.HypervisorUnavailable, errors.LibvirtFailed), "the hypervisor"),
)
_NOUNS: Final = (
    (placement, "placement"),
    (network, "neutron"),
    (volume, "cinder"),
    (image, "glance"),
    (share, "manila"),
    (accelerator, "cyborg"),
)
_QUIET: Final = (errors.InstanceNotFound, errors.UnexpectedTaskStateError)


def remote_of(error: BaseException) -> str:
    """Who the error comes from, as far as its class, or that of what caused it, tells."""
    cause: BaseException | None = error
    while cause is not None:
        for classes, name in _OWN:
            if isinstance(cause, classes):
                return name
        of = type(cause)
        # By where it stands: of most its `__module__` is nova's, as it goes on the wire.
        for nouns, name in _NOUNS:
            if getattr(nouns, of.__name__, None) is of and not hasattr(base, of.__name__):
                return name
        cause = cause.__cause__
    return "none named"


def tell(what: str, stage: str, error: BaseException, remedy: str, *, with_traceback: bool = True) -> None:
    """Log that `what` failed; `remedy` says what the operator is to do."""
    words = f"{type(error).__name__}: {errors.fault_message(error)}"
    LOG.error(
        "%s fails at stage %s, remote %s: %s; %s",
        what,
        stage,
        remote_of(error),
        words,
        remedy,
        exc_info=error if with_traceback else None,
    )


def leg(stage: str, remedy: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates one leg of a resize: tells its failure, but not that it gave way to a deletion."""

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def told(*given: Any, **named: Any) -> None:
            try:
                run(*given, **named)
            except _QUIET:
                raise
            except Exception as error:
                migration = named.get("migration")
                what = f"Migration {migration and migration.uuid} of instance {named['instance'].uuid}"
                # With its traceback it is logged where the message came in.
                tell(what, stage, error, remedy, with_traceback=False)
                raise

        return told

    return decorate
