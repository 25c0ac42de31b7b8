"""Section [scheduler]: the scheduler's own settings, accepted because files are shared."""

from oslo_config import cfg

GROUP = "scheduler"
OPTS = [
    cfg.IntOpt(
        "discover_hosts_in_cells_interval",
        default=-1,
        min=-1,
        help="Seconds between two searches for hosts that are in no cell.",
    ),
    cfg.BoolOpt(
        "enable_isolated_aggregate_filtering",
        default=False,
        help="Keep instances off aggregates whose traits they do not ask for.",
    ),
    cfg.BoolOpt(
        "image_metadata_prefilter", default=False, help="Ask placement only for hosts that fit the image."
    ),
    cfg.BoolOpt(
        "limit_tenants_to_placement_aggregate",
        default=False,
        help="Keep projects to the aggregates that name them.",
    ),
    cfg.BoolOpt(
        "placement_aggregate_required_for_tenants",
        default=False,
        help="Refuse projects that no aggregate names.",
    ),
    cfg.IntOpt("max_attempts", default=3, min=1, help="How many hosts are tried for one build."),
    cfg.IntOpt("max_placement_results", default=1000, min=1, help="Most hosts that placement is asked for."),
    cfg.BoolOpt(
        "query_placement_for_image_type_support",
        default=False,
        help="Ask placement only for hosts that take the image's format.",
    ),
    cfg.BoolOpt(
        "query_placement_for_routed_network_aggregates",
        default=False,
        help="Ask placement only for hosts on the network's segment.",
    ),
    cfg.IntOpt("workers", min=0, help="Worker processes of the scheduler."),
]
