"""Options read from a file, and whom the sessions made of them talk to."""

import pytest
from oslo_config import cfg

from computed import conf as computed_conf
from computed.clients import keystone
from computed.embedded.placement_app import mount


@pytest.fixture
def load(tmp_path, cloud):
    """Make options from the text of a file; every session made of them talks to `cloud`, which the tests of
    a module choose."""

    def loaded(text):
        path = tmp_path / "computed.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        computed_conf.register_all(conf)
        conf(["--config-file", str(path)])
        for group in keystone.identity.IDENTITIES:
            session = keystone._identity(conf, group).session
            for scheme in ("http://", "https://"):
                mount(session.session, cloud, url=scheme)
        return conf

    keystone.forget_sessions()
    yield loaded
    keystone.forget_sessions()
