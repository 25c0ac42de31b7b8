"""Notifies, once a period, which instances existed in it: what bills are made of."""

from __future__ import annotations

import datetime
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import objects

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
    begin, end = last_period(host.conf.instance_usage_audit_period, timeutils.utcnow())
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
    log.errors = sum(not _notify(host, context, instance, begin, end) for instance in instances)
    log.message = f"{len(instances)} instances notified in {time.monotonic() - started:.1f} s"
    log.end_task()


def _notify(
    host: ComputeHost, context: Any, instance: Any, begin: datetime.datetime, end: datetime.datetime
) -> bool:
    period = {"audit_period_beginning": str(begin), "audit_period_ending": str(end)}
    try:
        host.notifier.instance(context, instance, "exists", None, extra=period)
    except Exception:
        LOG.exception("The usage of instance %s was not notified", instance.uuid)
        return False
    return True


def _in_zulu_time(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def last_period(period: str, now: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Begin and end of the last whole `period` before `now`, both in UTC without a zone.

    `period` is hour, day, month or year, with an optional `@OFFSET`: the minute, hour, day or month that
    such a period begins with. Raises ValueError for an offset that no period has.
    """
    unit, _, given = period.partition("@")
    offset = int(given or 0)
    boundary = _boundary(unit, offset, now, 0)
    back = 0 if boundary < now else 1
    return _boundary(unit, offset, now, back + 1), _boundary(unit, offset, now, back)


def _boundary(unit: str, offset: int, now: datetime.datetime, back: int) -> datetime.datetime:
    """Where the period that `now` is in begins, or the one so many before it."""
    if unit == "hour":
        hour = now.replace(minute=offset, second=0, microsecond=0)
        return hour - datetime.timedelta(hours=back)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        return midnight.replace(hour=offset) - datetime.timedelta(days=back)
    if unit == "month":
        months = now.year * 12 + now.month - 1 - back
        return midnight.replace(year=months // 12, month=months % 12 + 1, day=offset or 1)
    return midnight.replace(year=now.year - back, month=offset or 1, day=1)
