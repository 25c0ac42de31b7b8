"""Section [metrics]: weighing by host metrics, accepted because files are shared."""

from oslo_config import cfg

GROUP = "metrics"
OPTS = [
    cfg.BoolOpt("required", default=True, help="Refuse hosts that do not report a metric."),
    cfg.FloatOpt("weight_multiplier", default=1.0, help="How much metrics weigh."),
    cfg.FloatOpt(
        "weight_of_unavailable", default=-10000.0, help="Weight of a host that does not report a metric."
    ),
    cfg.ListOpt("weight_setting", default=[], help="Metrics that weigh, written NAME=RATIO."),
]
