"""Section [guestfs]: access to disks through libguestfs."""

from oslo_config import cfg

GROUP = "guestfs"
OPTS = [
    cfg.BoolOpt("debug", default=False, help="Log what libguestfs does."),
]
