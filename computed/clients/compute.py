"""The other computes, as this agent calls them during moves of instances."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import oslo_messaging

from computed import errors, objects
from computed.clients.messaging import bus_errors, rpc_client
from computed.context import get_admin_context
from computed.objects.service import COMPUTE_BINARY

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

TOPIC: Final = "compute"
ALTERNATE_TOPIC: Final = "compute-alt"
CURRENT: Final = "6.5"

# Contract: compute_rpc.json, target.client_version_aliases; older majors are not spoken here.
RELEASES: Final[Mapping[str, str]] = {
    "queens": "5.0",
    "rocky": "5.0",
    "stein": "5.1",
    "train": "5.3",
    "ussuri": "5.11",
    "victoria": "5.12",
    "wallaby": "6.0",
    "xena": "6.0",
    "yoga": "6.0",
    "zed": "6.1",
    "antelope": "6.2",
    "bobcat": "6.2",
    "caracal": "6.3",
    "dalmatian": "6.3",
    "epoxy": "6.4",
    "flamingo": "6.4",
    "gazpacho": "6.5",
    "hibiscus": "6.5",
}
# Contract: service.json, history: from which service version on which RPC version is spoken.
_BY_SERVICE_VERSION: Final = (
    (71, "6.5"),
    (68, "6.4"),
    (67, "6.3"),
    (66, "6.2"),
    (64, "6.1"),
    (56, "6.0"),
    (54, "5.13"),
    (53, "5.12"),
    (50, "5.11"),
    (47, "5.10"),
    (46, "5.9"),
    (45, "5.8"),
    (44, "5.7"),
    (43, "5.6"),
    (42, "5.5"),
    (41, "5.4"),
    (40, "5.3"),
    (39, "5.2"),
    (37, "5.1"),
    (30, "5.0"),
)


def release_of(version: str | None) -> str:
    """The newest RPC version that `[upgrade_levels]compute` allows, other than for `auto`.

    Raises ConfigError for a release or version that this agent does not speak.
    """
    cap = RELEASES.get(version or CURRENT, version or CURRENT)
    if _numbers(cap)[0] not in (5, 6):
        raise errors.ConfigError(f"[upgrade_levels]compute = {version}: this agent speaks 5.0 to {CURRENT}")
    return cap


def of_service_version(minimum: int) -> str:
    """The RPC version that computes of this service version and newer ones speak; raises ServiceTooOld.

    0 means that no compute is known: then the current one.
    """
    if minimum == 0:
        return CURRENT
    for since, version in _BY_SERVICE_VERSION:
        if minimum >= since:
            return version
    raise errors.ServiceTooOld(thisver=minimum, minver=_BY_SERVICE_VERSION[-1][0])


def _numbers(version: str) -> tuple[int, int]:
    try:
        major, _, minor = version.partition(".")
        return int(major), int(minor or 0)
    except ValueError:
        raise errors.ConfigError(f"{version!r} is no RPC version and no release") from None


@dataclass(frozen=True, slots=True)
class Form:
    """One way to send a method: since which version, with which arguments (wire name, our name if other)."""

    version: str
    arguments: tuple[str, ...]
    renames: Mapping[str, str] = field(default_factory=dict)
    adds: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, cap: str) -> bool:
        """Whether a receiver of version `cap` understands it."""
        (major, minor), (cap_major, cap_minor) = _numbers(self.version), _numbers(cap)
        return major == cap_major and minor <= cap_minor

    def fill(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they go on the wire."""
        known = {**self.adds, **given}
        return {name: known[self.renames.get(name, name)] for name in self.arguments}


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the other side: its forms, newest first, and whether it may take minutes."""

    forms: tuple[Form, ...]
    uses_alternate_topic: bool = True
    is_long: bool = False


def _form(version: str, arguments: str, **more: Any) -> Form:
    return Form(version, tuple(arguments.split()), **more)


_OLD_FLAVOR: Final = {"instance_type": "flavor"}
_BLOCK: Final = {"block_migration": None}

# Contract: compute_rpc.json, client_6_5 and client_differs_at_version_cap.
METHODS: Final[Mapping[str, Method]] = {
    "resize_instance": Method(
        (
            _form("6.0", "instance migration image flavor clean_shutdown request_spec"),
            _form(
                "5.2",
                "instance migration image instance_type clean_shutdown request_spec",
                renames=_OLD_FLAVOR,
            ),
            _form("5.0", "instance migration image instance_type clean_shutdown", renames=_OLD_FLAVOR),
        )
    ),
    "finish_resize": Method(
        (
            _form("6.0", "instance migration image disk_info request_spec"),
            _form("5.2", "instance migration image disk_info request_spec"),
            _form("5.0", "instance migration image disk_info"),
        )
    ),
    "finish_revert_resize": Method(
        (
            _form("6.0", "instance migration request_spec"),
            _form("5.2", "instance migration request_spec"),
            _form("5.0", "instance migration"),
        )
    ),
    "confirm_resize": Method(
        (_form("6.0", "instance migration"), _form("5.0", "instance migration")), uses_alternate_topic=False
    ),
    "drop_move_claim_at_destination": Method((_form("6.0", "instance"), _form("5.3", "instance"))),
    "check_can_live_migrate_source": Method(
        (_form("6.0", "instance dest_check_data"), _form("5.0", "instance dest_check_data")),
        uses_alternate_topic=False,
    ),
    "check_instance_shared_storage": Method((_form("6.0", "data"), _form("5.0", "instance data"))),
    "pre_live_migration": Method(
        (
            _form("6.0", "instance disk migrate_data"),
            _form("5.0", "instance block_migration disk migrate_data", adds=_BLOCK),
        ),
        is_long=True,
    ),
    "post_live_migration_at_destination": Method(
        (_form("6.0", "instance block_migration"), _form("5.0", "instance block_migration")), is_long=True
    ),
    "rollback_live_migration_at_destination": Method(
        (
            _form("6.0", "instance destroy_disks migrate_data"),
            _form("5.0", "instance destroy_disks migrate_data"),
        )
    ),
    "remove_volume_connection": Method(
        (
            _form("6.3", "instance volume_id delete_attachment"),
            _form("6.0", "instance volume_id"),
            _form("5.0", "instance volume_id"),
        )
    ),
}


class ComputeClient:
    """RPC to other computes by host name, in the newest version that they all speak.

    A cast is done when the bus has the message. Raises ComputeUnavailable when that cannot be delivered,
    ComputeTimeout when a call is not answered in time (whether the other side acted is not known),
    RPCVersionCapError (oslo.messaging) when the pinned version has no such method, and what the other side
    raises.
    """

    def __init__(
        self,
        transport: Any,
        serializer: Any,
        *,
        pin: str | None = None,
        long_seconds: int = 1800,
        minimum_version: Callable[[], int] | None = None,
    ) -> None:
        """`pin` is `[upgrade_levels]compute`; `minimum_version` answers for `auto` what the oldest compute
        is (a service version). Raises ConfigError."""
        self._client = rpc_client(transport, oslo_messaging.Target(topic=TOPIC, version="6.0"), serializer)
        self._conf = transport.conf
        self._long_seconds = long_seconds
        self._minimum_version = minimum_version or _ask_minimum_version
        self._pin = None if pin == "auto" else release_of(pin)
        self._version = self._pin

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts, transport: Any, serializer: Any) -> ComputeClient:
        """As the options say."""
        return cls(transport, serializer, pin=conf.upgrade_levels.compute, long_seconds=conf.long_rpc_timeout)

    @property
    def version(self) -> str:
        """The newest version to send; with the pin `auto` asked of the conductor once."""
        if self._version is not None:
            return self._version
        minimum = self._minimum_version()
        version = of_service_version(minimum)
        if minimum:
            self._version = version
            LOG.info("Other computes are called in version %s (oldest service: %d)", version, minimum)
        return version

    def forget_version(self) -> None:
        """With the pin `auto` ask again what the others speak: they may have been upgraded (SIGHUP)."""
        self._version = self._pin

    def resize_instance(  # noqa: PLR0913 (the arguments of the RPC)
        self,
        context: Any,
        host: str,
        *,
        instance: Any,
        migration: Any,
        image: Mapping[str, Any],
        flavor: Any,
        clean_shutdown: bool,
        request_spec: Any,
    ) -> None:
        """Destination to source: there is room here, send the disks."""
        self._cast(
            context,
            host,
            "resize_instance",
            instance=instance,
            migration=migration,
            image=image,
            flavor=flavor,
            clean_shutdown=clean_shutdown,
            request_spec=request_spec,
        )

    def finish_resize(  # noqa: PLR0913 (the arguments of the RPC)
        self,
        context: Any,
        host: str,
        *,
        instance: Any,
        migration: Any,
        image: Mapping[str, Any],
        disk_info: str | None,
        request_spec: Any,
    ) -> None:
        """Source to destination: the disks are with you, start the guest."""
        self._cast(
            context,
            host,
            "finish_resize",
            instance=instance,
            migration=migration,
            image=image,
            disk_info=disk_info,
            request_spec=request_spec,
        )

    def finish_revert_resize(
        self, context: Any, host: str, *, instance: Any, migration: Any, request_spec: Any
    ) -> None:
        """Destination to source: the guest is gone here, start it again where it was."""
        self._cast(
            context,
            host,
            "finish_revert_resize",
            instance=instance,
            migration=migration,
            request_spec=request_spec,
        )

    def confirm_resize(self, context: Any, host: str, *, instance: Any, migration: Any) -> None:
        """Destination to source, when nobody else does: remove what is kept for a way back."""
        self._cast(context, host, "confirm_resize", instance=instance, migration=migration)

    def drop_move_claim_at_destination(self, context: Any, host: str, *, instance: Any) -> None:
        """Source to destination: give up the place of a live migration that failed."""
        self._call(context, host, "drop_move_claim_at_destination", instance=instance)

    def check_can_live_migrate_source(
        self, context: Any, host: str, *, instance: Any, dest_check_data: Any
    ) -> Any:
        """Destination to source: may it leave? Answers the data, filled in (LiveMigrateData)."""
        return self._call(
            context,
            host,
            "check_can_live_migrate_source",
            instance=instance,
            dest_check_data=dest_check_data,
        )

    def check_instance_shared_storage(self, context: Any, host: str, *, instance: Any, data: Any) -> bool:
        """Whether the other host sees what the driver here has put down (`data` is the drivers' own)."""
        return bool(self._call(context, host, "check_instance_shared_storage", instance=instance, data=data))

    def pre_live_migration(
        self, context: Any, host: str, *, instance: Any, disk: Any, migrate_data: Any
    ) -> Any:
        """Source to destination: make everything ready; answers the LiveMigrateData, filled in."""
        return self._call(
            context, host, "pre_live_migration", instance=instance, disk=disk, migrate_data=migrate_data
        )

    def post_live_migration_at_destination(
        self, context: Any, host: str, *, instance: Any, block_migration: bool | None
    ) -> None:
        """Source to destination: the guest is yours now."""
        self._call(
            context,
            host,
            "post_live_migration_at_destination",
            instance=instance,
            block_migration=block_migration,
        )

    def rollback_live_migration_at_destination(
        self, context: Any, host: str, *, instance: Any, destroy_disks: bool, migrate_data: Any
    ) -> None:
        """Source to destination: it stays here, clean up what was made ready."""
        self._cast(
            context,
            host,
            "rollback_live_migration_at_destination",
            instance=instance,
            destroy_disks=destroy_disks,
            migrate_data=migrate_data,
        )

    def remove_volume_connection(
        self, context: Any, host: str, *, instance: Any, volume_id: str, delete_attachment: bool = False
    ) -> None:
        """Disconnect a volume from the other host."""
        self._call(
            context,
            host,
            "remove_volume_connection",
            instance=instance,
            volume_id=volume_id,
            delete_attachment=delete_attachment,
        )

    def _cast(self, context: Any, host: str, name: str, **given: Any) -> None:
        client, arguments = self._prepare(host, name, given)
        with _errors(name, host):
            client.cast(context, name, **arguments)

    def _call(self, context: Any, host: str, name: str, **given: Any) -> Any:
        client, arguments = self._prepare(host, name, given)
        with _errors(name, host):
            return client.call(context, name, **arguments)

    def _prepare(self, host: str, name: str, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        method, cap = METHODS[name], self.version
        form = next((form for form in method.forms if form.fits(cap)), None)
        if form is None:
            raise oslo_messaging.RPCVersionCapError(version=method.forms[-1].version, version_cap=cap)
        options: dict[str, Any] = {"server": host, "version": form.version}
        if method.uses_alternate_topic and _numbers(cap) >= _numbers("6.5"):
            options["topic"] = ALTERNATE_TOPIC
        if method.is_long:
            options |= {
                "timeout": self._long_seconds,
                "call_monitor_timeout": self._conf.rpc_response_timeout,
            }
        return self._client.prepare(**options), form.fill(given)


def _errors(name: str, host: str) -> Any:
    return bus_errors(
        f"{name} on {host}", unavailable=errors.ComputeUnavailable, timeout=errors.ComputeTimeout
    )


def _ask_minimum_version() -> int:
    return int(objects.Service.get_minimum_version(get_admin_context(), COMPUTE_BINARY))
