"""The services of [api]vendordata_dynamic_targets: asked what the guests of a cloud are to be told.

What they are sent, and how, is nova 34's (its documentation of vendordata names the keys of the body).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

_SECTION: Final = "vendordata_dynamic_auth"
_USER_AGENT: Final = "openstack-nova-vendordata"


class DynamicVendorData:
    """Asks every target about an instance, as the user of section [vendordata_dynamic_auth] if it names one.

    Raises ConfigError for a target that is not NAME@URL, or a name that stands twice.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._targets = _targets(conf)

    def of(self, instance: Any) -> dict[str, Any]:
        """What each target says, by its name; nothing of one that fails.

        Raises InstanceDeployFailure instead when [api]vendordata_dynamic_failure_fatal says so.
        """
        if not self._targets:
            return {}
        body = _body(instance)
        return {name: self._ask(name, url, body) for name, url in self._targets.items()}

    def _ask(self, name: str, url: str, body: Mapping[str, Any]) -> Any:
        # Not at the top: keystoneauth1 is read by those who ask somebody.
        from keystoneauth1.exceptions import ClientException

        from computed.clients.keystone import session_of

        api = self._conf.api
        try:
            answer = session_of(self._conf, _SECTION).post(
                url,
                json=body,
                user_agent=_USER_AGENT,
                timeout=(api.vendordata_dynamic_connect_timeout, api.vendordata_dynamic_read_timeout),
                verify=url.startswith("https://") and (api.vendordata_dynamic_ssl_certfile or True),
            )
            return answer.json() if answer.content else {}
        except (ClientException, ValueError) as error:
            # Not its text: that repeats the URL, which may hold a password.
            status = getattr(error, "http_status", None)
            reason = f"HTTP {status}" if status else type(error).__name__
            told = f"no vendor data of {name} ([api]vendordata_dynamic_targets): {reason}"
            if api.vendordata_dynamic_failure_fatal:
                raise errors.InstanceDeployFailure(reason=told) from error
            LOG.warning("Instance %s gets %s", body["instance-id"], told)
            return {}


def _targets(conf: cfg.ConfigOpts) -> dict[str, str]:
    """Addresses by name, in the order of the option."""
    if "DynamicJSON" not in conf.api.vendordata_providers:
        return {}
    found: dict[str, str] = {}
    for number, target in enumerate(conf.api.vendordata_dynamic_targets, 1):
        name, at, url = target.partition("@")
        if not (name and at and url):
            raise errors.ConfigError(f"[api]vendordata_dynamic_targets: target {number} is not NAME@URL")
        if name in found:
            raise errors.ConfigError(f"[api]vendordata_dynamic_targets: {name} stands there twice")
        found[name] = url
    return found


def _body(instance: Any) -> dict[str, Any]:
    return {
        "project-id": instance.project_id,
        "instance-id": instance.uuid,
        "image-id": instance.image_ref,
        "user-data": instance.user_data,
        "hostname": instance.hostname,
        "metadata": instance.metadata,
        "boot-roles": instance.system_metadata.get("boot_roles", ""),
    }
