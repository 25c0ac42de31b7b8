"""Section [libvirt]: how guests are made and what hardware they see."""

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "virt_type",
        default="kvm",
        choices=["kvm", "lxc", "qemu", "parallels"],
        help="Kind of virtualization.",
    ),
    cfg.StrOpt(
        "connection_uri", default="", help="Address of libvirt; empty takes the one that fits virt_type."
    ),
    cfg.StrOpt(
        "cpu_mode",
        choices=["host-model", "host-passthrough", "custom", "none"],
        help="Where the guest's CPU model comes from.",
    ),
    cfg.ListOpt(
        "cpu_models",
        default=[],
        deprecated_name="cpu_model",
        help="CPU models for the mode custom, best last.",
    ),
    cfg.ListOpt(
        "cpu_model_extra_flags", default=[], help="CPU features to add, or with a minus sign to remove."
    ),
    cfg.BoolOpt("cpu_power_management", default=False, help="Power down dedicated CPUs that no guest uses."),
    cfg.StrOpt(
        "cpu_power_management_strategy",
        default="cpu_state",
        choices=["cpu_state", "governor"],
        help="Power CPUs down or change their governor.",
    ),
    cfg.StrOpt("cpu_power_governor_low", default="powersave", help="Governor of CPUs that are not used."),
    cfg.StrOpt("cpu_power_governor_high", default="performance", help="Governor of CPUs that are used."),
    cfg.StrOpt("disk_prefix", help="Prefix of guest disk names; unset takes the one that fits the bus."),
    cfg.ListOpt("disk_cachemodes", default=[], help="Cache mode for a kind of disk, written KIND=MODE."),
    cfg.ListOpt("enabled_perf_events", default=[], help="Performance events to count for each guest."),
    cfg.IntOpt(
        "file_backed_memory",
        default=0,
        min=0,
        help="MiB of guest memory that is backed by files; 0 turns this off.",
    ),
    cfg.ListOpt("gid_maps", default=[], help="Group id mappings of containers, written GUEST:HOST:COUNT."),
    cfg.ListOpt("uid_maps", default=[], help="User id mappings of containers, written GUEST:HOST:COUNT."),
    cfg.StrOpt(
        "hw_disk_discard", choices=["ignore", "unmap"], help="What becomes of a guest's discard requests."
    ),
    cfg.ListOpt("hw_machine_type", help="Default machine type for an architecture, written ARCH=TYPE."),
    cfg.BoolOpt("inject_key", default=False, help="Write the user's SSH key into the image before boot."),
    cfg.BoolOpt(
        "inject_password", default=False, help="Write the admin password into the image before boot."
    ),
    cfg.IntOpt(
        "inject_partition",
        default=-2,
        min=-2,
        help="Partition that files are injected into: -2 none, -1 found by looking, 0 no partitions.",
    ),
    cfg.IntOpt("max_queues", min=1, help="Most queues of a virtio network device."),
    cfg.IntOpt(
        "mem_stats_period_seconds",
        default=10,
        help="Seconds between two memory readings of a guest; 0 or less is never.",
    ),
    cfg.IntOpt("num_intel_tdx_guests", min=0, help="Most guests with Intel TDX; unset asks libvirt."),
    cfg.IntOpt(
        "num_pcie_ports",
        default=0,
        min=0,
        max=28,
        help="PCIe ports of a guest that can be plugged into; 0 takes libvirt's number.",
    ),
    cfg.ListOpt(
        "pmem_namespaces",
        default=[],
        help="Persistent memory offered to guests, written LABEL:NAMESPACE[|NAMESPACE].",
    ),
    cfg.IntOpt("realtime_scheduler_priority", default=1, help="Scheduling priority of real-time CPUs."),
    cfg.StrOpt("rng_dev_path", default="/dev/urandom", help="Source of random numbers for guests."),
    cfg.IntOpt("rx_queue_size", choices=[256, 512, 1024], help="Length of virtio receive queues."),
    cfg.IntOpt("tx_queue_size", choices=[256, 512, 1024], help="Length of virtio transmit queues."),
    cfg.StrOpt(
        "sysinfo_serial",
        default="unique",
        choices=["none", "os", "hardware", "auto", "unique"],
        help="Where the serial number that guests see comes from.",
    ),
    cfg.ListOpt(
        "supported_tpm_secret_security",
        default=["user", "host", "deployment"],
        help="Ways of keeping virtual TPM secrets that this host offers.",
    ),
    cfg.BoolOpt("swtpm_enabled", default=False, help="Offer emulated TPMs."),
    cfg.StrOpt("swtpm_user", default="tss", help="User that owns the state of emulated TPMs."),
    cfg.StrOpt("swtpm_group", default="tss", help="Group that owns the state of emulated TPMs."),
    cfg.IntOpt("tb_cache_size", min=0, help="MiB of translation cache for emulated CPUs."),
    cfg.BoolOpt(
        "use_default_aio_mode_for_volumes", default=False, help="Leave the I/O mode of volumes to libvirt."
    ),
    cfg.BoolOpt(
        "use_virtio_for_bridges",
        default=True,
        help="Use virtio network devices on bridges under KVM and QEMU.",
    ),
    cfg.IntOpt(
        "wait_soft_reboot_seconds",
        default=120,
        help="Seconds to wait for a soft reboot before a hard one follows.",
    ),
    cfg.IntOpt(
        "device_detach_attempts", default=8, min=1, help="How often to ask a guest to give a device back."
    ),
    cfg.IntOpt(
        "device_detach_timeout", default=20, min=1, help="Seconds to wait for a guest to give a device back."
    ),
]
