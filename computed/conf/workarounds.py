"""Section [workarounds]: switches for particular bugs and particular needs."""

from oslo_config import cfg, types

GROUP = "workarounds"
OPTS = [
    cfg.BoolOpt("disable_rootwrap", default=False, help="Become root by plain sudo."),
    cfg.BoolOpt(
        "disable_libvirt_livesnapshot",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="19.0.0",
        help="Pause guests while a snapshot is taken.",
    ),
    cfg.BoolOpt(
        "handle_virt_lifecycle_events", default=True, help="Follow what the hypervisor says about guests."
    ),
    cfg.BoolOpt(
        "disable_group_policy_check_upcall",
        default=False,
        help="Do not check server group policies on the host.",
    ),
    cfg.BoolOpt(
        "disable_fallback_pcpu_query",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="20.0.0",
        help="Do not ask placement twice for dedicated CPUs; not used by a compute.",
    ),
    cfg.BoolOpt(
        "disable_compute_service_check_for_ffu",
        default=False,
        help="Start even if older computes than supported are registered.",
    ),
    cfg.BoolOpt(
        "disable_deep_image_inspection",
        default=False,
        help="Do not look inside images for hidden references.",
    ),
    cfg.BoolOpt(
        "enable_numa_live_migration",
        default=False,
        deprecated_for_removal=True,
        deprecated_since="20.0.0",
        help="Live-migrate guests with a NUMA topology without adapting them.",
    ),
    cfg.BoolOpt(
        "enable_qemu_monitor_announce_self",
        default=False,
        help="Let QEMU announce a guest's addresses after a live migration.",
    ),
    cfg.IntOpt("qemu_monitor_announce_self_count", default=3, min=1, help="How often QEMU announces."),
    cfg.IntOpt(
        "qemu_monitor_announce_self_interval", default=1, min=1, help="Seconds between two announcements."
    ),
    cfg.BoolOpt(
        "ensure_libvirt_rbd_instance_dir_cleanup",
        default=False,
        help="Remove the directory of instances on Ceph when they leave.",
    ),
    cfg.BoolOpt("libvirt_disable_apic", default=False, help="Give guests no APIC."),
    cfg.BoolOpt(
        "never_download_image_if_on_rbd",
        default=False,
        help="Fail rather than copy an image that Ceph could clone.",
    ),
    cfg.BoolOpt(
        "reserve_disk_resource_for_image_cache", default=False, help="Count the image cache as reserved disk."
    ),
    cfg.BoolOpt(
        "skip_cpu_compare_at_startup",
        default=False,
        help="Do not check at start whether the configured CPU model runs here.",
    ),
    cfg.BoolOpt(
        "skip_cpu_compare_on_dest",
        default=False,
        help="Do not compare CPUs at the destination of a live migration.",
    ),
    cfg.BoolOpt(
        "skip_hypervisor_version_check_on_lm",
        default=False,
        help="Allow live migration to an older hypervisor.",
    ),
    cfg.BoolOpt(
        "skip_reserve_in_use_ironic_nodes",
        default=False,
        help="Do not reserve bare metal nodes in use; not used by a compute.",
    ),
    cfg.BoolOpt(
        "unified_limits_count_pcpu_as_vcpu",
        default=False,
        help="Count dedicated CPUs against the limit of virtual ones.",
    ),
    cfg.ListOpt(
        "wait_for_vif_plugged_event_during_hard_reboot",
        default=[],
        item_type=types.String(
            choices=[
                "normal",
                "direct",
                "macvtap",
                "baremetal",
                "direct-physical",
                "virtio-forwarder",
                "smart-nic",
                "vdpa",
                "accelerator-direct",
                "accelerator-direct-physical",
                "remote-managed",
            ]
        ),
        help="Port types for which a hard reboot waits until neutron has plugged them.",
    ),
]
