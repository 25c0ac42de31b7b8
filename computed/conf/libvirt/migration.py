"""Section [libvirt]: migrations between libvirt hosts."""

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "live_migration_scheme", help="Transport of live migrations; unset takes the one that fits virt_type."
    ),
    cfg.HostDomainOpt(
        "live_migration_inbound_addr", help="Name or address on which this host receives live migrations."
    ),
    cfg.StrOpt(
        "live_migration_uri",
        deprecated_for_removal=True,
        deprecated_since="15.0.0",
        help="Address of the destination's libvirt, with %s for the host.",
    ),
    cfg.BoolOpt(
        "live_migration_tunnelled",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="23.0.0",
        help="Send guest memory through the libvirt connection.",
    ),
    cfg.BoolOpt(
        "live_migration_with_native_tls", default=False, help="Encrypt live migrations by QEMU's own TLS."
    ),
    cfg.IntOpt(
        "live_migration_bandwidth", default=0, help="MiB/s that a live migration may use; 0 is no limit."
    ),
    cfg.IntOpt(
        "live_migration_downtime",
        default=500,
        min=100,
        help="Milliseconds that a guest may stand still at the end.",
    ),
    cfg.IntOpt(
        "live_migration_downtime_steps",
        default=10,
        min=3,
        help="Steps in which the downtime grows to its limit.",
    ),
    cfg.IntOpt(
        "live_migration_downtime_delay",
        default=75,
        min=3,
        help="Seconds between two steps, for each GiB of guest memory.",
    ),
    cfg.IntOpt(
        "live_migration_completion_timeout",
        default=800,
        min=0,
        mutable=True,
        help="Seconds for each GiB that a live migration may take; 0 is no limit.",
    ),
    cfg.StrOpt(
        "live_migration_timeout_action",
        default="abort",
        choices=["abort", "force_complete"],
        mutable=True,
        help="What to do with a live migration that takes too long.",
    ),
    cfg.BoolOpt(
        "live_migration_permit_post_copy",
        default=False,
        help="Allow a guest to move before all its memory has.",
    ),
    cfg.BoolOpt(
        "live_migration_permit_auto_converge",
        default=False,
        help="Allow to slow a guest down that changes memory too fast.",
    ),
    cfg.IntOpt(
        "live_migration_parallel_connections", default=1, help="Connections for the memory of one guest."
    ),
    cfg.IntOpt(
        "live_migration_monitor_interval",
        default=5,
        help="Seconds between two looks at a running live migration.",
    ),
    cfg.StrOpt(
        "migration_inbound_addr",
        default="$my_ip",
        help="Address on which this host receives the disks of cold migrations.",
    ),
    cfg.StrOpt(
        "remote_filesystem_transport",
        default="ssh",
        choices=["ssh", "rsync"],
        help="Program that copies files between hosts.",
    ),
]
