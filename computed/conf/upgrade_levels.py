"""Section [upgrade_levels]: limits on message versions during an upgrade."""

from oslo_config import cfg

GROUP = "upgrade_levels"
OPTS = [
    cfg.StrOpt("compute", help="Newest compute message version to send, or auto."),
    cfg.StrOpt("conductor", help="Newest conductor message version to send."),
    cfg.StrOpt("scheduler", help="Newest scheduler message version to send."),
    cfg.StrOpt("baseapi", help="Newest base message version to send."),
]
