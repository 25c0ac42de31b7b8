"""Removes what is left on the host's disks of instances that are deleted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import objects

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

ATTEMPTS_KEY: Final = "clean_attempts"
"""System metadata of the record: how often it has been tried, as text."""


def run_pending_deletes(host: ComputeHost, context: Any) -> None:
    """Try again for every deleted instance of this host that is not marked as cleaned.

    After `maximum_instance_delete_attempts` attempts an instance is given up.
    """
    admin = context.elevated(read_deleted="yes")
    filters = {"deleted": True, "soft_deleted": False, "host": host.name, "cleaned": False}
    instances = objects.InstanceList.get_by_filters(
        admin, filters, expected_attrs=["system_metadata"], use_slave=True
    )
    for instance in instances:
        attempts = int(instance.system_metadata.get(ATTEMPTS_KEY) or 0)
        if attempts < host.conf.maximum_instance_delete_attempts:
            _clean(host, instance, attempts + 1)


def _clean(host: ComputeHost, instance: Any, attempt: int) -> None:
    try:
        instance.cleaned = host.driver.delete_instance_files(instance)
        instance.system_metadata[ATTEMPTS_KEY] = str(attempt)
        instance.save()
    except Exception:
        LOG.exception("Files of the deleted instance %s are left (attempt %d)", instance.uuid, attempt)
