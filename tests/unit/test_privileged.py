"""The context in which privileged entry points run."""

from oslo_config import cfg
from oslo_privsep import capabilities
from oslo_utils import importutils

from computed import privileged


def test_the_helper_finds_the_context_by_its_name() -> None:
    assert importutils.import_class(privileged.sys_admin.pypath) is privileged.sys_admin


def test_a_stock_file_configures_it() -> None:
    assert privileged.sys_admin.cfg_section == "nova_sys_admin"


def test_it_has_no_more_capabilities_than_a_stock_agent_takes() -> None:
    stock = {"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "NET_ADMIN", "SYS_ADMIN"}
    taken = {capabilities.CAPS_BYVALUE[number] for number in cfg.CONF.nova_sys_admin.capabilities}
    assert taken <= {f"CAP_{name}" for name in stock}
