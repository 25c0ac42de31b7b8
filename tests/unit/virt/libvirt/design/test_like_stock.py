"""Our guests beside those that a stock nova-compute 34 defines for the same order.

tests/golden/stock is what it said (its own code run beside a libvirt 9.0; only X86 of the matrix and ARM);
times are blanked. What may differ is listed here, with the reason; everything else is the same.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from lxml import etree

from computed.virt.libvirt.design import guest_domain
from tests.unit.virt.libvirt.design.matrix import request_of

STOCK = sorted((Path(__file__).parents[4] / "golden" / "stock").glob("*.xml"))
# A line of the difference → why it may differ.
EVERYWHERE = {
    r"creationTime": "when it was made",
    r"<vmcoreinfo": "on is what an empty element means",
    r"<readonly >": "libvirt adds it to a disc by itself",
    r"<target port=\d>": "libvirt counts the ports in the same way",
    r"<address .*type=drive": "bus and target 0 are what is taken when nothing is said",
    r"<loader secure=no|<loader stateless=yes>": "libvirt 9.0 refuses it when it chooses",
    r"<memballoon .*model=none": "attributes of a balloon that is not there",
}
ONLY = {
    "lxc": {r"filesystem|source|driver|<controller|<iothreads": "libvirt mounts the disk; no USB there"},
    "lxc-id-maps": {r"filesystem|source|driver|<controller|<iothreads": "the same"},
    "aarch64": {r"<target bus=\w+ dev=\w+>": "the order was made on a PC there"},
    "q35-uefi-again": {r"smm": "it is spelled with its state"},
    "q35-uefi-kept": {
        r"smm|<os|firmware|feature|loader|nvram": "stock chooses the firmware anew for nothing"
    },
    "serial-console-again": {r"<source host=": "it keeps its ports"},
    "sysinfo-hardware": {r"<entry name=serial>": "another host"},
    "sysinfo-os": {r"<entry name=serial>": "another host"},
    "viommu-auto": {r"<driver aw_bits": "libvirt refuses these settings for a virtio IOMMU"},
}


def lines(element: Any) -> list[str]:
    """An element as text in which the order of children and attributes does not matter."""
    tag = etree.QName(element).localname
    attributes = " ".join(f"{name}={value}" for name, value in sorted(element.attrib.items()))
    children = sorted(lines(child) for child in element)
    own = f"<{tag} {attributes}>{(element.text or '').strip()}"
    return [own, *(f"  {line}" for child in children for line in child)]


@pytest.mark.parametrize("path", STOCK, ids=lambda path: path.stem)
def test_it_is_what_stock_defines(path: Path) -> None:
    ours = etree.fromstring(guest_domain(request_of(path.stem)).to_xml())
    theirs = etree.fromstring(path.read_text())
    may_differ = [*EVERYWHERE, *ONLY.get(path.stem, {})]
    difference = [
        line
        for line in difflib.unified_diff(lines(theirs), lines(ours), "stock", "ours", lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
        and not any(re.search(pattern, line) for pattern in may_differ)
    ]
    assert difference == []


def test_there_are_many() -> None:
    assert len(STOCK) > 40
