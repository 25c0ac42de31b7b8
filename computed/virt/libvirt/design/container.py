"""What only a container has: the user namespace."""

from __future__ import annotations

import logging
from typing import Final, TypeVar

from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.xml.boot import GroupIdMap, IdMap, IdMaps
from computed.virt.libvirt.xml.domain import Domain

_log = logging.getLogger(__name__)
_MOST: Final = 5
_Map = TypeVar("_Map", bound=IdMap)


def design_id_maps(draft: Draft, domain: Domain) -> None:
    """[libvirt]uid_maps and gid_maps, the first five of each; what is none is left out with a warning."""
    options = draft.options
    if not draft.is_container or not (options.uid_maps or options.gid_maps):
        return
    domain.id_maps = IdMaps(users=_maps(options.uid_maps, IdMap), groups=_maps(options.gid_maps, GroupIdMap))


def _maps(texts: tuple[str, ...], kind: type[_Map]) -> list[_Map]:
    maps = []
    for text in texts[:_MOST]:
        try:
            start, target, count = (str(int(part)) for part in text.split(":"))
        except ValueError:
            _log.warning(
                "[libvirt]uid_maps or gid_maps has %r, which is not GUEST:HOST:COUNT; left out", text
            )
            continue
        maps.append(kind(start=start, target=target, count=count))
    return maps
