"""Section [compute]: scheduling and resources of this compute."""

from oslo_config import cfg

GROUP = "compute"
OPTS = [
    cfg.IntOpt(
        "consecutive_build_service_disable_threshold",
        default=10,
        help="Failed builds in a row before schedulers look elsewhere; 0 never.",
    ),
    cfg.IntOpt(
        "shutdown_retry_interval",
        default=10,
        min=1,
        help="Seconds between two requests to a guest to shut down.",
    ),
    cfg.IntOpt(
        "sharing_providers_max_uuids_per_request",
        default=200,
        min=1,
        help="Most aggregates named in one request for sharing providers.",
    ),
    cfg.IntOpt(
        "resource_provider_association_refresh",
        default=300,
        min=0,
        mutable=True,
        help="Seconds for which aggregates and traits of providers stay cached; 0 is for ever.",
    ),
    cfg.StrOpt("cpu_shared_set", help="CPUs on which instances with shared CPUs and emulator threads run."),
    cfg.StrOpt("cpu_dedicated_set", help="CPUs that instances with dedicated CPUs are pinned to."),
    cfg.BoolOpt(
        "live_migration_wait_for_vif_plug",
        default=True,
        help="Start a live migration only after the destination's ports are plugged.",
    ),
    cfg.IntOpt(
        "max_concurrent_disk_ops",
        default=0,
        min=0,
        help="Most expensive disk operations at once; 0 is no limit.",
    ),
    cfg.IntOpt(
        "max_disk_devices_to_attach",
        default=-1,
        min=-1,
        help="Most disks that one instance may have; -1 is no limit.",
    ),
    cfg.BoolOpt(
        "packing_host_numa_cells_allocation_strategy",
        default=False,
        help="Fill one NUMA cell before the next instead of spreading.",
    ),
    cfg.StrOpt(
        "provider_config_location",
        default="/etc/nova/provider_config/",
        help="Directory of provider configuration files.",
    ),
    cfg.ListOpt(
        "image_type_exclude_list", default=[], help="Image formats that this host does not offer to take."
    ),
    cfg.ListOpt(
        "vmdk_allowed_types",
        default=["streamOptimized", "monolithicSparse"],
        help="VMDK subformats that are accepted; none if empty.",
    ),
    cfg.IntOpt(
        "update_resources_max_workers",
        default=1,
        min=1,
        help="Nodes of one host that are audited at the same time.",
    ),
]
