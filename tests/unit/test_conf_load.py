"""Reading files: what is accepted, and how a mistake is named."""

import fnmatch
import re
from pathlib import Path

import pytest
from oslo_config import cfg

import computed
from computed.conf import register_all, unbuilt
from computed.conf.load import load
from computed.errors import ConfigError

STOCK = """
[DEFAULT]
debug = true
transport_url = rabbit://u:p@127.0.0.1:5672/v
compute_driver = fake.FakeDriver
host = one
state_path = /var/lib/nova
osapi_compute_workers = 2
[api_database]
connection = mysql+pymysql://u:p@db/nova_api
[oslo_messaging_rabbit]
rabbit_retry_interval = 1
[placement]
auth_type = password
auth_url = http://127.0.0.1:5000/v3
user_domain_name = Default
username = placement
password = secret
region-name = RegionOne
[service_user]
region_name = RegionOne
[vif_plug_ovs_privileged]
helper_command = sudo privsep-helper
[libvirt]
cpu_model = Nehalem
[vgpu_nvidia-35]
device_addresses = 0000:84:00.0
[devices]
enabled_vgpu_types = nvidia-35
[mdev_nvidia-35]
max_instances = 4
[neutron]
physnets = left
[neutron_physnet_left]
numa_nodes = 0,1
"""


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    return cfg.ConfigOpts()


def _load(conf: cfg.ConfigOpts, tmp_path: Path, *texts: str) -> None:
    argv = []
    for number, text in enumerate(texts):
        path = tmp_path / f"file{number}.conf"
        path.write_text(text)
        argv += ["--config-file", str(path)]
    load(argv, conf)


def _refusal(conf: cfg.ConfigOpts, tmp_path: Path, *texts: str) -> str:
    with pytest.raises(ConfigError) as refused:
        _load(conf, tmp_path, *texts)
    return str(refused.value)


def test_a_file_of_a_whole_deployment_is_accepted(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    _load(conf, tmp_path, STOCK)
    assert conf.host == "one"
    assert conf.instances_path == "/var/lib/nova/instances"
    assert conf.libvirt.cpu_models == ["Nehalem"]
    assert conf["mdev_nvidia-35"].max_instances == 4
    assert conf["mdev_nvidia-35"].device_addresses == ["0000:84:00.0"]
    assert conf["neutron_physnet_left"].numa_nodes == [0, 1]


def test_what_has_no_effect_any_more_is_said(
    conf: cfg.ConfigOpts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _load(conf, tmp_path, STOCK)
    assert [r for r in caplog.messages if "osapi_compute_workers" in r]


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("DEFAULT", "report_intervall = 5", ["report_intervall", "did you mean report_interval"]),
        ("libvirt", "virt_typ = kvm", ["[libvirt] virt_typ", "virt_type"]),
        ("libvrt", "virt_type = kvm", ["[libvrt]", "no such section", "did you mean libvirt"]),
        ("placement", "pasword = x", ["[placement] pasword", "password"]),
        ("DEFAULT", "report_interval = often", ["[DEFAULT] report_interval", "'often'"]),
        ("DEFAULT", "default_thread_pool_size = 0", ["default_thread_pool_size", "'0'", "1"]),
        ("libvirt", "virt_type = xenon", ["[libvirt] virt_type", "'xenon'", "qemu"]),
        ("libvirt", "cpu_mode = $no_such", ["[libvirt] cpu_mode", "no_such"]),
        ("vnc", "auth_schemes = none,plain", ["[vnc] auth_schemes", "plain"]),
        ("placement", "timeout = soon", ["[placement] timeout", "'soon'"]),
        ("neutron_tunnel", "numa_nodes = left", ["[neutron_tunnel] numa_nodes", "'left'"]),
        ("vnc", "novncproxy_port = 70000", ["[vnc] novncproxy_port", "'70000'"]),
        ("DEFAULT", "use_journal = perhaps", ["use_journal", "'perhaps'"]),
        ("DEFAULT", "unknown_options = shrug", ["unknown_options", "'shrug'"]),
    ],
)
def test_a_mistake_names_option_value_and_file(
    conf: cfg.ConfigOpts, tmp_path: Path, section: str, line: str, expected: list[str]
) -> None:
    message = _refusal(conf, tmp_path, "[DEFAULT]\nhost = one\n", f"[{section}]\n{line}\n")
    assert str(tmp_path / "file1.conf") in message
    assert "file0.conf" not in message
    for part in expected:
        assert part in message


def test_all_mistakes_are_named_at_once(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    message = _refusal(conf, tmp_path, "[DEFAULT]\nhosst = x\nreport_interval = often\n[compute]\nnope = 1\n")
    assert len(message.splitlines()) == 3


def test_unknown_options_can_be_let_pass(
    conf: cfg.ConfigOpts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lenient = "[DEFAULT]\nunknown_options = warn\nhosst = x\n[libvrt]\nvirt_type = kvm\n"
    _load(conf, tmp_path, lenient)
    assert [m for m in caplog.messages if "hosst" in m]
    assert [m for m in caplog.messages if "[libvrt]" in m]


def test_wrong_values_are_refused_even_then(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    message = _refusal(conf, tmp_path, "[DEFAULT]\nunknown_options = warn\nreport_interval = often\n")
    assert "report_interval" in message


def test_a_value_that_a_later_file_replaces_is_no_mistake(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    _load(conf, tmp_path, "[DEFAULT]\nreport_interval = often\n", "[DEFAULT]\nreport_interval = 7\n")
    assert conf.report_interval == 7


def test_a_secret_is_not_shown(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    message = _refusal(conf, tmp_path, "[neutron]\nmetadata_proxy_shared_secret = $hunter2\n")
    assert "metadata_proxy_shared_secret" in message
    assert "hunter2" not in message


def test_a_missing_file_is_named(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.conf"):
        load(["--config-file", str(tmp_path / "absent.conf")], conf)


def test_a_file_that_is_no_configuration_is_named(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    assert "file0.conf" in _refusal(conf, tmp_path, "what is this\n")


def test_a_directory_of_files_is_read(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    (tmp_path / "10-host.conf").write_text("[DEFAULT]\nhost = ten\n")
    (tmp_path / "20-mistake.conf").write_text("[DEFAULT]\nmax_concurrent_builds = many\n")
    with pytest.raises(ConfigError, match=r"20-mistake\.conf"):
        load(["--config-dir", str(tmp_path)], conf)


def test_what_has_no_effect_here_is_said_with_its_reason(
    conf: cfg.ConfigOpts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _load(conf, tmp_path, "[libvirt]\ninject_key = true\ninject_partition = -2\nimages_type = raw\n")
    said = [record.getMessage() for record in caplog.records if "no effect" in record.getMessage()]
    assert said == [
        f"[libvirt] inject_key in {tmp_path}/file0.conf has no effect: "
        "nothing is written into the disks of guests"
    ]


def test_what_is_said_to_have_no_effect_is_an_option(conf: cfg.ConfigOpts) -> None:
    """And nobody reads it: a row that stays when its feature is built would be a lie."""
    register_all(conf)
    package = Path(computed.__file__).parent
    sources = [path for path in package.rglob("*.py") if package / "conf" not in path.parents]
    words = {word for path in sources for word in re.findall(r"\w+", path.read_text())}
    unread = {
        (group, pattern): [name for name in _names(conf, group) if fnmatch.fnmatchcase(name, pattern)]
        for sections in unbuilt.WITHOUT_EFFECT.values()
        for group, patterns in sections.items()
        for pattern in patterns.split()
    }
    assert {key for key, names in unread.items() if not names} == set()
    assert {name for names in unread.values() for name in names} & words == set()


def _names(conf: cfg.ConfigOpts, group: str) -> list[str]:
    options = conf._opts if group == "DEFAULT" else conf._groups[group]._opts
    return [entry["opt"].dest for entry in options.values()]
