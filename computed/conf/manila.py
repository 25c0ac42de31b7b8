"""Section [manila]: the shared file system service."""

from oslo_config import cfg

GROUP = "manila"
OPTS = [
    cfg.IntOpt(
        "share_apply_policy_timeout",
        default=10,
        help="Seconds to wait until manila has changed who may use a share.",
    ),
]
