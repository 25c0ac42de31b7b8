"""Images as they are fetched for the cache, by what the image service is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from computed import errors
from computed.virt.collaborators import Collaborators
from computed.virt.libvirt.image_sources import ImageSources
from computed.virt.libvirt.storage.download import fetch

DATA = bytes(range(256)) * 1000
IMAGE = {
    "id": "i",
    "disk_format": "raw",
    "size": len(DATA),
    "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(DATA).hexdigest(),
}


def test_after_a_cut_only_the_rest_is_asked_for(tmp_path: Path) -> None:
    offsets: list[int] = []

    def download(context: Any, image_id: str, offset: int) -> Iterator[bytes]:
        assert (context, image_id) == ("context", "i")
        offsets.append(offset)
        if offset:
            yield DATA[offset:]
            return
        yield DATA[:100_000]
        raise errors.GlanceConnectionFailed(server="glance", reason="cut")

    sources = ImageSources(Collaborators(show_image=lambda context, image_id: IMAGE, download_image=download))
    part = tmp_path / "part"
    fetch(sources.source_of("context", "i"), part, pause_seconds=0)
    assert part.read_bytes() == DATA
    assert offsets == [0, 100_000]
