"""Section [filter_scheduler]: the scheduler's filters; a compute reads two of these, the rest is accepted."""

from oslo_config import cfg

GROUP = "filter_scheduler"
OPTS = [
    cfg.BoolOpt(
        "track_instance_changes", default=True, help="Tell the schedulers which instances are on this host."
    ),
    cfg.BoolOpt("pci_in_placement", default=False, help="Take PCI devices from the allocation in placement."),
    cfg.StrOpt(
        "aggregate_image_properties_isolation_namespace",
        deprecated_for_removal=True,
        deprecated_since="33.0.0",
        help="Prefix of image properties that isolate aggregates.",
    ),
    cfg.StrOpt(
        "aggregate_image_properties_isolation_separator",
        default=".",
        deprecated_for_removal=True,
        deprecated_since="33.0.0",
        help="What stands between that prefix and the key.",
    ),
    cfg.MultiStrOpt(
        "available_filters",
        default=["nova.scheduler.filters.all_filters"],
        help="Filters that can be enabled.",
    ),
    cfg.ListOpt(
        "enabled_filters",
        default=[
            "ComputeFilter",
            "ComputeCapabilitiesFilter",
            "ImagePropertiesFilter",
            "ServerGroupAntiAffinityFilter",
            "ServerGroupAffinityFilter",
        ],
        help="Filters that a host must pass.",
    ),
    cfg.ListOpt(
        "weight_classes", default=["nova.scheduler.weights.all_weighers"], help="Weighers that rank hosts."
    ),
    cfg.FloatOpt(
        "build_failure_weight_multiplier", default=1000000.0, help="How much recent build failures weigh."
    ),
    cfg.FloatOpt("cpu_weight_multiplier", default=1.0, help="How much free CPUs weigh."),
    cfg.FloatOpt(
        "cross_cell_move_weight_multiplier", default=1000000.0, help="How much a move to another cell weighs."
    ),
    cfg.FloatOpt("disk_weight_multiplier", default=1.0, help="How much free disk weighs."),
    cfg.FloatOpt("ram_weight_multiplier", default=1.0, help="How much free memory weighs."),
    cfg.FloatOpt("pci_weight_multiplier", default=1.0, min=0.0, help="How much PCI devices weigh."),
    cfg.FloatOpt(
        "io_ops_weight_multiplier", default=-1.0, help="How much disk-heavy work in progress weighs."
    ),
    cfg.FloatOpt(
        "num_instances_weight_multiplier", default=0.0, help="How much the number of instances weighs."
    ),
    cfg.FloatOpt(
        "hypervisor_version_weight_multiplier", default=1.0, help="How much the hypervisor's version weighs."
    ),
    cfg.FloatOpt(
        "image_props_weight_multiplier",
        default=0.0,
        help="How much image properties of instances on the host weigh.",
    ),
    cfg.ListOpt(
        "image_props_weight_setting", default=[], help="Image properties that weigh, written NAME=RATIO."
    ),
    cfg.FloatOpt(
        "soft_affinity_weight_multiplier", default=1.0, min=0.0, help="How much soft affinity weighs."
    ),
    cfg.FloatOpt(
        "soft_anti_affinity_weight_multiplier",
        default=1.0,
        min=0.0,
        help="How much soft anti-affinity weighs.",
    ),
    cfg.IntOpt(
        "host_subset_size", default=1, min=1, help="Choose at random among this many of the best hosts."
    ),
    cfg.StrOpt(
        "image_properties_default_architecture",
        choices=[
            "alpha",
            "armv6",
            "armv7l",
            "armv7b",
            "aarch64",
            "cris",
            "i686",
            "ia64",
            "lm32",
            "m68k",
            "microblaze",
            "microblazeel",
            "mips",
            "mipsel",
            "mips64",
            "mips64el",
            "openrisc",
            "parisc",
            "parisc64",
            "ppc",
            "ppcle",
            "ppc64",
            "ppc64le",
            "ppcemb",
            "s390",
            "s390x",
            "sh4",
            "sh4eb",
            "sparc",
            "sparc64",
            "unicore32",
            "x86_64",
            "xtensa",
            "xtensaeb",
        ],
        help="Architecture of images that name none.",
    ),
    cfg.ListOpt("isolated_hosts", default=[], help="Hosts reserved for isolated images."),
    cfg.ListOpt("isolated_images", default=[], help="Images that run on isolated hosts only."),
    cfg.BoolOpt(
        "restrict_isolated_hosts_to_isolated_images",
        default=True,
        help="Keep other images off isolated hosts.",
    ),
    cfg.IntOpt("max_instances_per_host", default=50, min=1, help="Most instances on one host."),
    cfg.IntOpt(
        "max_io_ops_per_host", default=8, min=0, help="Most disk-heavy operations at once on one host."
    ),
    cfg.BoolOpt(
        "shuffle_best_same_weighed_hosts",
        default=False,
        help="Choose at random among hosts that weigh the same.",
    ),
]
