"""Notifier: tells those who listen on the message bus what happens to instances.

Costs nothing when nobody is told: no payload is built and nothing is fetched for one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import oslo_messaging
from oslo_serialization import jsonutils
from oslo_utils import timeutils

from computed.notifications import legacy
from computed.notifications.audit import completed_period
from computed.objects.service import COMPUTE_BINARY
from computed.objects.share_mapping import ShareMappingList

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.notifications.instance import InstancePayload

LOG = logging.getLogger(__name__)

_API_BINARY = "nova-api"
_NO_ONE = frozenset({"", "noop"})
_SECRETS_OF_CONTEXT = ("auth_token", "service_token", "service_catalog", "user_auth_plugin")


class Details(TypedDict, total=False):
    """What may be told of an event beside the instance."""

    exception: BaseException | None
    """What went wrong: makes it an error, in both forms."""
    network_info: Iterable[Any] | None
    """Legacy form: the interfaces whose addresses are listed as `fixed_ips`."""
    bdms: Iterable[Any] | None
    """Block device mappings: told whatever bdms_in_notifications says. Stock does so of some verbs only."""
    extra: Mapping[str, Any]
    """Legacy form: keys added to, or put in place of, the usual ones."""
    payload: Mapping[str, Any]
    """Versioned form: fields that only this event has (`snapshot_image_id`, `new_flavor`, ...)."""


@dataclass(frozen=True)
class FormerImage:
    """The image that an instance had, and what its system metadata remembered of it."""

    image_ref: str | None
    system_metadata: Mapping[str, Any]


class Notifier:
    """Sends notifications in the forms that `[notifications]notification_format` names.

    Nothing is sent when `[oslo_messaging_notifications]driver` is empty or noop. `transport` is an
    oslo.messaging notification transport; None makes one from the options.
    """

    def __init__(self, conf: cfg.ConfigOpts, transport: Any = None) -> None:
        if transport is None:
            transport = oslo_messaging.get_notification_transport(conf)
        # A Notifier of the library registers the options that say who is to be told.
        notifier = oslo_messaging.Notifier(transport, serializer=_Serializer())
        told = conf.notifications.notification_format
        is_anyone_told = not set(conf.oslo_messaging_notifications.driver) <= _NO_ONE
        self._conf = conf
        self._legacy: Any = None
        self._versioned: Any = None
        if is_anyone_told and told != "versioned":
            self._legacy = notifier.prepare(publisher_id=f"compute.{conf.host}")
        if is_anyone_told and told != "unversioned":
            self._versioned = oslo_messaging.Notifier(
                transport,
                publisher_id=f"{COMPUTE_BINARY}:{conf.host}",
                serializer=_Serializer(),
                topics=conf.notifications.versioned_notifications_topics,
            )

    @property
    def is_enabled(self) -> bool:
        """Whether anybody is told anything."""
        return self._legacy is not None or self._versioned is not None

    def instance(
        self, context: Any, instance: Any, action: str, phase: str | None = None, **details: Unpack[Details]
    ) -> None:
        """Tell that `action` of an instance is in `phase` ("start", "end", "error" or None).

        `action` has its name in the versioned form, e.g. "resize_prep". First the legacy form is sent, as
        stock does. Fields of the instance that the payload needs and that are missing are fetched in one
        call; block device mappings only when bdms_in_notifications asks for them and none are given.
        """
        if not self.is_enabled:
            return
        from computed.notifications import events

        legacy_type = events.legacy_type(action, phase) if self._legacy is not None else None
        payload_class = events.payload_class_of(action)
        is_versioned = self._versioned is not None and action not in events.LEGACY_ONLY
        if legacy_type is not None or is_versioned:
            _fetch_missing(instance, payload_class.NEEDS if is_versioned else _LEGACY_NEEDS)
        if legacy_type is not None:
            self._send_legacy(context, instance, legacy_type, details)
        if is_versioned:
            self._send_versioned(context, instance, payload_class, (action, phase), details)

    def exists(
        self,
        context: Any,
        instance: Any,
        *,
        current_period: bool = False,
        extra: Mapping[str, Any] | None = None,
        before: FormerImage | None = None,
    ) -> None:
        """Tell that an instance existed: in the last completed audit period, or in the running one so far.

        `extra` as in Details. `before`: tell of it under the image that it had until now.
        """
        if not self.is_enabled:
            return
        from computed.notifications.instance import AuditPeriodPayload

        now = timeutils.utcnow()
        begin, end = completed_period(self._conf.instance_usage_audit_period, now)
        if current_period:
            begin, end = end, now
        audit_period = AuditPeriodPayload(audit_period_beginning=begin, audit_period_ending=end)
        image: dict[str, Any] = {}
        if before is not None:
            image["image_ref_url"] = self._image_url(context, before.image_ref)
            image["image_meta"] = legacy.image_meta(before.system_metadata)
        times = {"audit_period_beginning": str(begin), "audit_period_ending": str(end)}
        self.instance(
            context,
            instance,
            "exists",
            extra={**times, **image, **(extra or {})},
            payload={"audit_period": audit_period},
        )

    def exception(
        self, context: Any, error: BaseException, function_name: str, arguments: Mapping[str, Any]
    ) -> None:
        """Tell that an RPC method failed; arguments that may be secret are left out."""
        if self._legacy is not None:
            told = {"exception": legacy.described(error), "args": legacy.without_secrets(arguments)}
            self._legacy.error(context, function_name, told)
        if self._versioned is not None:
            from computed.notifications.exception import ExceptionPayload

            told = ExceptionPayload.of_error(error).primitive()
            self._versioned.error(context, "compute.exception", told)

    def metrics(self, context: Any, nodename: str, metrics: Iterable[Any]) -> None:
        """Tell what was measured of a node: objects.MonitorMetric."""
        host, host_ip = self._conf.host, self._conf.my_ip
        if self._legacy is not None:
            told = {"nodename": nodename, "host": host, "host_ip": host_ip}
            told["metrics"] = [metric.told() for metric in metrics]
            # Its publisher is the node, as stock has it.
            sender = self._legacy.prepare(publisher_id=f"compute.{nodename}")
            sender.info(context, "compute.metrics.update", told)
        if self._versioned is not None:
            from computed.notifications.host import MetricsPayload

            payload = MetricsPayload.of_metrics(host, host_ip, nodename, metrics)
            self._versioned.info(context, "metrics.update", payload.primitive())

    def hypervisor_lost(self, context: Any, error: BaseException) -> None:
        """Tell that the hypervisor cannot be reached."""
        host_ip = self._conf.my_ip
        if self._legacy is not None:
            told = {"ip": host_ip, "method": "_connect", "reason": str(error)}
            self._legacy.error(context, "compute.libvirt.error", told)
        if self._versioned is not None:
            from computed.notifications.exception import ExceptionPayload
            from computed.notifications.host import LibvirtErrorPayload

            payload = LibvirtErrorPayload(ip=host_ip, reason=ExceptionPayload.of_error(error))
            self._versioned.error(context, "libvirt.connect.error", payload.primitive())

    def volume_usage(self, context: Any, usage: Any) -> None:
        """Tell how much a volume was used; `usage` is an objects.VolumeUsage that has been saved."""
        if self._legacy is not None:
            self._legacy.info(context, "volume.usage", legacy.of_volume_usage(usage))
        if self._versioned is not None:
            from computed.notifications.host import VolumeUsagePayload

            told = VolumeUsagePayload.of(vol_usage=usage).primitive()
            self._versioned.info(context, "volume.usage", told)

    def _send_legacy(self, context: Any, instance: Any, event_type: str, details: Details) -> None:
        image_url = self._image_url(context, instance.image_ref)
        told = legacy.of_instance(instance, image_url, details.get("network_info"))
        told.update(details.get("extra") or {})
        error = details.get("exception")
        if error is not None:
            told.update(legacy.of_error(error))
        send = self._legacy.error if event_type.endswith("error") else self._legacy.info
        send(context, event_type, told)

    def _send_versioned(
        self,
        context: Any,
        instance: Any,
        payload_class: type[InstancePayload],
        event: tuple[str, str | None],
        details: Details,
    ) -> None:
        from computed.notifications import events
        from computed.notifications.instance import Told

        error = details.get("exception")
        told = Told(
            context=context,
            instance=instance,
            bdms=self._bdms(instance, details.get("bdms")),
            shares=self._shares(context, instance),
            error=error,
            details=details.get("payload") or {},
        )
        sender = self._versioned
        if event[0] in events.TOLD_AS_API:
            sender = sender.prepare(publisher_id=f"{_API_BINARY}:{instance.host}")
        send = sender.info if error is None else sender.error
        send(context, events.versioned_type(*event), payload_class.telling(told).primitive())

    def _bdms(self, instance: Any, given: Iterable[Any] | None) -> Iterable[Any] | None:
        if given is not None or not self._conf.notifications.bdms_in_notifications:
            return given
        bdms: Iterable[Any] = instance.get_bdms()
        return bdms

    def _shares(self, context: Any, instance: Any) -> Iterable[Any] | None:
        if not self._conf.notifications.include_share_mapping:
            return None
        shares: Iterable[Any] = ShareMappingList.get_by_instance_uuid(context, instance.uuid)
        return shares

    def _image_url(self, context: Any, image_ref: str | None) -> str | None:
        """Where glance has the image, without asking anybody; the bare id when no address is known."""
        servers = self._conf.glance.api_servers
        if servers:
            base = servers[0] if "://" in servers[0] else f"http://{servers[0]}"
            return f"{base}/images/{image_ref}"
        for service in context.service_catalog:
            if service["type"] == "image":
                endpoint = service["endpoints"][0]
                base = endpoint.get("internalURL") or endpoint["publicURL"]
                return f"{base}/images/{image_ref}"
        return image_ref


_LEGACY_NEEDS = ("flavor", "metadata", "system_metadata")


def _fetch_missing(instance: Any, names: Iterable[str]) -> None:
    """One call for all fields that are not there; what cannot be had is told as unknown."""
    if all(instance.obj_attr_is_set(name) for name in names):
        return
    try:
        instance.load(*names)
    except Exception as exc:
        LOG.debug("Instance %s is told of with gaps: %s", instance.uuid, exc)


class _Serializer(oslo_messaging.Serializer):  # type: ignore[misc]
    """Plain data and a context without the caller's token: whoever listens must not act in his name."""

    def serialize_entity(self, context: Any, entity: Any) -> Any:
        """The payload as plain data."""
        return jsonutils.to_primitive(entity, convert_instances=True)

    def deserialize_entity(self, context: Any, entity: Any) -> Any:
        """The payload as it came."""
        return entity

    def serialize_context(self, context: Any) -> dict[str, Any]:
        """Who asked, under which request id."""
        values: dict[str, Any] = dict(context.to_dict())
        return {key: value for key, value in values.items() if key not in _SECRETS_OF_CONTEXT}

    def deserialize_context(self, context: Any) -> Any:
        """The context as it came."""
        return context
