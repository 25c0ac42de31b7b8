"""Section [fake]: the hypervisor that only remembers, and the troubles it is told to make."""

from oslo_config import cfg

GROUP = "fake"
OPTS = [
    cfg.ListOpt("nodes", default=[], help="Names of the compute nodes; if empty, one named like the host."),
    cfg.IntOpt("vcpus", min=1, help="CPUs of each node, instead of what the driver variant has."),
    cfg.IntOpt("memory_mib", min=1, help="MiB of memory of each node, instead of what the variant has."),
    cfg.IntOpt("disk_gib", min=1, help="GiB of disk of each node, instead of what the driver variant has."),
    cfg.BoolOpt(
        "persist",
        default=True,
        help="Keep the guests in files under $state_path, so that a restarted agent finds them.",
    ),
    cfg.BoolOpt(
        "vif_plug_events",
        default=False,
        help="Make a build wait for network-vif-plugged, as drivers of real guests do.",
    ),
    cfg.StrOpt("uptime", help="Text that the host answers when asked for its uptime, instead of its own."),
    cfg.MultiStrOpt(
        "fail",
        default=[],
        help="Make an operation fail: OPERATION:PATTERN[:ERROR[:TIMES]]. OPERATION is a driver method such "
        "as spawn, destroy, power_on, power_off, reboot, states, console_output; PATTERN is matched with the "
        "instance's uuid and display name (* is every one); ERROR is the name of an error class; "
        "TIMES is how often, always when left out.",
    ),
    cfg.DictOpt("delays", default={}, help="Seconds that operations take, such as spawn:2.5,destroy:0.5."),
    cfg.ListOpt(
        "crash",
        default=[],
        help="Kill the agent at these points, for example spawn.before or spawn.after.",
    ),
]
