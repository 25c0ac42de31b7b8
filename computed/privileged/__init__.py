"""What needs root: entry points that take str, int and bytes and run in a helper process of their own."""

from oslo_privsep import capabilities, priv_context

from computed.lib import root_helper

# Importing this package is the first sign that something will need root. Nothing is started before it does.
priv_context.init(root_helper=root_helper.words())

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
