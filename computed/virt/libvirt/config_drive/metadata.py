"""The tree of files on a config drive: a pure function of what is known of the guest."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from computed.virt.libvirt.config_drive import devices, network_data, versions
from computed.virt.libvirt.config_drive.request import MetadataOptions, MetadataRequest
from computed.virt.libvirt.config_drive.versions import LATEST, has


def tree(request: MetadataRequest, options: MetadataOptions | None = None) -> dict[str, bytes]:
    """Every file of the drive by its path, such as `openstack/latest/meta_data.json`.

    Raises ValueError when the instance's user data are not base64.
    """
    options = options or MetadataOptions()
    user_data = _user_data(request.instance)
    files = dict(_ec2_files(request, options, user_data))
    for version in (*versions.OPENSTACK, LATEST):
        for name, content in _openstack_files(request, options, version, user_data):
            files[f"openstack/{version}/{name}"] = content
    for number, content in enumerate(_contents(request)):
        files[f"openstack/{_content_name(number)}"] = content
    return files


def _user_data(instance: Any) -> bytes | None:
    if instance.user_data is None:
        return None
    return base64.b64decode(instance.user_data)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _contents(request: MetadataRequest) -> list[bytes]:
    """What lies under `content`: the network settings, if any, before the injected files."""
    first = [] if request.network_config is None else [request.network_config]
    return first + [content for _, content in request.files]


def _content_name(number: int) -> str:
    return f"content/{number:04d}"


def _openstack_files(
    request: MetadataRequest, options: MetadataOptions, version: str, user_data: bytes | None
) -> Iterator[tuple[str, bytes]]:
    yield "meta_data.json", _json(_meta_data(request, options, version))
    if user_data is not None:
        yield "user_data", user_data
    static = dict(options.static_vendor_data)
    if has(version, versions.HAVANA):
        yield "vendor_data.json", _json(static)
    if has(version, versions.LIBERTY):
        yield "network_data.json", _json(network_data.describe(request.network_info) or {})
    if has(version, versions.NEWTON_TWO):
        # The operator's own words go before those of anybody asked.
        yield "vendor_data2.json", _json({**request.dynamic_vendor_data, "static": static})


def _host_name(request: MetadataRequest, options: MetadataOptions) -> str:
    name = request.instance.hostname
    return f"{name}.{options.dhcp_domain}" if options.dhcp_domain else name


def _meta_data(request: MetadataRequest, options: MetadataOptions, version: str) -> dict[str, Any]:
    instance = request.instance
    data: dict[str, Any] = {"uuid": instance.uuid}
    if instance.metadata:
        data["meta"] = dict(instance.metadata)
    data.update(_file_entries(request))
    if request.admin_password is not None:
        data["admin_pass"] = request.admin_password
    data.update(_keys(instance))
    data["hostname"] = _host_name(request, options)
    data["name"] = instance.display_name
    data["launch_index"] = instance.launch_index
    data["availability_zone"] = instance.availability_zone
    newer: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        (versions.GRIZZLY, "random_seed", lambda: base64.b64encode(request.random_seed).decode()),
        (versions.LIBERTY, "project_id", lambda: instance.project_id),
        (versions.NEWTON_ONE, "devices", lambda: devices.describe(instance.device_metadata, version)),
        (versions.VICTORIA, "dedicated_cpus", lambda: _dedicated_cpus(instance)),
    )
    data.update({key: value() for since, key, value in newer if has(version, since)})
    return data


def _file_entries(request: MetadataRequest) -> dict[str, Any]:
    """Where in the tree the injected files and the network settings are."""
    entries: dict[str, Any] = {}
    first = 0 if request.network_config is None else 1
    files = [
        {"path": path, "content_path": f"/{_content_name(number)}"}
        for number, (path, _) in enumerate(request.files, first)
    ]
    if files:
        entries["files"] = files
    if first:
        entries["network_config"] = {"name": "network_config", "content_path": f"/{_content_name(0)}"}
    return entries


def _keys(instance: Any) -> dict[str, Any]:
    """The key pair of the guest's user; it may have been deleted since."""
    key = next(iter(instance.keypairs), None) if instance.key_name else None
    if key is None:
        return {}
    return {
        "public_keys": {key.name: key.public_key},
        "keys": [{"name": key.name, "type": key.type, "data": key.public_key}],
    }


def _dedicated_cpus(instance: Any) -> list[int]:
    cells = instance.numa_topology.cells if instance.numa_topology else ()
    return sorted(cpu for cell in cells for cpu in cell.pcpuset)


def _ec2_files(
    request: MetadataRequest, options: MetadataOptions, user_data: bytes | None
) -> Iterator[tuple[str, bytes]]:
    for version in (*versions.EC2, LATEST):
        if version in options.skip_versions:
            continue
        if user_data is not None:
            yield f"ec2/{version}/user-data", user_data
        yield f"ec2/{version}/meta-data.json", _json(_ec2_data(request, options, version))


_NO_MANIFEST: Final = "FIXME"
"""What guests have always been told of a manifest that does not exist here."""


def _ec2_data(request: MetadataRequest, options: MetadataOptions, version: str) -> Mapping[str, Any]:
    instance, ids = request.instance, request.instance.ec2_ids
    host_name = _host_name(request, options)
    data: dict[str, Any] = {
        "ami-id": ids.ami_id,
        "ami-launch-index": instance.launch_index,
        "ami-manifest-path": _NO_MANIFEST,
        "instance-id": ids.instance_id,
        "hostname": host_name,
        "local-ipv4": network_data.first_ipv4(request.network_info),
        "reservation-id": instance.reservation_id,
        "security-groups": list(request.security_groups),
    }
    if instance.key_name:
        data["public-keys"] = {"0": {"_name": f"0={instance.key_name}", "openssh-key": instance.key_data}}
    newer: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("2007-01-19", lambda: _public_names(request, host_name)),
        ("2007-08-29", lambda: {"instance-type": instance.flavor.name}),
        ("2007-12-15", lambda: _ec2_images(request)),
        ("2008-02-01", lambda: {"placement": {"availability-zone": instance.availability_zone}}),
        ("2008-09-01", lambda: {"instance-action": "none"}),
    )
    for since, more in newer:
        if has(version, since):
            data.update(more())
    return data


def _public_names(request: MetadataRequest, host_name: str) -> dict[str, Any]:
    public = network_data.first_floating(request.network_info)
    return {"local-hostname": host_name, "public-hostname": host_name, "public-ipv4": public}


def _ec2_images(request: MetadataRequest) -> dict[str, Any]:
    ids = request.instance.ec2_ids
    images = {"kernel-id": ids.kernel_id, "ramdisk-id": ids.ramdisk_id}
    return {
        "block-device-mapping": dict(request.block_mapping),
        **{name: image for name, image in images.items() if image},
    }
