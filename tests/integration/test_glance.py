"""GlanceImages against the real glance: an image whole, and from where its download broke off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from computed import conf as computed_conf
from computed import errors
from computed.clients.glance import GlanceImages
from computed.clients.keystone import adapter_for
from computed.context import RequestContext
from tests.integration.agents import COMPUTED, Agent
from tests.integration.cloud import Cloud
from tests.integration.plane.plane import Plane

DATA = os.urandom(5 << 19)


@pytest.fixture
def statuses() -> list[int]:
    """The statuses of what glance answered."""
    return []


@pytest.fixture
def images(plane: Plane, statuses: list[int]) -> GlanceImages:
    agent = Agent(plane, f"images-{os.getpid()}", COMPUTED, "threading")  # never started
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf(["--config-file", str(agent.config)], project="nova")

    def adapters(context: Any) -> Any:
        adapter = adapter_for(conf, "glance", context=context)
        request = adapter.request

        def noted(*arguments: Any, **more: Any) -> Any:
            answer = request(*arguments, **more)
            statuses.append(answer.status_code)
            return answer

        adapter.request = noted
        return adapter

    return GlanceImages(conf, adapters=adapters)


@pytest.fixture
def image(cloud: Cloud) -> Iterator[str]:
    made = cloud.demo.create_image("random", data=DATA, disk_format="raw", container_format="bare")
    yield str(made.id)
    cloud.admin.image.delete_image(made.id, ignore_missing=True)


def test_an_image_comes_whole_with_the_facts_to_check_it_by(
    images: GlanceImages, context: RequestContext, image: str
) -> None:
    shown = images.show(context, image)
    assert (shown["size"], shown["disk_format"], shown["status"]) == (len(DATA), "raw", "active")
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert b"".join(images.download(context, image)) == DATA


@pytest.mark.parametrize("offset", [1, 1 << 20, len(DATA) - 1])
def test_only_the_rest_is_asked_for(
    images: GlanceImages, context: RequestContext, image: str, statuses: list[int], offset: int
) -> None:
    assert b"".join(images.download(context, image, offset=offset)) == DATA[offset:]
    assert statuses == [200, 206]


def test_an_image_that_is_gone(
    images: GlanceImages, context: RequestContext, image: str, cloud: Cloud
) -> None:
    cloud.admin.image.delete_image(image)
    with pytest.raises(errors.ImageNotFound):
        images.show(context, image)
