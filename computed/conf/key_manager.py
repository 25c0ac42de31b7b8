"""Section [key_manager]: the key manager."""

from oslo_config import cfg

GROUP = "key_manager"
OPTS = [
    cfg.StrOpt(
        "fixed_key",
        secret=True,
        deprecated_group="keymgr",
        help="Key of the key manager that knows one key only, in hexadecimal.",
    ),
]
