"""Section [image_cache]: images kept on this host."""

from oslo_config import cfg

GROUP = "image_cache"
OPTS = [
    cfg.IntOpt(
        "manager_interval",
        default=2400,
        min=-1,
        deprecated_name="image_cache_manager_interval",
        deprecated_group="DEFAULT",
        help="Seconds between two cleanings of the cache; -1 is never.",
    ),
    cfg.StrOpt(
        "subdirectory_name",
        default="_base",
        deprecated_name="image_cache_subdirectory_name",
        deprecated_group="DEFAULT",
        help="Directory of the cache, below instances_path.",
    ),
    cfg.BoolOpt(
        "remove_unused_base_images",
        default=True,
        deprecated_group="DEFAULT",
        help="Remove cached images that no instance uses.",
    ),
    cfg.IntOpt(
        "remove_unused_original_minimum_age_seconds",
        default=86400,
        deprecated_group="DEFAULT",
        help="Age in seconds before an unused image is removed.",
    ),
    cfg.IntOpt(
        "remove_unused_resized_minimum_age_seconds",
        default=3600,
        deprecated_group="libvirt",
        help="Age in seconds before an unused resized image is removed.",
    ),
    cfg.IntOpt(
        "precache_concurrency",
        default=1,
        min=1,
        help="Hosts that are told to fetch an image at the same time.",
    ),
]
