"""Section [conductor]: the conductor's own settings, accepted because files are shared."""

from oslo_config import cfg

GROUP = "conductor"
OPTS = [
    cfg.IntOpt("workers", help="Worker processes of the conductor."),
]
