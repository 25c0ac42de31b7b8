"""Images that the one-host cloud has made itself: snapshots, each with its metadata and its bytes."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from computed import errors

_CHUNK_BYTES = 1 << 20


class MadeImages:
    """Images in `ID.json` (metadata as on the wire) and `ID.data` (bytes) of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, name: str, **metadata: Any) -> dict[str, Any]:
        """A new image without bytes; `metadata` as on the wire, `properties` among it."""
        now = _now()
        image: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "name": name,
            "disk_format": None,
            "container_format": None,
            "status": "queued",
            "size": 0,
            "min_disk": 0,
            "min_ram": 0,
            "owner": None,
            "checksum": None,
            "is_public": False,
            "deleted": False,
            "deleted_at": None,
            "created_at": now,
            "updated_at": now,
            "properties": {},
            **metadata,
        }
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write(image)
        return image

    def all_images(self) -> list[dict[str, Any]]:
        """Metadata of every image, newest first."""
        ids = [path.stem for path in self._directory.glob("*.json")]
        found = [image for image in map(self.find, ids) if image is not None]
        return sorted(found, key=lambda image: (image["created_at"], image["id"]), reverse=True)

    def find(self, image_id: str) -> dict[str, Any] | None:
        """Metadata of the image of that id, if there is one."""
        try:
            image: dict[str, Any] = json.loads(self._path(image_id, "json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return image

    def update(self, image_id: str, metadata: Mapping[str, Any]) -> None:
        """Add or replace metadata; raises ImageNotFound."""
        image = self._existing(image_id)
        properties = {**image["properties"], **(metadata.get("properties") or {})}
        self._write({**image, **metadata, "properties": properties, "updated_at": _now()})

    def upload(self, image_id: str, data: Iterable[bytes]) -> None:
        """Keep the bytes of an image that has none; raises ImageNotFound, ImageBadRequest."""
        image = self._existing(image_id)
        if image["status"] != "queued":
            raise errors.ImageBadRequest(image_id=image_id, response=f"it is {image['status']}")
        path = self._path(image_id, "data")
        with path.open("wb") as file:
            for chunk in data:
                file.write(chunk)
        if self.find(image_id) is None:
            path.unlink(missing_ok=True)
            raise errors.ImageNotFound(image_id=image_id)
        self._write({**image, "status": "active", "size": path.stat().st_size})

    def download(self, image_id: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of an image from `offset` on, in chunks; raises ImageNotFound, ImageNotActive."""
        if self._existing(image_id)["status"] != "active":
            raise errors.ImageNotActive(image_id=image_id)
        with self._path(image_id, "data").open("rb") as file:
            file.seek(offset)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def delete(self, image_id: str) -> None:
        """Remove an image; raises ImageNotFound."""
        self._existing(image_id)
        self._path(image_id, "json").unlink(missing_ok=True)
        self._path(image_id, "data").unlink(missing_ok=True)

    def _existing(self, image_id: str) -> dict[str, Any]:
        image = self.find(image_id)
        if image is None:
            raise errors.ImageNotFound(image_id=image_id)
        return image

    def _path(self, image_id: str, kind: str) -> Path:
        try:
            return self._directory / f"{uuid.UUID(image_id)}.{kind}"
        except ValueError:
            raise errors.ImageNotFound(image_id=image_id) from None

    def _write(self, image: Mapping[str, Any]) -> None:
        path = self._path(image["id"], "json")
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(image))
        os.replace(beside, path)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
