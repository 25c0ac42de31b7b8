"""Section [fake]: what the fake driver pretends to be; our own, for tests and for loading a control plane."""

from oslo_config import cfg

GROUP = "fake"
OPTS = [
    cfg.IntOpt("nodes", default=1, min=1, help="Compute nodes; more than one get numbered names."),
    cfg.IntOpt("vcpus", min=1, help="CPUs of each node; unset takes the driver variant's number."),
    cfg.IntOpt("memory_mib", min=1, help="MiB of memory of each node; unset takes the variant's number."),
    cfg.IntOpt("disk_gib", min=1, help="GiB of disk of each node; unset takes the variant's number."),
]
