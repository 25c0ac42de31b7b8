"""The configuration files of the control plane's services, and what an agent's file shares with them."""

from __future__ import annotations

from tests.integration.plane import ini
from tests.integration.plane.ini import Ini
from tests.integration.plane.settings import ADDRESS, REGION, Settings

#: two, so that a volume can be moved from one to the other
VOLUME_BACKENDS = ("one", "two")


def write_all(s: Settings) -> None:
    """Write every service's file under ``etc`` and make the directories that they name."""
    for directory in (
        "glance/images",
        "glance/staging",
        "glance/tasks",
        "glance/cache",
        "neutron/lock",
        "cinder/lock",
        "nova/lock",
    ):
        (s.root / directory).mkdir(parents=True, exist_ok=True)
    etc = s.etc
    ini.write(etc / "keystone/keystone.conf", _keystone(s))
    ini.write(
        etc / "placement/placement.conf",
        {"DEFAULT": _logging(), "api": {"auth_strategy": "keystone"}},
        _database(s, "placement_database", "placement"),
        _token_validation(s, "placement"),
    )
    ini.write(etc / "glance/glance-api.conf", _glance(s))
    ini.write(etc / "neutron/neutron.conf", _neutron(s))
    ini.write(etc / "neutron/ml2_conf.ini", _ml2())
    ini.write(etc / "cinder/cinder.conf", _cinder(s))
    ini.write(etc / "nova/nova.conf", nova_common(s), _nova_control(s))


def session(s: Settings, user: str) -> dict[str, ini.Value]:
    """Options by which a service logs in as another service's user."""
    return {
        "auth_type": "password",
        "auth_url": s.auth_url,
        "username": user,
        "password": s.password,
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
        "region_name": REGION,
    }


def messaging() -> Ini:
    """How every service meets the broker: as quick to come back as it may be configured."""
    return {
        "oslo_messaging_rabbit": {
            "rabbit_retry_interval": 1,
            "rabbit_retry_backoff": 1,
            "rabbit_interval_max": 2,
        },
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def nova_common(s: Settings) -> Ini:
    """What nova's services and a compute host's file have in common."""
    return ini.merge(
        {
            "DEFAULT": {
                **_logging(),
                "transport_url": s.transport_url,
                "my_ip": ADDRESS,
                "state_path": s.root / "nova",
                # libvirt knows one guest of a name, whatever control plane it is from.
                "instance_name_template": f"{s.guest_prefix}%08x",
                "rpc_response_timeout": s.rpc_response_timeout_seconds,
                "report_interval": 5,
                "service_down_time": 30,
                # Else periodic tasks, host discovery among them, start up to a minute late.
                "periodic_fuzzy_delay": 0,
            },
            "oslo_concurrency": {"lock_path": s.root / "nova/lock"},
            "glance": {"region_name": REGION, "api_servers": s.url("glance")},
            "placement": {**session(s, "placement"), "valid_interfaces": "public"},
            "neutron": {**session(s, "neutron"), "valid_interfaces": "public"},
            "cinder": {**session(s, "cinder"), "os_region_name": REGION},
            "service_user": {"send_service_user_token": True, **session(s, "nova")},
            "keystone": {**session(s, "nova"), "valid_interfaces": "public"},
            "key_manager": {"backend": "nova.keymgr.conf_key_mgr.ConfKeyManager"},
            "spice": {"enabled": False},
        },
        messaging(),
    )


def _nova_control(s: Settings) -> Ini:
    return ini.merge(
        {
            "DEFAULT": {"host": "control", "allow_resize_to_same_host": True, "max_concurrent_builds": 10},
            "api": {"auth_strategy": "keystone"},
            "wsgi": {"api_paste_config": s.venv / "etc/nova/api-paste.ini"},
            "conductor": {"workers": 1},
            # A new compute host is usable within seconds, without nova-manage.
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
        },
        _database(s, "api_database", "nova_api"),
        _database(s, "database", "nova_cell1"),
        _token_validation(s, "nova"),
    )


def _keystone(s: Settings) -> Ini:
    return ini.merge(
        {
            "DEFAULT": {**_logging(), "public_endpoint": s.url("keystone")},
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": s.root / "keystone/fernet"},
            "fernet_receipts": {"key_repository": s.root / "keystone/fernet"},
            "credential": {"key_repository": s.root / "keystone/credential"},
            "identity": {"password_hash_rounds": 4},
            # One process, so its own cache is coherent; without one each validated token costs 0.5 s.
            "cache": {"enabled": True, "backend": "oslo_cache.dict", "expiration_time": 600},
        },
        _database(s, "database", "keystone"),
    )


def _glance(s: Settings) -> Ini:
    store = s.root / "glance"
    return ini.merge(
        {
            "DEFAULT": {
                **_logging(),
                "transport_url": s.transport_url,
                "enabled_backends": "fs:file",
                "worker_self_reference_url": s.url("glance"),
                "image_cache_dir": store / "cache",
            },
            "glance_store": {"default_backend": "fs"},
            "fs": {"filesystem_store_datadir": store / "images"},
            "os_glance_staging_store": {"filesystem_store_datadir": store / "staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": store / "tasks"},
            "paste_deploy": {"flavor": "keystone", "config_file": s.venv / "etc/glance/glance-api-paste.ini"},
            "oslo_concurrency": {"lock_path": store},
        },
        _database(s, "database", "glance"),
        _token_validation(s, "glance"),
        messaging(),
    )


def _neutron(s: Settings) -> Ini:
    state = s.root / "neutron"
    quotas = {
        f"quota_{name}": 2000
        for name in ("network", "subnet", "port", "security_group", "security_group_rule")
    }
    return ini.merge(
        {
            "DEFAULT": {
                **_logging(),
                "transport_url": s.transport_url,
                "core_plugin": "ml2",
                "service_plugins": "",
                "state_path": state,
                "api_paste_config": s.venv / "etc/neutron/api-paste.ini",
                "bind_host": ADDRESS,
                "bind_port": s.ports.neutron,
                "auth_strategy": "keystone",
                "notify_nova_on_port_status_changes": True,
                "notify_nova_on_port_data_changes": True,
                # A busy machine must not look like a dead layer 2 agent.
                "agent_down_time": 300,
                "rpc_workers": 1,
                "rpc_state_report_workers": 0,
            },
            "agent": {"root_helper": ""},
            **_privileged(s),
            "oslo_concurrency": {"lock_path": state / "lock"},
            "nova": {**session(s, "nova"), "endpoint_type": "public"},
            "placement": {**session(s, "placement"), "endpoint_type": "public"},
            "quotas": quotas,
        },
        _database(s, "database", "neutron"),
        _token_validation(s, "neutron"),
        messaging(),
    )


def _privileged(s: Settings) -> Ini:
    """Neutron's agents are root already: no sudo."""
    helper = f"{s.bin('privsep-helper')} --config-file {s.etc}/neutron/neutron.conf"
    contexts = ("", "_ovs_vsctl", "_namespace", "_conntrack", "_link", "_dhcp_release")
    return {f"privsep{context}": {"helper_command": helper} for context in contexts}


def _ml2() -> Ini:
    return {
        "ml2": {
            # local: between the ports of one host, without tunnels; what the real layer 2 agent has.
            "type_drivers": "vxlan,local",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "openvswitch",
            "extension_drivers": "port_security",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:10000"},
        "securitygroup": {"enable_security_group": True},
    }


def _cinder(s: Settings) -> Ini:
    state, etc = s.root / "cinder", s.venv / "etc/cinder"
    unlimited = {f"quota_{name}": -1 for name in ("volumes", "snapshots", "gigabytes")}
    return ini.merge(
        {
            "DEFAULT": {
                **_logging(),
                "transport_url": s.transport_url,
                "auth_strategy": "keystone",
                "host": "control",
                "my_ip": ADDRESS,
                "state_path": state,
                "api_paste_config": etc / "api-paste.ini",
                "resource_query_filters_file": etc / "resource_filters.json",
                "enabled_backends": ",".join(VOLUME_BACKENDS),
                "glance_api_servers": s.url("glance"),
                "service_down_time": 300,
                "periodic_fuzzy_delay": 0,
                **unlimited,
            },
            **{
                name: {"volume_driver": "diskless.DisklessDriver", "volume_backend_name": name}
                for name in VOLUME_BACKENDS
            },
            "oslo_concurrency": {"lock_path": state / "lock"},
            "coordination": {"backend_url": f"file://{state}/lock"},
            "key_manager": {"backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager"},
            "nova": {**session(s, "nova"), "interface": "public", "token_auth_url": s.auth_url},
            "service_user": {"send_service_user_token": True, **session(s, "cinder")},
        },
        _database(s, "database", "cinder"),
        _token_validation(s, "cinder"),
        messaging(),
    )


def _logging() -> dict[str, ini.Value]:
    return {
        "debug": False,
        "use_stderr": True,
        "log_options": False,
        "logging_default_format_string": "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s "
        "[-] %(instance)s%(message)s",
    }


def _database(s: Settings, section: str, name: str) -> Ini:
    return {section: {"connection": s.database_url(name), "max_pool_size": 20, "max_overflow": 20}}


def _token_validation(s: Settings, user: str) -> Ini:
    return {
        "keystone_authtoken": {
            "www_authenticate_uri": s.auth_url,
            "service_token_roles_required": True,
            "service_token_roles": "service",
            **session(s, user),
        }
    }
