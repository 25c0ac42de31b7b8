"""Section [DEFAULT]: what of the host is offered to instances, and what is kept back."""

from oslo_config import cfg, types

OPTS = [
    cfg.FloatOpt(
        "cpu_allocation_ratio",
        min=0.0,
        help="Virtual CPUs offered for each CPU; unset leaves what placement has.",
    ),
    cfg.FloatOpt(
        "ram_allocation_ratio",
        min=0.0,
        help="Memory offered for each MiB there is; unset leaves what placement has.",
    ),
    cfg.FloatOpt(
        "disk_allocation_ratio",
        min=0.0,
        help="Disk offered for each GiB there is; unset leaves what placement has.",
    ),
    cfg.FloatOpt(
        "initial_cpu_allocation_ratio", default=4.0, min=0.0, help="CPU ratio of a compute node that is new."
    ),
    cfg.FloatOpt(
        "initial_ram_allocation_ratio",
        default=1.0,
        min=0.0,
        help="Memory ratio of a compute node that is new.",
    ),
    cfg.FloatOpt(
        "initial_disk_allocation_ratio",
        default=1.0,
        min=0.0,
        help="Disk ratio of a compute node that is new.",
    ),
    cfg.IntOpt("reserved_host_cpus", default=0, min=0, help="CPUs kept for the host."),
    cfg.IntOpt("reserved_host_memory_mb", default=512, min=0, help="MiB of memory kept for the host."),
    cfg.IntOpt("reserved_host_disk_mb", default=0, min=0, help="MiB of disk kept for the host."),
    cfg.MultiOpt(
        "reserved_huge_pages",
        item_type=types.Dict(),
        help="Pages kept for the host, written node:N,size:SIZE,count:COUNT.",
    ),
    cfg.StrOpt(
        "vcpu_pin_set",
        deprecated_for_removal=True,
        deprecated_since="20.0.0",
        help="CPUs that instances may use; replaced by the sets in [compute].",
    ),
]
