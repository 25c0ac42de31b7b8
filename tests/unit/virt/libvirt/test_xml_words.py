"""Every word of the domain XML: spelled as libvirt's own schema wants it, read back as it was spelled.

The samples in tests/golden/words say, together, everything that our words can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("lxml")

from lxml import etree

from computed.virt.libvirt.xml.domain import Domain
from computed.virt.libvirt.xml.element import Element

SAMPLES = sorted((Path(__file__).parents[3] / "golden" / "words").glob("*.xml"))
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
# Only in the capabilities of a host; see test_xml_capabilities.py.
NOT_IN_A_DOMAIN = {("Cpu", "arch")}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_it_is_read_and_spelled_alike(sample: Path) -> None:
    text = sample.read_text().strip()
    assert Domain.from_xml(text).to_xml() == text


@pytest.mark.skipif(not SCHEMA.exists(), reason="libvirt's schemas are not installed")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_it_is_what_libvirt_understands(sample: Path) -> None:
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    document = etree.fromstring(sample.read_text())
    assert schema.validate(document), schema.error_log


def kinds(kind: type[Element]) -> Iterator[type[Element]]:
    """A class and all that may stand in it."""
    yield kind
    for spelling in kind.vocabulary().values():
        if spelling.part is not None:
            yield from kinds(spelling.part)


def test_every_word_is_in_a_sample() -> None:
    declared = {(kind.__name__, name) for kind in kinds(Domain) for name in kind.vocabulary()}
    spoken = {word for sample in SAMPLES for word in Domain.from_xml(sample.read_text()).spoken()}
    assert sorted(declared - spoken - NOT_IN_A_DOMAIN) == []
