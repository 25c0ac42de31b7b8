"""Images in memory that a cache can fetch, whole, broken off or false."""

import hashlib
import threading

from computed import errors
from computed.virt.libvirt.storage.download import ImageSource

IMAGE_ID = "00000031-0000-4000-8000-000000000031"


class Shop:
    """Gives an image away and counts: `reads` are the offsets asked for; `cuts` are the offsets at which a
    connection breaks, each once; with `gate` every read waits for it."""

    def __init__(self, data, *, chunk=65536, cuts=(), gate=None):
        self.data = data
        self.chunk = chunk
        self.cuts = list(cuts)
        self.gate = gate
        self.reads = []
        self.started = threading.Event()

    def read(self, offset):
        self.reads.append(offset)
        self.started.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        end = self.cuts.pop(0) if self.cuts else None
        stop = len(self.data) if end is None else end
        for start in range(offset, stop, self.chunk):
            yield self.data[start : min(start + self.chunk, stop)]
        if end is not None:
            raise errors.GlanceConnectionFailed(server="glance", reason="cut")

    def source(self, disk_format="raw", *, image_id=IMAGE_ID, **more):
        facts = {
            "size_bytes": len(self.data),
            "algorithm": "sha512",
            "digest": hashlib.sha512(self.data).hexdigest(),
        }
        return ImageSource(image_id, disk_format, self.read, **{**facts, **more})
