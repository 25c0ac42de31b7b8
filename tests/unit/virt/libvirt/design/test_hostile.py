"""Names and values made to break out of the XML: they are text in it, or the guest is refused."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.xml.domain import Domain
from tests.unit.virt.libvirt.design.orders import IMAGE_ID, order

ESCAPED = [
    "]]><disk type='block'/>",
    "</nova:name></nova:instance></metadata><devices/>",
    "'\"><os/>",
    "&lt;&amp;&#0;&x;",
    "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "<?xml version='1.0'?>",
    "<![CDATA[x]]>",
    "\U0001f4a9 \u00e4 \u4e2d \u202e",
    "x" * 100_000,
    "--><!--",
    "%(x)s %s {x}",
]
UNSPEAKABLE = ["\x00", "a\x01b", "\x1b[31m", "\x0b", "\ufffe", "\ud800", "\x08"]


def shape(element: Any) -> Any:
    """The tree of tags and names of attributes, without what they say."""
    return (element.tag, tuple(sorted(element.attrib)), [shape(child) for child in element])


def designed(place: str, value: str) -> Any:
    wanted: dict[str, Any] = {
        "display_name": {"of_instance": {"display_name": value}},
        "flavor name": {"of_flavor": {"name": value}},
        "flavor id": {"of_flavor": {"flavorid": value}},
        "extra spec": {"extra_specs": {"custom:x": value}},
        "property": {"properties": {"os_distro": value}},
        "command line": {"of_instance": {"kernel_id": IMAGE_ID}, "properties": {"os_command_line": value}},
        "user": {"of_instance": {"user_id": value}},
        "user name": {"of_instance": {"system_metadata": {"owner_user_name": value}}},
        "package": {"package_version": value},
        "rng": {"options": {"rng_device": value}},
        "listen": {"options": {"vnc_listen": value}},
    }[place]
    return guest_domain(order(**wanted)).to_xml()


PLACES = [
    "display_name", "flavor name", "flavor id", "extra spec", "property", "command line", "user", "user name",
    "package", "rng", "listen",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ESCAPED, ids=range(len(ESCAPED)))
def test_it_stays_where_it_was_put(place: str, value: str) -> None:
    from lxml import etree

    text = designed(place, value)
    parsed = etree.fromstring(text.encode(), etree.XMLParser(huge_tree=True))
    assert shape(parsed) == shape(etree.fromstring(designed(place, "harmless").encode()))
    said = [*parsed.itertext(), *(v for element in parsed.iter() for v in element.attrib.values())]
    assert value in said
    assert Domain.from_xml(text).to_xml() == text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", UNSPEAKABLE, ids=range(len(UNSPEAKABLE)))
def test_what_xml_cannot_say_is_refused(place: str, value: str) -> None:
    with pytest.raises(errors.Invalid, match="cannot be said in XML") as refusal:
        designed(place, value)
    assert refusal.value.args[0]
    str(refusal.value).encode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    ("properties", "extra_specs"),
    [
        ({"hw_machine_type": "q35' accel='x"}, {}),
        ({}, {"hw:watchdog_action": "reset'/><x a='"}),
        ({}, {"hw:viommu_model": "<x/>"}),
        ({}, {"hw:sound_model": "ich6'><codec"}),
        ({}, {"hw:usb_model": "none' ports='99"}),
        ({}, {"hw:tpm_version": "2.0'"}),
        ({}, {"hw:maxphysaddr_mode": "emulate' bits='1"}),
        ({}, {"hw:maxphysaddr_mode": "emulate", "hw:maxphysaddr_bits": "1' x='"}),
        ({}, {"hw:emulator_threads_policy": "share]]>"}),
        ({}, {"quota:cpu_shares": "1</shares>"}),
        ({}, {"quota:cpu_period": "-5"}),
        ({}, {"quota:disk_read_bytes_sec": "1e9"}),
        ({}, {"quota:disk_total_iops_sec": "\U0001f4a9"}),
        ({}, {"hw_rng:rate_bytes": "x"}),
        ({}, {"hw_video:ram_max_mb": "much"}),
        ({}, {"hw:cpu_cores": "0x10"}),
        ({}, {"hw:cpu_max_threads": "-1"}),
        ({}, {"hw:redirected_usb_ports": "1' x"}),
        ({}, {"hw:serial_port_count": "two"}),
        ({}, {"hw:mem_encryption": "true", "hw:mem_encryption_model": "none<"}),
        ({"hw_machine_type": "q35", "hw_firmware_type": "uefi"}, {"os:secure_boot": "required'"}),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(
    properties: dict[str, str], extra_specs: dict[str, str]
) -> None:
    with pytest.raises(errors.Invalid) as refusal:
        guest_domain(order(properties=properties, extra_specs=extra_specs))
    wanted = [*properties.items(), *extra_specs.items()]
    text = str(refusal.value)
    assert any((repr(value) in text or value in text) for _, value in wanted)
    if extra_specs:
        assert any(name in text for name in extra_specs)


def test_the_same_order_makes_the_same_guest() -> None:
    assert guest_domain(order()).to_xml() == guest_domain(order()).to_xml()
