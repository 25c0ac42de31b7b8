"""Section [DEFAULT]: how often periodic tasks run, and after what time they act."""

from oslo_config import cfg

OPTS = [
    cfg.IntOpt(
        "heal_instance_info_cache_interval",
        default=-1,
        help="Seconds between two refreshes of an instance's network info; 0 or less is never.",
    ),
    cfg.IntOpt(
        "instance_build_timeout",
        default=0,
        min=0,
        help="Seconds after which a build counts as failed; 0 is never.",
    ),
    cfg.IntOpt(
        "instance_delete_interval",
        default=300,
        help="Seconds between two attempts to remove what is left of deleted instances.",
    ),
    cfg.IntOpt(
        "reboot_timeout", default=0, min=0, help="Seconds after which a reboot is forced; 0 is never."
    ),
    cfg.IntOpt(
        "reclaim_instance_interval",
        default=0,
        help="Seconds that a deleted instance can be restored; 0 deletes at once.",
    ),
    cfg.IntOpt(
        "rescue_timeout",
        default=0,
        min=0,
        help="Seconds after which a rescued instance is put back; 0 is never.",
    ),
    cfg.IntOpt(
        "resize_confirm_window",
        default=0,
        min=0,
        help="Seconds after which a resize is confirmed; 0 is never.",
    ),
    cfg.IntOpt(
        "running_deleted_instance_poll_interval",
        default=1800,
        help="Seconds between two searches for guests of deleted instances.",
    ),
    cfg.IntOpt(
        "running_deleted_instance_timeout",
        default=0,
        help="Seconds a guest may outlive its deleted instance.",
    ),
    cfg.IntOpt(
        "scheduler_instance_sync_interval",
        default=120,
        help="Seconds between two reports of all instances to the schedulers.",
    ),
    cfg.IntOpt(
        "shelved_offload_time",
        default=0,
        help="Seconds until a shelved instance leaves its host; 0 at once, -1 never.",
    ),
    cfg.IntOpt(
        "shelved_poll_interval",
        default=3600,
        help="Seconds between two searches for shelved instances to offload.",
    ),
    cfg.IntOpt(
        "stale_share_access_reconcile_interval",
        default=1800,
        help="Seconds between two removals of share access nobody uses; 0 is never.",
    ),
    cfg.IntOpt(
        "sync_power_state_interval",
        default=600,
        help="Seconds between two comparisons of power states with the database.",
    ),
    cfg.IntOpt(
        "update_resources_interval",
        default=0,
        help="Seconds between two audits of the host's resources; 0 is the default period.",
    ),
    cfg.IntOpt(
        "volume_usage_poll_interval",
        default=0,
        help="Seconds between two readings of volume usage; 0 is never.",
    ),
]
