"""Lists of instances, as the conductor finds them."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ObjectList, register
from computed.objects.remote import remotable


@register
class InstanceList(ObjectList):
    """Instances, as the conductor finds them."""

    VERSION = "2.6"
    fields = {
        "objects": fields.ListOfObjectsField("Instance"),
    }

    @classmethod
    @remotable
    def _get_active_by_window_joined(
        cls,
        context: Any,
        begin: Any,
        end: Any = None,
        project_id: Any = None,
        host: Any = None,
        expected_attrs: Any = None,
        use_slave: Any = False,
        limit: Any = None,
        marker: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def get_all(cls, context: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_filters(
        cls,
        context: Any,
        filters: Any,
        sort_key: Any = "created_at",
        sort_dir: Any = "desc",
        limit: Any = None,
        marker: Any = None,
        expected_attrs: Any = None,
        use_slave: Any = False,
        sort_keys: Any = None,
        sort_dirs: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_grantee_security_group_ids(cls, context: Any, security_group_ids: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_host(
        cls, context: Any, host: Any, expected_attrs: Any = None, use_slave: Any = False
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_node(cls, context: Any, host: Any, node: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_not_type(
        cls, context: Any, host: Any, type_id: Any = None, expected_attrs: Any = None
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_security_group_id(cls, context: Any, security_group_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_count_by_vm_state(cls, context: Any, project_id: Any, user_id: Any, vm_state: Any) -> Any: ...

    @classmethod
    @remotable
    def get_counts(cls, context: Any, project_id: Any, user_id: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_hung_in_rebooting(cls, context: Any, reboot_window: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_host(cls, context: Any, host: Any) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_host_and_node(cls, context: Any, host: Any, node: Any) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_hosts(cls, context: Any, hosts: Any) -> Any: ...
