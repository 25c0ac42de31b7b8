"""Images of the one-host cloud: files of one directory, each of the format that its name ends with."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from computed import errors
from computed.embedded.made_images import MadeImages

_NAMESPACE = uuid.UUID("b0ef5a34-6b3f-4d8f-9a7e-0c1d9b8d6c11")
_FORMATS = {".qcow2": "qcow2", ".raw": "raw"}
_CHUNK_BYTES = 1 << 20
_BOUNDED = ("min_disk", "min_ram")


class ImageDirectory:
    """Implements clients.images.ImageService with the files of a directory.

    `NAME.qcow2` and `NAME.raw` are images called NAME, everything else is none. `NAME.json`, when there is
    one, is an object with any of `min_disk` (GiB), `min_ram` (MiB) and `properties`. An image's id follows
    from its file name, so it stays the same as long as the file is called the same. What the cloud
    makes itself, such as snapshots, is in `made`, kept in a directory below.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.made = MadeImages(directory / "made")

    def all_images(self) -> list[dict[str, Any]]:
        """Metadata of every image: the operator's by name, then those made here, newest first."""
        return [*(self._describe(path) for path in self._files()), *self.made.all_images()]

    def find(self, wanted: str) -> dict[str, Any]:
        """Metadata of the image of that id, name or file name; raises ImageNotFound, ImageBadRequest."""
        for image in self.made.all_images():
            if wanted in (image["id"], image["name"]):
                return image
        return self._describe(self._find(wanted))

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """Metadata of one image, as the `image` argument of build_and_run_instance has it.

        Raises ImageNotFound, and ImageBadRequest for properties that cannot be read.
        """
        return self.find(image_id)

    def download(self, context: Any, image_id: str) -> Iterator[bytes]:
        """The bytes of one image in chunks; raises ImageNotFound, ImageNotActive."""
        if self._is_made(image_id):
            yield from self.made.download(image_id)
            return
        try:
            with self._find(image_id).open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as exc:
            raise errors.ImageNotFound(image_id=image_id) from exc

    def delete(self, context: Any, image_id: str) -> None:
        """Remove an image that was made here; ImageNotAuthorized for the operator's files."""
        self._require_made(image_id)
        self.made.delete(image_id)

    def search(self, context: Any, properties: Mapping[str, str]) -> list[dict[str, Any]]:
        """Metadata of the images made here that have all these properties, newest first."""
        return [
            image for image in self.made.all_images() if properties.items() <= image["properties"].items()
        ]

    def update(self, context: Any, image_id: str, metadata: Mapping[str, Any]) -> None:
        """Add or replace metadata of an image that was made here; ImageNotAuthorized for others."""
        self._require_made(image_id)
        self.made.update(image_id, metadata)

    def upload(self, context: Any, image_id: str, data: Iterable[bytes]) -> None:
        """Give an image that was made here its bytes; raises ImageNotFound, ImageBadRequest."""
        self._require_made(image_id)
        self.made.upload(image_id, data)

    def _is_made(self, image_id: str) -> bool:
        return any(image["id"] == image_id for image in self.made.all_images())

    def _require_made(self, image_id: str) -> None:
        if not self._is_made(image_id):
            # Of an id that nobody has, this raises that.
            self._find(image_id)
            raise errors.ImageNotAuthorized(image_id=image_id)

    def _files(self) -> list[Path]:
        try:
            found = list(self._directory.iterdir())
        except FileNotFoundError:
            return []
        return sorted(path for path in found if path.suffix in _FORMATS and path.is_file())

    def _find(self, wanted: str) -> Path:
        files = self._files()
        for matches in (image_id_of, lambda path: path.name, lambda path: path.stem):
            for path in files:
                if matches(path) == wanted:
                    return path
        raise errors.ImageNotFound(image_id=wanted)

    def _describe(self, path: Path) -> dict[str, Any]:
        try:
            stat = path.stat()
        except FileNotFoundError as exc:
            raise errors.ImageNotFound(image_id=path.name) from exc
        changed = datetime.fromtimestamp(stat.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000")
        image_id = image_id_of(path)
        return {
            "id": image_id,
            "name": path.stem,
            "disk_format": _FORMATS[path.suffix],
            "container_format": "bare",
            "status": "active",
            "size": stat.st_size,
            "owner": None,
            "checksum": None,
            "is_public": True,
            "deleted": False,
            "deleted_at": None,
            "created_at": changed,
            "updated_at": changed,
            **_sidecar(path, image_id),
        }


def image_id_of(path: Path) -> str:
    """The id of the image in a file."""
    return str(uuid.uuid5(_NAMESPACE, path.name))


def _sidecar(path: Path, image_id: str) -> dict[str, Any]:
    """`min_disk`, `min_ram` and `properties` as the file beside the image says, or their defaults."""
    said: Any = {}
    file = path.with_suffix(".json")
    if file.exists():
        try:
            said = json.loads(file.read_text())
        except (OSError, ValueError) as exc:
            raise errors.ImageBadRequest(image_id=image_id, response=f"{file} is no JSON: {exc}") from exc
    if not isinstance(said, dict) or not isinstance(said.get("properties", {}), dict):
        raise errors.ImageBadRequest(image_id=image_id, response=f"{file} must hold an object")
    numbers = {name: said.get(name, 0) for name in _BOUNDED}
    if any(not isinstance(number, int) or number < 0 for number in numbers.values()):
        raise errors.ImageBadRequest(image_id=image_id, response=f"{file}: min_disk, min_ram are sizes")
    properties = {str(name): str(value) for name, value in said.get("properties", {}).items()}
    return {**numbers, "properties": properties}
