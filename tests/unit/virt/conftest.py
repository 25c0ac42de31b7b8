"""A configuration of its own for each test."""

import pytest
from oslo_config import cfg

from computed.conf import register_all


@pytest.fixture
def conf(tmp_path):
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], project="nova", default_config_files=[], default_config_dirs=[])
    conf.set_override("state_path", str(tmp_path))
    conf.set_override("host", "h1")
    return conf
