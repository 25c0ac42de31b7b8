"""Section [neutron_physnet_NAME]: one section for each physical network that [neutron] names."""

from oslo_config import cfg, types


def group_name(physnet: str) -> str:
    """The section of one physical network."""
    return f"neutron_physnet_{physnet}"


OPTS = [
    cfg.ListOpt(
        "numa_nodes",
        default=[],
        item_type=types.Integer(),
        help="NUMA cells close to this network's devices.",
    ),
]
