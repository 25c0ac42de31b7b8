"""The XML of guests of many kinds, as it was looked at once; and as libvirt's own schema wants it.

COMPUTED_WRITE_GOLDEN=1 writes the files anew: look at the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("lxml")

from lxml import etree

from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.xml.domain import Domain
from tests.unit.virt.libvirt.design.matrix import MATRIX, golden, request_of

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


@pytest.mark.parametrize("name", MATRIX)
def test_it_is_as_it_was(name: str) -> None:
    text = guest_domain(request_of(name)).to_xml() + "\n"
    if os.environ.get("COMPUTED_WRITE_GOLDEN"):
        golden(name).write_text(text)
    assert text == golden(name).read_text()


def test_there_is_no_other_file() -> None:
    assert {path.stem for path in golden("x").parent.glob("*.xml")} == set(MATRIX)


@pytest.mark.parametrize("name", MATRIX)
def test_nothing_is_lost_when_it_is_read_back(name: str) -> None:
    domain = guest_domain(request_of(name))
    assert Domain.from_xml(domain.to_xml()).to_xml() == domain.to_xml()


@pytest.mark.skipif(not SCHEMA.exists(), reason="libvirt's schemas are not installed")
@pytest.mark.parametrize("name", MATRIX)
def test_it_is_what_libvirt_understands(name: str) -> None:
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    document = etree.fromstring(golden(name).read_text())
    # libvirt reads a container's cmdline (its init gets LIBVIRT_LXC_CMDLINE), its schema forgot it.
    for forgotten in document.xpath("/domain[@type='lxc']/os/cmdline"):
        forgotten.getparent().remove(forgotten)
    assert schema.validate(document), schema.error_log
