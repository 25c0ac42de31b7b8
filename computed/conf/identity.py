"""The options by which a section describes a service to talk to and the user to talk as.

They are keystoneauth's options. Importing keystoneauth costs more than all our own options together, so
they are registered when a client is made; the tables here serve to check files before that, and the
sample file. Names, types and defaults: config.json.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from oslo_config import cfg, types


@dataclass(frozen=True)
class Identity:
    """Which of the option families a section has.

    ``service_type`` is the default entry of the catalogue, None where no endpoint is looked up;
    ``own_user`` says that the section names credentials; ``former_names`` maps an option to the
    (section, name) it had before.
    """

    service_type: str | None = None
    own_user: bool = False
    former_names: Mapping[str, tuple[str, str]] = field(default_factory=dict)


IDENTITIES: Mapping[str, Identity] = {
    "cinder": Identity(own_user=True),
    "cyborg": Identity(service_type="accelerator"),
    "glance": Identity(
        service_type="image",
        former_names={
            "cafile": ("ssl", "ca_file"),
            "certfile": ("ssl", "cert_file"),
            "keyfile": ("ssl", "key_file"),
            "insecure": ("glance", "api_insecure"),
        },
    ),
    "keystone": Identity(service_type="identity"),
    "manila": Identity(service_type="shared-file-system", own_user=True),
    "neutron": Identity(service_type="network", own_user=True),
    "placement": Identity(service_type="placement", own_user=True),
    "service_user": Identity(own_user=True),
    "vendordata_dynamic_auth": Identity(own_user=True),
}

_SESSION = [
    cfg.StrOpt("cafile", help="Certificate authorities to trust, a PEM file."),
    cfg.StrOpt("certfile", help="Client certificate, a PEM file."),
    cfg.StrOpt("keyfile", help="Private key of the client certificate."),
    cfg.BoolOpt("insecure", default=False, help="Do not check the server's certificate."),
    cfg.FloatOpt("timeout", help="Seconds that a request may take."),
    cfg.BoolOpt("collect-timing", default=False, help="Measure how long requests take."),
    cfg.BoolOpt("split-loggers", default=False, help="Log the parts of a request under names of their own."),
    cfg.StrOpt("tls-min-version", choices=[None, "1.2", "1.3"], help="Oldest TLS version to speak."),
    cfg.StrOpt("tls-ciphers", help="TLS ciphers to offer."),
]

_ADAPTER = [
    cfg.StrOpt("service-name", help="Name of the service in the catalogue."),
    cfg.ListOpt("valid-interfaces", default=["internal", "public"], help="Endpoints to use, best first."),
    cfg.StrOpt("region-name", help="Region of the endpoint."),
    cfg.StrOpt("endpoint-override", help="Address of the service instead of the catalogue's."),
    cfg.StrOpt("version", help="Major version of the endpoint."),
    cfg.StrOpt("min-version", help="Oldest major version of the endpoint."),
    cfg.StrOpt("max-version", help="Newest major version of the endpoint, or latest."),
    cfg.IntOpt("connect-retries", help="How often to try again to connect."),
    cfg.FloatOpt("connect-retry-delay", help="Seconds between two attempts to connect."),
    cfg.IntOpt("status-code-retries", help="How often to repeat a request after a status that allows it."),
    cfg.FloatOpt("status-code-retry-delay", help="Seconds between two such repetitions."),
    cfg.ListOpt("retriable-status-codes", item_type=types.Integer(), help="Statuses that allow it."),
]

_USER = [
    cfg.StrOpt("auth_type", deprecated_name="auth_plugin", help="How to authenticate, for example password."),
    cfg.StrOpt("auth_section", help="Section to take these options from instead."),
    cfg.StrOpt("auth_url", help="Address of keystone."),
    cfg.StrOpt("username", deprecated_name="user_name", help="Name of the user."),
    cfg.StrOpt("password", secret=True, help="Password of the user."),
    cfg.StrOpt("user_domain_name", help="Domain of the user."),
    cfg.StrOpt("project_name", deprecated_name="tenant_name", help="Name of the project."),
    cfg.StrOpt("project_domain_name", help="Domain of the project."),
]

# Every option of the authentication methods that keystoneauth brings along; checked by name only.
_METHOD_OPTIONS = """
    access_token access_token_endpoint access_token_type application_credential_id
    application_credential_name application_credential_secret auth_methods auth_plugin auth_section
    auth_type auth_url authorization_code client_id client_secret code code_challenge_method
    consumer_key consumer_secret default_domain_id default_domain_name device_authorization_endpoint
    discovery_endpoint domain_id domain_name endpoint identity_provider identity_provider_url
    idp_otp_key login_timeout mutual_auth oauth2_client_id oauth2_client_secret oauth2_endpoint
    openid_scope passcode password project_domain_id project_domain_name project_id project_name
    protocol redirect_host redirect_port redirect_uri scope service_provider_endpoint
    service_provider_entity_id system_scope tenant_id tenant_name tls_client_auth token trust_id url
    user_domain_id user_domain_name user_id user_name username
"""
# A section may hold all of them whether it uses them or not: files repeat one block for every service.
OPTION_NAMES = frozenset(
    [*_METHOD_OPTIONS.split(), "service_type", *(option.dest for option in _SESSION + _ADAPTER + _USER)]
)


def declared(group: str) -> list[cfg.Opt]:
    """The options of ``group`` in our own words, for checking files and for the sample; never registered."""
    identity = IDENTITIES[group]
    options = [_with_former_name(option, identity) for option in _SESSION]
    if identity.service_type is not None:
        options += _ADAPTER
        catalogue_help = "Entry of the service in the catalogue."
        options.append(cfg.StrOpt("service-type", default=identity.service_type, help=catalogue_help))
    if identity.own_user:
        options += _USER
    return options


def _with_former_name(option: cfg.Opt, identity: Identity) -> cfg.Opt:
    former = identity.former_names.get(option.dest)
    if former is None:
        return option
    renamed = copy.copy(option)
    renamed.deprecated_opts = [cfg.DeprecatedOpt(former[1], group=former[0])]
    return renamed


def register(conf: cfg.ConfigOpts, group: str) -> None:
    """Make keystoneauth's options of ``group`` known to ``conf``; calling it again changes nothing.

    Raises KeyError for a group that has none.
    """
    from keystoneauth1 import loading

    identity = IDENTITIES[group]
    former = {
        name.replace("_", "-"): [cfg.DeprecatedOpt(old_name, group=old_group)]
        for name, (old_group, old_name) in identity.former_names.items()
    }
    loading.register_session_conf_options(conf, group, deprecated_opts=former)
    if identity.own_user:
        loading.register_auth_conf_options(conf, group)
    if identity.service_type is not None:
        loading.register_adapter_conf_options(conf, group, include_deprecated=False)
        conf.set_default("service_type", identity.service_type, group)
        conf.set_default("valid_interfaces", ["internal", "public"], group)
