"""How the agent authenticates to other services: keystoneauth sessions and adapters from nova's options.

keystoneauth1 is imported when the first of them is made, never before: a fake host may not need it at all.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging

from computed.conf import identity

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

DEFAULT_TIMEOUT_SECONDS = 120.0
"""For sections without `timeout`: a service that hangs must not hang an audit or a boot for ever."""

_RETRY_OPTIONS = {"neutron": "http_retries", "cinder": "http_retries", "glance": "num_retries"}


@dataclass(frozen=True, slots=True)
class _Identity:
    conf: cfg.ConfigOpts
    session: Any
    auth: Any


_identities: dict[tuple[int, str], _Identity] = {}
_identities_lock = threading.Lock()


def forget_sessions() -> None:
    """Make new sessions from the options at the next use (a reload of the configuration)."""
    with _identities_lock:
        _identities.clear()


def has_own_user(conf: cfg.ConfigOpts, group: str) -> bool:
    """Whether a section names a user of its own; one whose options cannot be used is logged and has none."""
    try:
        return _identity(conf, group).auth is not None
    except Exception as error:
        LOG.warning("Section [%s] cannot be used to log in: %s", group, type(error).__name__)
        return False


def _identity(conf: cfg.ConfigOpts, group: str) -> _Identity:
    """One per section and process, for all threads; raises KeyError for a section that names no service."""
    key = id(conf), group
    with _identities_lock:
        known = _identities.get(key)
        if known is None:
            # The options are kept with the session so that their id cannot pass to another object.
            known = _identities[key] = _load(conf, group)
        return known


def _load(conf: cfg.ConfigOpts, group: str) -> _Identity:
    from keystoneauth1 import loading

    identity.register(conf, group)
    auth = None
    if identity.IDENTITIES[group].own_user:
        auth = loading.load_auth_from_conf_options(conf, group)
    session = loading.load_session_from_conf_options(conf, group, auth=auth)
    if session.timeout is None:
        session.timeout = DEFAULT_TIMEOUT_SECONDS
    return _Identity(conf, session, auth)


def session_of(conf: cfg.ConfigOpts, group: str) -> Any:
    """A keystoneauth1 Session for services that stand in no catalogue; without a user in the section their
    requests carry no token. HTTP statuses raise. Raises KeyError for a section that names no service."""
    return _identity(conf, group).session


def adapter_for(conf: cfg.ConfigOpts, group: str, context: Any = None, admin: bool = False) -> Any:
    """A keystoneauth1 Adapter for placement, neutron, glance, cinder, manila; HTTP statuses never raise.

    Acts as the user of the section with `admin`, without a context, or with a context that has no token;
    else as the context's user, with a service token beside it when `[service_user]` says so. Requests
    carry the context's request id. Honours endpoint_override, valid_interfaces, region_name, timeouts and
    retries of the section, `[glance]api_servers`, `[cinder]catalog_info` and its endpoint_template.
    Raises KeyError for any other section.
    """
    known = _identity(conf, group)
    auth = known.auth
    if not admin and context is not None and context.auth_token:
        auth = _with_service_token(conf, _context_auth_class()(context, known.auth))
    request_id = None if context is None else context.global_id
    if group == "cinder":
        return _cinder_adapter(conf, known.session, auth, context, request_id)
    return _catalogue_adapter(conf, group, known.session, auth, request_id)


def _catalogue_adapter(conf: cfg.ConfigOpts, group: str, session: Any, auth: Any, request_id: Any) -> Any:
    from keystoneauth1 import loading

    adapter = loading.load_adapter_from_conf_options(
        conf, group, session=session, auth=auth, raise_exc=False, global_request_id=request_id
    )
    adapter.additional_headers = {"accept": "application/json"}
    if adapter.connect_retries is None and group in _RETRY_OPTIONS:
        adapter.connect_retries = conf[group][_RETRY_OPTIONS[group]]
    if group == "glance" and conf.glance.api_servers and not adapter.endpoint_override:
        adapter.endpoint_override = _with_scheme(random.choice(conf.glance.api_servers))
    return adapter


def _with_scheme(server: str) -> str:
    return server if "://" in server else f"http://{server}"


def _cinder_adapter(conf: cfg.ConfigOpts, session: Any, auth: Any, context: Any, request_id: Any) -> Any:
    from keystoneauth1.adapter import Adapter

    service_type, service_name, interface = conf.cinder.catalog_info.split(":")
    endpoint = None
    if conf.cinder.endpoint_template:
        endpoint = conf.cinder.endpoint_template % _context_values(context)
    return Adapter(
        session,
        auth=auth,
        service_type=service_type,
        service_name=service_name or None,
        interface=interface or None,
        region_name=conf.cinder.os_region_name,
        endpoint_override=endpoint,
        connect_retries=conf.cinder.http_retries,
        global_request_id=request_id,
        additional_headers={"accept": "application/json"},
        raise_exc=False,
    )


def _context_values(context: Any) -> Mapping[str, Any]:
    values: Mapping[str, Any] = {} if context is None else context.to_dict()
    return values


@functools.cache
def _context_auth_class() -> Any:
    from keystoneauth1 import plugin
    from keystoneauth1.access.service_catalog import ServiceCatalogV2

    class ContextAuth(plugin.BaseAuthPlugin):  # type: ignore[misc]
        """Acts as the caller, by the token and the catalogue that came with the request."""

        def __init__(self, context: Any, fallback: Any) -> None:
            super().__init__()
            self._token = context.auth_token
            self._catalog = ServiceCatalogV2(context.service_catalog or [])
            self._fallback = fallback

        def get_token(self, session: Any, **kwargs: Any) -> Any:
            return self._token

        def get_endpoint(self, session: Any, **wanted: Any) -> Any:
            names = ("service_type", "service_name", "interface", "region_name")
            found = self._catalog.get_urls(**{name: wanted[name] for name in names if name in wanted})
            if found or self._fallback is None:
                return found[0] if found else None
            # A request brings the part of the catalogue that nova-api kept; our own login knows all of it.
            return self._fallback.get_endpoint(session, **wanted)

    return ContextAuth


def _with_service_token(conf: cfg.ConfigOpts, user_auth: Any) -> Any:
    if not conf.service_user.send_service_user_token:
        return user_auth
    service_auth = _identity(conf, "service_user").auth
    if service_auth is None:
        LOG.warning("[service_user]send_service_user_token is set, but the section names no user: no token")
        return user_auth
    from keystoneauth1.service_token import ServiceTokenAuthWrapper

    return ServiceTokenAuthWrapper(user_auth=user_auth, service_auth=service_auth)
