"""How a call to a remote can go wrong, in the words of the client that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import oslo_messaging

from computed import errors
from tests.functional.failures.remotes import Answer

UUID: Final = "dddddddd-0000-4000-8000-000000000001"
Act = Callable[[Answer], Any]


class Refusal:
    """An answer of placement."""

    def __init__(self, status: int) -> None:
        self.status_code = status
        self.text = f"answered {status}"

    def json(self) -> dict[str, Any]:
        error = {"status": self.status_code, "detail": self.text, "code": "placement.undefined_code"}
        return {"errors": [error]}


def raising(error: Callable[[], Exception]) -> Act:
    """The remote does nothing, and the client raises."""

    def act(answer: Answer) -> Any:
        raise error()

    return act


def lost(error: Callable[[], Exception]) -> Act:
    """The remote does what it was asked for, and the client never hears of it."""

    def act(answer: Answer) -> Any:
        answer()
        raise error()

    return act


def refused(status: int) -> Act:
    """Placement answers with a status."""
    return lambda answer: Refusal(status)


def _away() -> Exception:
    return errors.ConductorTimeout("the conductor does not answer, as ordered")


def _placement_away() -> Exception:
    return errors.PlacementAPIConnectFailure("placement does not answer, as ordered")


def _cinder_away() -> Exception:
    return errors.CinderConnectionFailed(reason="no answer, as ordered")


def _compute_away() -> Exception:
    return errors.ComputeTimeout("the other compute does not answer, as ordered")


KINDS: Final[Mapping[str, Mapping[str, Act]]] = {
    "conductor": {
        "500": raising(lambda: oslo_messaging.RemoteError("DBError", "as ordered", [])),
        "timeout": raising(_away),
        "lost": lost(_away),
    },
    "network": {
        "404": raising(lambda: errors.PortNotFound(port_id=UUID)),
        "409": raising(lambda: errors.PortInUse(port_id=UUID)),
        "500": raising(lambda: errors.NetworkRequestRefused("neutron says 500, as ordered", 500)),
        "timeout": raising(lambda: errors.NetworkServiceUnavailable("no answer, as ordered")),
    },
    "volumes": {
        "404": raising(lambda: errors.VolumeNotFound(volume_id=UUID)),
        "409": raising(lambda: errors.InvalidInput(reason="the volume is busy, as ordered")),
        "500": raising(_cinder_away),
    },
    "images": {
        "409": raising(lambda: errors.ImageBadRequest(image_id=UUID, response="HTTP 409, as ordered")),
        "500": raising(lambda: errors.GlanceConnectionFailed(server="glance", reason="HTTP 503")),
    },
    "shares": {
        "409": raising(lambda: errors.ShareAccessGrantError(share_id=UUID, reason="HTTP 409, as ordered")),
        "500": raising(lambda: errors.ManilaConnectionFailed(reason="no answer, as ordered")),
    },
    "accelerators": {
        "500": raising(lambda: errors.AcceleratorRequestOpFailed(op="asked", msg="HTTP 500, as ordered")),
    },
    "placement": {
        "404": refused(404),
        "409": refused(409),
        "500": refused(500),
        "timeout": raising(_placement_away),
        "lost": lost(_placement_away),
    },
    "computes": {
        "500": raising(lambda: oslo_messaging.RemoteError("KeyError", "as ordered", [])),
        "timeout": raising(_compute_away),
        "lost": lost(_compute_away),
    },
    "compute_tasks": {"timeout": raising(_away)},
}
"""Remote → kind of failure → what happens instead of the answer."""
