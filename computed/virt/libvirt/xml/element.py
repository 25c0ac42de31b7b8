"""The grammar of libvirt's XML: a class declares what it is made of, and is built and parsed by that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from lxml import etree

T = TypeVar("T")

NAMESPACES: Final = {
    "nova": "http://openstack.org/xmlns/libvirt/nova/1.1",
    "qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
}
_WORD: Final = "word"


class XmlError(ValueError):
    """What cannot be said in XML (a control character), or is not the XML that was expected."""


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How a value is spelled as text, and read from it."""

    spell: Callable[[T], str]
    read: Callable[[str], T]


def _choice(yes: str, no: str) -> Codec[bool]:
    def read(text: str) -> bool:
        if text not in (yes, no):
            raise XmlError(f"{text!r} is neither {yes} nor {no}")
        return text == yes

    return Codec(lambda value: yes if value else no, read)


TEXT: Final = Codec[str](str, str)
NUMBER: Final = Codec[int](str, int)
HEX: Final = Codec[int](lambda value: f"{value:#x}", lambda text: int(text, 16))
YES_NO: Final = _choice("yes", "no")
ON_OFF: Final = _choice("on", "off")
PRESENT: Final = Codec[bool](lambda value: "", lambda text: True)
"""An empty element that says yes by being there; false leaves it out."""


@dataclass(frozen=True)
class Word:
    """How one field is spelled.

    `path` leads from the element: `@name` is an attribute, `.` the element's own text, `a/b` the text of a
    grandchild, `a/@b` an attribute of a child. `part` is the class of a nested element, `is_many` whether
    there may be any number of them.
    """

    path: str
    codec: Codec[Any] = TEXT
    part: type[Element] | None = None
    is_many: bool = False


def word(path: str, codec: Codec[Any] = TEXT) -> Any:
    """A field spelled at `path`; None leaves it out."""
    return dataclasses.field(default=None, metadata={_WORD: Word(path, codec)})


def words(path: str, codec: Codec[Any] = TEXT) -> Any:
    """A list of values, each the text or attribute of one more element at `path`."""
    return dataclasses.field(default_factory=list, metadata={_WORD: Word(path, codec, is_many=True)})


def part(kind: type[Element], inside: str = "") -> Any:
    """A nested element, or None; `inside` is the path of the element that it lies in."""
    return dataclasses.field(default=None, metadata={_WORD: Word(inside, part=kind)})


def parts(kind: type[Element], inside: str = "") -> Any:
    """A list of nested elements."""
    return dataclasses.field(default_factory=list, metadata={_WORD: Word(inside, part=kind, is_many=True)})


@dataclass(kw_only=True)
class Element:
    """One word. Subclasses are dataclasses (kw_only) whose fields are made by `word`, `words`, `part` and
    `parts`; in XML their children stand in the order of the fields."""

    TAG: ClassVar[str] = ""

    @classmethod
    def vocabulary(cls) -> dict[str, Word]:
        """Every field and how it is spelled."""
        return {field.name: field.metadata[_WORD] for field in dataclasses.fields(cls)}

    def to_xml(self) -> str:
        """The XML text; raises XmlError when a value cannot be said in XML."""
        element = self.build()
        etree.indent(element)
        return str(etree.tostring(element, encoding="unicode"))

    @classmethod
    def from_xml(cls, text: str) -> Self:
        """Read XML text; what has no field is left out. Raises XmlError."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
        try:
            element = etree.fromstring(text.encode(), parser)
        except etree.XMLSyntaxError as error:
            raise XmlError(f"this is no XML: {error}") from error
        if element.tag != _clark(cls.TAG):
            raise XmlError(f"<{element.tag}> is not <{cls.TAG}>")
        return cls.parse(element)

    def build(self) -> Any:
        """The element as lxml has it."""
        prefix = self.TAG.partition(":")[0] if ":" in self.TAG else None
        element = etree.Element(_clark(self.TAG), nsmap={prefix: NAMESPACES[prefix]} if prefix else None)
        for name, spelling in self.vocabulary().items():
            try:
                _put(element, spelling, getattr(self, name))
            except XmlError:
                raise
            except (TypeError, ValueError) as error:
                raise XmlError(f"{type(self).__name__}.{name} cannot be said in XML: {error}") from error
        return element

    @classmethod
    def parse(cls, element: Any) -> Self:
        """Read an element of lxml."""
        found: dict[str, Any] = {}
        for name, spelling in cls.vocabulary().items():
            try:
                found[name] = _get(element, spelling)
            except XmlError:
                raise
            except ValueError as error:
                raise XmlError(f"<{cls.TAG}>: {name} cannot be read: {error}") from error
        return cls(**found)

    def spoken(self) -> Iterator[tuple[str, str]]:
        """Every (class, field) that says something, here and in all parts; tests ask what was never said."""
        for name, spelling in self.vocabulary().items():
            value = getattr(self, name)
            if value is None or value == []:
                continue
            yield type(self).__name__, name
            if spelling.part is not None:
                for nested in value if spelling.is_many else [value]:
                    yield from nested.spoken()


def _put(element: Any, spelling: Word, value: Any) -> None:
    if value is None or (spelling.codec is PRESENT and value is False):
        return
    if spelling.part is not None:
        for nested in value if spelling.is_many else [value]:
            _reach(element, spelling.path).append(nested.build())
        return
    path, _, attribute = spelling.path.partition("@")
    for single in value if spelling.is_many else [value]:
        text = spelling.codec.spell(single)
        target = _grow(element, path) if spelling.is_many else _reach(element, path)
        if attribute:
            target.set(attribute, text)
        elif text:
            target.text = text


def _get(element: Any, spelling: Word) -> Any:
    if spelling.part is not None:
        nested = [
            spelling.part.parse(found)
            for parent in _find(element, spelling.path)
            for found in parent.findall(_clark(spelling.part.TAG))
        ]
        return nested if spelling.is_many else next(iter(nested), None)
    path, _, attribute = spelling.path.partition("@")
    texts = [
        found.get(attribute) if attribute else (found.text or "").strip() for found in _find(element, path)
    ]
    values = [spelling.codec.read(text) for text in texts if text is not None]
    return values if spelling.is_many else next(iter(values), None)


def _steps(path: str) -> list[str]:
    return [_clark(step) for step in path.split("/") if step not in ("", ".")]


def _find(element: Any, path: str) -> list[Any]:
    steps = _steps(path)
    return list(element.findall("/".join(steps))) if steps else [element]


def _reach(element: Any, path: str) -> Any:
    """The element at `path`, made as far as it is not there."""
    for step in _steps(path):
        found = element.find(step)
        element = etree.SubElement(element, step) if found is None else found
    return element


def _grow(element: Any, path: str) -> Any:
    """One more element at `path`."""
    steps = _steps(path)
    parent = element
    for step in steps[:-1]:
        found = parent.find(step)
        parent = etree.SubElement(parent, step) if found is None else found
    return etree.SubElement(parent, steps[-1])


def _clark(name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if prefix else name
