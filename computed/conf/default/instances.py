"""Section [DEFAULT]: how instances are built, named, resized, shut down and deleted."""

from oslo_config import cfg

OPTS = [
    cfg.BoolOpt(
        "allow_resize_to_same_host",
        default=False,
        help="Let the scheduler pick the source host as destination of a resize.",
    ),
    cfg.IntOpt(
        "arq_binding_timeout",
        default=300,
        min=1,
        help="Seconds to wait until accelerator requests are bound.",
    ),
    cfg.IntOpt(
        "block_device_allocate_retries",
        default=60,
        min=0,
        help="How often to look whether a new volume is ready.",
    ),
    cfg.IntOpt(
        "block_device_allocate_retries_interval",
        default=3,
        min=0,
        help="Seconds between two looks at a new volume.",
    ),
    cfg.StrOpt(
        "default_access_ip_network_name",
        help="Network whose addresses become the access addresses of an instance.",
    ),
    cfg.StrOpt(
        "default_availability_zone", default="nova", help="Availability zone of hosts that are in none."
    ),
    cfg.StrOpt("default_schedule_zone", help="Availability zone for instances that ask for none."),
    cfg.StrOpt(
        "internal_service_availability_zone",
        default="internal",
        help="Availability zone of services that run no instances.",
    ),
    cfg.StrOpt(
        "instance_name_template",
        default="instance-%08x",
        help="Pattern of the name under which the hypervisor knows an instance.",
    ),
    cfg.IntOpt(
        "live_migration_retry_count",
        default=30,
        min=0,
        advanced=True,
        help="How often to try to set up volumes and network after a live migration.",
    ),
    cfg.IntOpt(
        "max_concurrent_builds",
        default=10,
        min=0,
        help="Most instances that are built at once; 0 is no limit.",
    ),
    cfg.IntOpt(
        "max_concurrent_live_migrations",
        default=1,
        min=0,
        help="Most live migrations away from this host at once; 0 is no limit.",
    ),
    cfg.IntOpt("max_concurrent_snapshots", default=5, min=0, help="Most snapshots at once; 0 is no limit."),
    cfg.IntOpt(
        "max_local_block_devices",
        default=3,
        help="Most local disks of an instance; negative is no limit, 0 forbids them.",
    ),
    cfg.IntOpt(
        "maximum_instance_delete_attempts",
        default=5,
        min=1,
        help="How often to try to remove the files of a deleted instance.",
    ),
    cfg.IntOpt(
        "migrate_max_retries",
        default=-1,
        min=-1,
        help="How many other hosts to try for a migration; -1 is no limit.",
    ),
    cfg.IntOpt(
        "network_allocate_retries",
        default=0,
        min=0,
        help="How often to try again to give an instance its network.",
    ),
    cfg.ListOpt(
        "non_inheritable_image_properties",
        default=["cache_in_nova", "bittorrent"],
        help="Image properties that a snapshot does not take over.",
    ),
    cfg.StrOpt(
        "osapi_compute_unique_server_name_scope",
        default="",
        choices=["", "project", "global"],
        help="Where server names must be unique; empty for nowhere.",
    ),
    cfg.IntOpt("password_length", default=12, min=0, help="Length of generated admin passwords."),
    cfg.StrOpt(
        "pointer_model",
        default="usbtablet",
        choices=["ps2mouse", "usbtablet", None],
        help="Pointing device of graphical consoles.",
    ),
    cfg.IntOpt(
        "reimage_timeout_per_gb",
        default=20,
        min=1,
        help="Seconds for each GiB that reimaging a volume may take.",
    ),
    cfg.BoolOpt(
        "resume_guests_state_on_host_boot",
        default=False,
        help="Start the instances that ran when the host went down.",
    ),
    cfg.StrOpt(
        "running_deleted_instance_action",
        default="reap",
        choices=["reap", "log", "shutdown", "noop"],
        help="What to do with guests that run although their instance is deleted.",
    ),
    cfg.IntOpt(
        "shutdown_timeout", default=60, min=0, help="Seconds that a guest may take to shut itself down."
    ),
    cfg.BoolOpt(
        "vif_plugging_is_fatal", default=True, help="Fail the build when neutron does not plug a port."
    ),
    cfg.IntOpt(
        "vif_plugging_timeout",
        default=300,
        min=0,
        help="Seconds to wait until neutron has plugged a port; 0 does not wait.",
    ),
]
