"""Notifies, once a period, which instances existed in it: what bills are made of."""

from __future__ import annotations

import datetime
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import objects
from computed.notifications.audit import completed_period

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

TASK_NAME: Final = "instance_usage_audit"
_ATTRIBUTES: Final = ("system_metadata", "info_cache", "metadata", "flavor")


def is_wanted(host: ComputeHost) -> bool:
    """Whether usage is notified at all (`instance_usage_audit`)."""
    return bool(host.conf.instance_usage_audit)


def audit_instance_usage(host: ComputeHost, context: Any) -> None:
    """Notify the usage of the last whole period, unless the task log says that this has been done."""
    begin, end = completed_period(host.conf.instance_usage_audit_period, timeutils.utcnow())
    if objects.TaskLog.get(context, TASK_NAME, begin, end, host.name):
        return
    instances = objects.InstanceList._get_active_by_window_joined(
        context,
        _in_zulu_time(begin),
        _in_zulu_time(end),
        host=host.name,
        expected_attrs=list(_ATTRIBUTES),
        use_slave=True,
    )
    started = time.monotonic()
    log = objects.TaskLog(
        context=context,
        task_name=TASK_NAME,
        period_beginning=begin,
        period_ending=end,
        host=host.name,
        task_items=len(instances),
        message="The usage of this period is being notified",
    )
    log.begin_task()
    log.errors = sum(not _notify(host, context, instance) for instance in instances)
    log.message = f"{len(instances)} instances notified in {time.monotonic() - started:.1f} s"
    log.end_task()


def _notify(host: ComputeHost, context: Any, instance: Any) -> bool:
    try:
        host.notifier.exists(context, instance)
    except Exception:
        LOG.exception("The usage of instance %s was not notified", instance.uuid)
        return False
    return True


def _in_zulu_time(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
