"""What needs root: entry points that take str, int and bytes and run in a helper process of their own."""

from oslo_privsep import capabilities, priv_context

# The section keeps the name that a stock host's file uses, so that its helper_command applies here.
sys_admin = priv_context.PrivContext(
    __name__,
    cfg_section="nova_sys_admin",
    pypath=__name__ + ".sys_admin",
    capabilities=[
        capabilities.CAP_CHOWN,
        capabilities.CAP_DAC_OVERRIDE,
        capabilities.CAP_DAC_READ_SEARCH,
        capabilities.CAP_FOWNER,
        capabilities.CAP_NET_ADMIN,
        capabilities.CAP_SYS_ADMIN,
    ],
)


def use_root_helper(words: list[str]) -> None:
    """Say what to put before the helper's command line to become root. Starts nothing."""
    priv_context.init(root_helper=words)
