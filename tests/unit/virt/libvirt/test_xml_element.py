"""The grammar of the XML words: what is built can be read back, and nothing breaks out of its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("lxml")

from computed.virt.libvirt.xml.element import (
    HEX,
    NUMBER,
    ON_OFF,
    PRESENT,
    YES_NO,
    Element,
    XmlError,
    part,
    parts,
    word,
    words,
)


@dataclass(kw_only=True)
class Leaf(Element):
    TAG: ClassVar[str] = "leaf"
    name: str | None = word("@name")
    text: str | None = word(".")


@dataclass(kw_only=True)
class Meta(Element):
    TAG: ClassVar[str] = "nova:meta"
    version: str | None = word("nova:package/@version")


@dataclass(kw_only=True)
class Tree(Element):
    TAG: ClassVar[str] = "tree"
    kind: str | None = word("@type")
    height: int | None = word("height", NUMBER)
    unit: str | None = word("height/@unit")
    is_green: bool | None = word("colour/@green", YES_NO)
    is_lit: bool | None = word("light/@state", ON_OFF)
    slot: int | None = word("address/@slot", HEX)
    has_roots: bool | None = word("ground/roots", PRESENT)
    crown: Leaf | None = part(Leaf, inside="crown")
    leaves: list[Leaf] = parts(Leaf, inside="branch")
    birds: list[str] = words("nest/bird/@name")
    meta: Meta | None = part(Meta, inside="metadata")


FULL = Tree(
    kind="oak",
    height=12,
    unit="m",
    is_green=True,
    is_lit=False,
    slot=31,
    has_roots=True,
    crown=Leaf(name="top"),
    leaves=[Leaf(name="a", text="one"), Leaf(text="two")],
    birds=["wren", "robin"],
    meta=Meta(version="34"),
)
TEXT = """\
<tree type="oak">
  <height unit="m">12</height>
  <colour green="yes"/>
  <light state="off"/>
  <address slot="0x1f"/>
  <ground>
    <roots/>
  </ground>
  <crown>
    <leaf name="top"/>
  </crown>
  <branch>
    <leaf name="a">one</leaf>
    <leaf>two</leaf>
  </branch>
  <nest>
    <bird name="wren"/>
    <bird name="robin"/>
  </nest>
  <metadata>
    <nova:meta xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:package version="34"/>
    </nova:meta>
  </metadata>
</tree>"""


def test_it_is_spelled_as_declared() -> None:
    assert FULL.to_xml() == TEXT


def test_it_is_read_as_it_is_spelled() -> None:
    read = Tree.from_xml(TEXT)
    assert read.leaves == FULL.leaves
    assert read.crown is not None
    assert (read.crown.name, read.crown.text) == ("top", "")
    assert read.to_xml() == TEXT


def test_nothing_said_is_nothing_written() -> None:
    assert Tree().to_xml() == "<tree/>"
    assert Tree(has_roots=False).to_xml() == "<tree/>"
    empty = Tree.from_xml("<tree/>")
    assert empty == Tree()


def test_what_is_unknown_is_left_out() -> None:
    assert Tree.from_xml("<tree age='9' type='elm'><soil/><!-- dark --></tree>") == Tree(kind="elm")


def test_what_was_said() -> None:
    assert set(Tree(kind="oak", crown=Leaf(name="top")).spoken()) == {
        ("Tree", "kind"),
        ("Tree", "crown"),
        ("Leaf", "name"),
    }
    assert {name for kind, name in FULL.spoken() if kind == "Tree"} == set(Tree.vocabulary())


@pytest.mark.parametrize(
    "text",
    ["", "<tree", "<bush/>", "<tree><colour green='perhaps'/></tree>", "<tree><height>tall</height></tree>"],
)
def test_what_is_not_our_xml_is_refused(text: str) -> None:
    with pytest.raises(XmlError):
        Tree.from_xml(text)


def test_entities_are_not_resolved() -> None:
    hostile = '<!DOCTYPE t [<!ENTITY e SYSTEM "file:///etc/hostname">]><leaf name="x">&e;</leaf>'
    assert Leaf.from_xml(hostile).text == ""


@given(st.text())
def test_no_text_breaks_out(text: str) -> None:
    """Whatever a name holds, the XML has the same elements, and the name is read back or refused."""
    leaf = Leaf(name=text, text=text)
    try:
        spelled = leaf.to_xml()
    except XmlError:
        # What XML has no spelling for: control characters, surrogates, non-characters.
        assert any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF or ord(c) >= 0xFFFE for c in text)
        return
    read = Leaf.from_xml(spelled)
    assert read.name == text
    assert read.text == text.strip() or "\r" in text
