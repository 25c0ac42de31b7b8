"""The table of periodic tasks, in the order in which those due at the same time run."""

from __future__ import annotations

from typing import Final

from computed.periodic import (
    build_timeout,
    console_tokens,
    image_cache,
    incomplete_migrations,
    network_cache,
    pending_deletes,
    power_states,
    rebooting,
    reclaim,
    rescued,
    resources,
    running_deleted,
    scheduler_sync,
    share_access,
    shelved,
    unconfirmed_resizes,
    usage_audit,
    volume_usage,
)
from computed.periodic.task import Task, default_spacing, every

# Contract: periodic_tasks.json, run_order and tasks.
TASKS: Final[tuple[Task, ...]] = (
    Task(
        "_check_instance_build_time",
        build_timeout.check_build_time,
        default_spacing,
        gate=build_timeout.is_wanted,
    ),
    Task(
        "_sync_scheduler_instance_info",
        scheduler_sync.sync_scheduler_instance_info,
        every("scheduler_instance_sync_interval"),
        gate=scheduler_sync.is_wanted,
    ),
    Task(
        "_poll_rebooting_instances",
        rebooting.poll_rebooting_instances,
        default_spacing,
        gate=rebooting.is_wanted,
    ),
    Task(
        "_poll_rescued_instances",
        rescued.poll_rescued_instances,
        default_spacing,
        gate=rescued.is_wanted,
    ),
    Task(
        "_heal_instance_info_cache",
        network_cache.Healer(),
        every("heal_instance_info_cache_interval", zero_is_never=True),
    ),
    Task(
        "_poll_unconfirmed_resizes",
        unconfirmed_resizes.poll_unconfirmed_resizes,
        default_spacing,
        gate=unconfirmed_resizes.is_wanted,
    ),
    Task(
        "_poll_shelved_instances",
        shelved.poll_shelved_instances,
        every("shelved_poll_interval"),
        gate=shelved.is_wanted,
    ),
    Task(
        "_instance_usage_audit",
        usage_audit.audit_instance_usage,
        default_spacing,
        gate=usage_audit.is_wanted,
    ),
    Task(
        "_poll_volume_usage",
        volume_usage.poll_volume_usage,
        every("volume_usage_poll_interval"),
        gate=volume_usage.is_wanted,
    ),
    Task(
        "_sync_power_states",
        power_states.sync_power_states,
        every("sync_power_state_interval"),
        run_immediately=True,
    ),
    Task(
        "_reclaim_queued_deletes",
        reclaim.reclaim_queued_deletes,
        default_spacing,
        gate=reclaim.is_wanted,
    ),
    resources.TASK,
    Task(
        "_cleanup_running_deleted_instances",
        running_deleted.cleanup_running_deleted_instances,
        every("running_deleted_instance_poll_interval"),
        run_immediately=True,
        gate=running_deleted.is_wanted,
    ),
    Task(
        "_run_image_cache_manager_pass",
        image_cache.run_image_cache_manager_pass,
        every("image_cache.manager_interval"),
        gate=image_cache.is_wanted,
    ),
    Task("_run_pending_deletes", pending_deletes.run_pending_deletes, every("instance_delete_interval")),
    Task(
        "_cleanup_incomplete_migrations",
        incomplete_migrations.cleanup_incomplete_migrations,
        every("instance_delete_interval"),
    ),
    Task(
        "_reconcile_stale_share_access",
        share_access.reconcile_stale_share_access,
        every("stale_share_access_reconcile_interval", zero_is_never=True),
    ),
    Task(
        "_cleanup_expired_console_auth_tokens",
        console_tokens.cleanup_expired_console_auth_tokens,
        every("instance_delete_interval"),
    ),
)
