"""Glance as the image service: metadata in the shape of the wire, and bytes that are whole."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
_RETRY_PAUSE_SECONDS = 1.0
_RETRIED_STATUSES = frozenset({500, 502, 503, 504})
_ACTIVE = "active"
_PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
"""Glance's patches since this one replace with `add` what is there already."""

# Glance's image schema, base properties (read from glance 33); everything else is a property of the user's.
_BASE = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "disk_format",
        "id",
        "min_disk",
        "min_ram",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "size",
        "status",
        "stores",
        "updated_at",
    }
)
_NOT_ON_THE_WIRE = frozenset(
    {"direct_url", "file", "locations", "protected", "schema", "self", "tags", "virtual_size", "visibility"}
)
_ALWAYS_THERE = ("checksum", "container_format", "disk_format", "name", "deleted_at")


class GlanceImages:
    """Implements clients.images.ImageService with glance.

    `adapters` makes a keystoneauth1 Adapter for a context; each try takes a new one, because with several
    `[glance]api_servers` each may lead to another server.
    """

    def __init__(self, conf: cfg.ConfigOpts, *, adapters: Callable[[Any], Any] | None = None) -> None:
        self._tries = conf.glance.num_retries + 1
        self._conf = conf
        self._adapters = adapters or self._adapter

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """Metadata of one image, as the `image` argument of build_and_run_instance has it.

        Raises ImageNotFound, ImageNotAuthorized, ImageBadRequest, GlanceConnectionFailed.
        """
        response = self._ask(context, image_id, f"/v2/images/{image_id}")
        try:
            image = response.json()
        except ValueError as exc:
            raise errors.GlanceConnectionFailed(server=response.url, reason="not JSON") from exc
        return on_wire(image)

    def download(
        self, context: Any, image_id: str, *, metadata: Mapping[str, Any] | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """The bytes of one image in chunks; the last one comes only if all of them have the image's hash.

        From `offset` on, only their number is known to be right: whoever has the bytes before them must see
        to the hash. `metadata` is what `show` returned for it, if the caller has that. Raises, besides what
        `show` raises, ImageNotActive and ImageUnacceptable (no data) at once, and while it is read
        CouldNotFetchImage (wrong hash or length) and GlanceConnectionFailed (the connection broke).
        """
        image = self.show(context, image_id) if metadata is None else metadata
        if image.get("status") != _ACTIVE:
            raise errors.ImageNotActive(image_id=image_id)
        size = image.get("size")
        response, begin = self._data(context, image_id, offset)
        if response.status_code == 204:
            raise errors.ImageUnacceptable(image_id=image_id, reason="it has no data")
        if begin:
            return _verified(_chunks(response), image_id, None, size and size - begin)
        return _after(offset, _verified(_chunks(response), image_id, Digest.of(image), size))

    def _data(self, context: Any, image_id: str, offset: int) -> tuple[Any, int]:
        """An answer that has the bytes from `offset` on, and where it begins: there, or at 0 where glance or
        its store cannot begin elsewhere."""
        path = f"/v2/images/{image_id}/file"
        if offset:
            try:
                response = self._ask(
                    context, image_id, path, stream=True, headers={"Range": f"bytes={offset}-"}
                )
            except errors.ImageBadRequest as refusal:
                # HTTP 416, or 400 of a store without random access.
                LOG.info("Image %s is not given from byte %d on: %s", image_id, offset, refusal)
            else:
                begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
                if response.status_code == 206 and begins and int(begins[1]) == offset:
                    return response, offset
                if response.status_code == 200:
                    return response, 0
                response.close()
        return self._ask(context, image_id, path, stream=True), 0

    def delete(self, context: Any, image_id: str) -> None:
        """Remove one image. Raises what `show` raises."""
        self._ask(context, image_id, f"/v2/images/{image_id}", method="DELETE")

    def search(self, context: Any, properties: Mapping[str, str]) -> list[dict[str, Any]]:
        """Metadata of the images that have all these properties, newest first; one request a page.

        Raises what `show` raises.
        """
        found: list[dict[str, Any]] = []
        path = f"/v2/images?{urlencode({**properties, 'sort': 'created_at:desc'})}"
        while path:
            response = self._ask(context, "search", path)
            try:
                page = response.json()
            except ValueError as exc:
                raise errors.GlanceConnectionFailed(server=response.url, reason="not JSON") from exc
            found.extend(on_wire(image) for image in page["images"])
            path = page.get("next", "")
        return found

    def update(self, context: Any, image_id: str, metadata: Mapping[str, Any]) -> None:
        """Add or replace metadata: base attributes by name, `properties` one by one; the others stay.

        Raises what `show` raises.
        """
        values = {key: value for key, value in metadata.items() if key != "properties"}
        values.update(metadata.get("properties") or {})
        patch = [{"op": "add", "path": f"/{_pointer(key)}", "value": value} for key, value in values.items()]
        headers = {"Content-Type": _PATCH_TYPE}
        self._ask(context, image_id, f"/v2/images/{image_id}", method="PATCH", json=patch, headers=headers)

    def upload(self, context: Any, image_id: str, data: Iterable[bytes]) -> None:
        """Give an image that has none its bytes, which makes it active; one request, tried once.

        Raises what `show` raises, and ImageQuotaExceeded.
        """
        self._ask(
            context,
            image_id,
            f"/v2/images/{image_id}/file",
            method="PUT",
            tries=1,
            data=_OnceOnly(data),
            headers={"Content-Type": "application/octet-stream"},
        )

    def _ask(
        self,
        context: Any,
        image_id: str,
        path: str,
        *,
        method: str = "GET",
        tries: int | None = None,
        **request: Any,
    ) -> Any:
        from keystoneauth1 import exceptions as ksa

        server, reason = "the service catalogue", ""
        tries = self._tries if tries is None else tries
        for attempt in range(tries):
            if attempt:
                time.sleep(_RETRY_PAUSE_SECONDS)
            try:
                adapter = self._adapters(context)
                server = _without_version(adapter.get_endpoint() or "")
                response = adapter.request(
                    path,
                    method,
                    endpoint_override=server or None,
                    raise_exc=False,
                    connect_retries=0,
                    log=not ("stream" in request or "data" in request),
                    **request,
                )
            except ksa.Unauthorized as exc:
                raise errors.ImageNotAuthorized(image_id=image_id) from exc
            except ksa.ClientException as exc:
                reason = type(exc).__name__
            else:
                if response.status_code not in _RETRIED_STATUSES:
                    return _checked(response, image_id, method)
                reason = f"HTTP {response.status_code}"
                response.close()
            LOG.warning("Glance at %s: try %d of %d failed: %s", server, attempt + 1, tries, reason)
        raise errors.GlanceConnectionFailed(server=server, reason=reason)

    def _adapter(self, context: Any) -> Any:
        from computed.clients.keystone import adapter_for

        return adapter_for(self._conf, "glance", context=context)


class Digest:
    """The hash that an image must have, fed with its bytes."""

    def __init__(self, algorithm: str, wanted: str) -> None:
        self.algorithm = algorithm
        self._wanted = wanted.lower()
        # MD5 guards against broken transfers here, not against forgers: allowed under FIPS.
        self._hash = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")

    @classmethod
    def of(cls, image: Mapping[str, Any]) -> Digest | None:
        """The strongest hash that `image`, as `show` returns it, names and this host can compute."""
        named = ((image.get("os_hash_algo"), image.get("os_hash_value")), ("md5", image.get("checksum")))
        for algorithm, wanted in named:
            if wanted and algorithm in hashlib.algorithms_available:
                return cls(str(algorithm), str(wanted))
        return None

    def update(self, chunk: bytes) -> None:
        """Take the next bytes in."""
        self._hash.update(chunk)

    def fits(self) -> bool:
        """Whether the bytes so far are the whole image."""
        return self._hash.hexdigest() == self._wanted


def on_wire(image: Mapping[str, Any]) -> dict[str, Any]:
    """Glance's image record in the shape of build_and_run_instance's `image` (contract transcripts)."""
    wire: dict[str, Any] = dict.fromkeys(_ALWAYS_THERE)
    wire.update({key: value for key, value in image.items() if key in _BASE})
    wire["properties"] = {k: v for k, v in image.items() if k not in _BASE and k not in _NOT_ON_THE_WIRE}
    wire["deleted"] = False
    wire["is_public"] = image.get("visibility") == "public"
    wire["size"] = image.get("size") or 0
    for key in ("created_at", "updated_at"):
        if wire.get(key):
            wire[key] = datetime.fromisoformat(wire[key]).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return wire


def _without_version(endpoint: str) -> str:
    """Operators write endpoints with and without the API's version."""
    return re.sub(r"/v\d+(\.\d+)?/?$", "", endpoint.rstrip("/"))


class _OnceOnly:
    """The bytes of an upload. A client that begins again (with a new token, say) would send an empty rest
    and make a broken image active, so whoever asks twice gets an error."""

    def __init__(self, data: Iterable[bytes]) -> None:
        self._data: Iterable[bytes] | None = data

    def __iter__(self) -> Iterator[bytes]:
        data, self._data = self._data, None
        if data is None:
            raise errors.CouldNotUploadImage("The bytes of an image can be sent only once.")
        return iter(data)


def _pointer(key: str) -> str:
    """`key` as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _checked(response: Any, image_id: str, method: str) -> Any:
    status = response.status_code
    if status < 400:
        return response
    response.close()
    if status == 409 and method == "DELETE":
        raise errors.ImageDeleteConflict(reason=f"image {image_id}")
    if status == 413:
        raise errors.ImageQuotaExceeded(image_id=image_id)
    if status in (401, 403):
        raise errors.ImageNotAuthorized(image_id=image_id)
    if status in (404, 410):
        raise errors.ImageNotFound(image_id=image_id)
    raise errors.ImageBadRequest(image_id=image_id, response=f"HTTP {status}")


def _after(offset: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What comes after the first `offset` bytes."""
    position = 0
    for chunk in chunks:
        rest = chunk[max(offset - position, 0) :]
        position += len(chunk)
        if rest:
            yield rest


def _chunks(response: Any) -> Iterator[bytes]:
    import requests

    try:
        with response:
            yield from response.iter_content(CHUNK_BYTES)
    except requests.exceptions.RequestException as exc:
        raise errors.GlanceConnectionFailed(server=response.url, reason=type(exc).__name__) from exc


def _verified(
    chunks: Iterator[bytes], image_id: str, digest: Digest | None, size: int | None
) -> Iterator[bytes]:
    """Pass `chunks` on, holding the newest back until the ones before it are passed: the last one is
    given out only when everything fits, so that nobody takes a broken image for a whole one."""
    held, count = b"", 0
    for chunk in chunks:
        if held:
            yield held
        held = chunk
        count += len(chunk)
        if digest is not None:
            digest.update(chunk)
    if size and count != size:
        raise errors.CouldNotFetchImage(f"Image {image_id} came with {count} bytes instead of {size}.")
    if digest is not None and not digest.fits():
        raise errors.CouldNotFetchImage(f"Image {image_id} came with a wrong {digest.algorithm} hash.")
    if held:
        yield held
