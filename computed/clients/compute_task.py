"""The conductor as the runner of workflows that this host hands back, such as a build for another host."""

from __future__ import annotations

from typing import Any

import oslo_messaging

from computed.clients.conductor import CONDUCTOR_TOPIC
from computed.clients.messaging import bus_errors, rpc_client


class ComputeTaskClient:
    """Namespace `compute_task` of the conductor (contract: conductor_rpc.json, compute_task).

    Casts: the conductor has the message when a method returns, not more. Raises ConductorUnavailable.
    """

    def __init__(self, transport: Any, serializer: Any) -> None:
        target = oslo_messaging.Target(topic=CONDUCTOR_TOPIC, namespace="compute_task", version="1.0")
        self._client = rpc_client(transport, target, serializer)

    def build_instances(  # noqa: PLR0913 (the arguments of the RPC)
        self,
        context: Any,
        *,
        instances: list[Any],
        image: dict[str, Any],
        filter_properties: dict[str, Any],
        admin_password: str | None,
        injected_files: list[Any] | None,
        requested_networks: Any,
        security_groups: list[str] | None,
        request_spec: Any,
        host_lists: list[Any] | None,
    ) -> None:
        """Ask for the instances to be built on another host of `host_lists`, one list an instance."""
        self._cast(
            context,
            "build_instances",
            "1.19",
            instances=instances,
            image=image,
            filter_properties=filter_properties,
            admin_password=admin_password,
            injected_files=injected_files,
            requested_networks=requested_networks,
            security_groups=security_groups,
            request_spec=request_spec,
            host_lists=host_lists,
        )

    def resize_instance(  # noqa: PLR0913 (the arguments of the RPC)
        self,
        context: Any,
        *,
        instance: Any,
        scheduler_hint: dict[str, Any],
        flavor: Any,
        clean_shutdown: bool = True,
        request_spec: Any = None,
        host_list: list[Any] | None = None,
    ) -> None:
        """Ask for a resize or cold migration to be tried on another host of `host_list`."""
        self._cast(
            context,
            "migrate_server",
            "1.20",
            instance=instance,
            scheduler_hint=scheduler_hint,
            live=False,
            rebuild=False,
            flavor=flavor,
            block_migration=None,
            disk_over_commit=None,
            reservations=None,
            clean_shutdown=clean_shutdown,
            request_spec=request_spec,
            host_list=host_list,
        )

    def confirm_snapshot_based_resize(self, context: Any, *, instance: Any, migration: Any) -> None:
        """Ask for a finished resize between cells to be confirmed."""
        self._cast(context, "confirm_snapshot_based_resize", "1.22", instance=instance, migration=migration)

    def _cast(self, context: Any, method: str, version: str, **arguments: Any) -> None:
        with bus_errors(f"compute_task {method}"):
            self._client.prepare(version=version).cast(context, method, **arguments)
