"""Has the driver clean its cache of images."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import objects
from computed.steps import storage_users

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether the driver has a cache."""
    return bool(host.driver.capabilities.get("has_imagecache", False))


def run_image_cache_manager_pass(host: ComputeHost, context: Any) -> None:
    """Tell the driver of all instances that may use the cache; one conductor call.

    They are those of every host with the same storage, for an image that one of them uses must stay.
    """
    users = storage_users.sign(Path(host.conf.instances_path), host.name)
    filters = {"deleted": False, "soft_deleted": True, "host": users}
    instances = objects.InstanceList.get_by_filters(context, filters, expected_attrs=[], use_slave=True)
    host.driver.manage_image_cache(context, instances)
