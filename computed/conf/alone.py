"""Section [alone]: the one-host cloud without a control plane around it; our own."""

from oslo_config import cfg

GROUP = "alone"
OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Run conductor, scheduler and placement inside this process."),
]
