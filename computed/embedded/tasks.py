"""The RPC endpoint for workflows that a compute hands back: a build that is to be tried elsewhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import oslo_messaging as messaging

from computed import errors, objects
from computed.embedded.conductor.primitives import DATA, Envelope
from computed.embedded.launch import Launcher
from computed.embedded.scheduler import OneHostScheduler

LOG = logging.getLogger(__name__)


class ComputeTaskEndpoint:
    """Namespace `compute_task` (version 1.26) as far as a compute calls it."""

    target = messaging.Target(namespace="compute_task", version="1.26")

    def __init__(self, scheduler: OneHostScheduler, launcher: Launcher, network: Any) -> None:
        self._scheduler = scheduler
        self._launcher = launcher
        self._network = network
        self.on_migrate: Callable[..., None] | None = None
        """Who moves servers to another host, if there is one: gets the arguments of migrate_server."""

    def build_instances(  # noqa: PLR0913 (the arguments of the RPC)
        self,
        context: Any,
        instances: Sequence[Envelope],
        image: Any,
        filter_properties: dict[str, Any],
        admin_password: str | None,
        injected_files: Any,
        requested_networks: Any,
        security_groups: Any,
        block_device_mapping: Any = None,
        legacy_bdm: bool = True,
        request_spec: Envelope | None = None,
        host_lists: Sequence[Sequence[Envelope]] | None = None,
    ) -> None:
        """Try a build on the next node of its list; without one the instance ends in ERROR."""
        build = {
            "request_spec": request_spec,
            "image": image,
            "requested_networks": requested_networks,
            "injected_files": injected_files,
            "security_groups": security_groups,
            "admin_password": admin_password,
        }
        for number, instance in enumerate(instances):
            uuid = instance[DATA]["uuid"]
            hosts = [objects.Selection.obj_from_primitive(host) for host in (host_lists or [()])[number]]
            properties = _next_attempt(filter_properties)
            try:
                left = self._claim(context, uuid, request_spec, hosts, properties)
                self._launcher.send(context, uuid, left, {**build, "filter_properties": properties})
            except errors.InstanceNotFound:
                LOG.info("Instance %s is gone and is not built again", uuid)
                self._scheduler.release(context, uuid)
            except Exception as error:
                self._clean_up(context, uuid, instance)
                self._launcher.give_up(context, uuid, error, properties["retry"].get("exc_reason"))

    def _claim(
        self,
        context: Any,
        uuid: str,
        request_spec: Envelope | None,
        hosts: list[objects.Selection],
        properties: dict[str, Any],
    ) -> list[objects.Selection]:
        """The part of `hosts` that begins with the one that was claimed; raises MaxRetriesExceeded."""
        if request_spec is None or properties["retry"]["num_attempts"] > self._launcher.max_attempts:
            raise errors.MaxRetriesExceeded(reason=f"instance {uuid} has used up its attempts")
        spec = objects.RequestSpec.obj_from_primitive(request_spec)
        while hosts:
            if json.loads(hosts[0].allocation_request or "{}") and self._scheduler.claim(
                context, spec, hosts[0]
            ):
                return hosts
            hosts.pop(0)
        raise errors.MaxRetriesExceeded(reason=f"there is no other node for instance {uuid}")

    def _clean_up(self, context: Any, uuid: str, instance: Envelope) -> None:
        self._scheduler.release(context, uuid)
        self._network.deallocate(context, objects.Instance.obj_from_primitive(instance))

    def migrate_server(self, context: Any, instance: Envelope, **arguments: Any) -> None:
        """Try a move on the next host; refused when there is nobody to do that."""
        if self.on_migrate is not None:
            self.on_migrate(context, instance=instance, **arguments)
            return
        raise errors.NoValidHost(reason="a one-host cloud has no other host")


def _next_attempt(filter_properties: dict[str, Any]) -> dict[str, Any]:
    retry = filter_properties.get("retry") or {"num_attempts": 1, "hosts": []}
    return {**filter_properties, "retry": {**retry, "num_attempts": retry["num_attempts"] + 1}}
