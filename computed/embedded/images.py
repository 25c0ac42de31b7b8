"""Images of the one-host cloud: files of one directory, each of the format that its name ends with."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from computed import errors
from computed.embedded.made_images import MadeImages

_NAMESPACE = uuid.UUID("b0ef5a34-6b3f-4d8f-9a7e-0c1d9b8d6c11")
FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "iso")
_FORMATS = {f".{name}": name for name in FORMATS}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
Inspect = Callable[[Path, str, str], object]
"""Looks at a file that is to be an image of that id and format, and raises when it is none."""
_CHUNK_BYTES = 1 << 20
_BOUNDED = ("min_disk", "min_ram")


class ImageDirectory:
    """Implements clients.images.ImageService with the files of a directory.

    `NAME.qcow2`, `NAME.raw` and so on (FORMATS) are images called NAME, everything else is none.
    `NAME.json`, when there is one, is an object with any of `min_disk` (GiB), `min_ram` (MiB) and
    `properties`. An image's id follows from name, size and time of its file: it stays as long as the file
    does, and a file that is replaced is another image, for its old contents may be in a cache. What the
    cloud makes itself, such as snapshots, is in `made`, kept in a directory below.
    """

    def __init__(self, directory: Path, inspect: Inspect | None = None) -> None:
        self._directory = directory
        self._inspect = inspect
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

    def add(self, name: str, disk_format: str, data: Iterable[bytes]) -> dict[str, Any]:
        """Keep `data` as the operator's image of that name; returns its metadata.

        Raises ImageUnacceptable for a name or format that cannot be, a name that is taken, bytes that are
        no such image.
        """
        if not _NAME.fullmatch(name) or disk_format not in FORMATS:
            wrong = f"format {disk_format}" if _NAME.fullmatch(name) else "this name"
            raise errors.ImageUnacceptable(image_id=name, reason=f"{wrong} cannot be")
        if any(path.stem == name for path in self._files()):
            raise errors.ImageUnacceptable(image_id=name, reason="there is one of this name already")
        target = self._directory / f"{name}.{disk_format}"
        part = target.with_name(f".{target.name}.part")
        try:
            with part.open("wb") as file:
                for chunk in data:
                    file.write(chunk)
                os.fsync(file.fileno())
            if self._inspect is not None:
                self._inspect(part, name, disk_format)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return self._describe(target)

    def remove(self, wanted: str) -> None:
        """Remove an image of whomever; servers made of it stay. Raises ImageNotFound."""
        image = self.find(wanted)
        if self._is_made(image["id"]):
            self.made.delete(image["id"])
            return
        path = self._find(image["id"])
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """Metadata of one image, as the `image` argument of build_and_run_instance has it.

        Raises ImageNotFound, and ImageBadRequest for properties that cannot be read.
        """
        return self.find(image_id)

    def download(self, context: Any, image_id: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of one image from `offset` on, in chunks; raises ImageNotFound, ImageNotActive."""
        if self._is_made(image_id):
            yield from self.made.download(image_id, offset)
            return
        try:
            with self._find(image_id).open("rb") as file:
                file.seek(offset)
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
                if _asked(matches, path) == wanted:
                    return path
        raise errors.ImageNotFound(image_id=wanted)

    def _describe(self, path: Path) -> dict[str, Any]:
        try:
            stat = path.stat()
        except FileNotFoundError as exc:
            raise errors.ImageNotFound(image_id=path.name) from exc
        image_id = image_id_of(path)
        changed = datetime.fromtimestamp(stat.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000")
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
    """The id of the image in a file; raises FileNotFoundError."""
    stat = path.stat()
    return str(uuid.uuid5(_NAMESPACE, f"{path.name} {stat.st_size} {stat.st_mtime_ns}"))


def _asked(what: Callable[[Path], str], path: Path) -> str | None:
    try:
        return what(path)
    except FileNotFoundError:
        return None


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
