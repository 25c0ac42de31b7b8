"""The one-host cloud for functional tests: `cloud`, or `make_cloud` for one with options of its own."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from jsonschema import Draft202012Validator

pytest.importorskip("placement")

from computed.cmd.concurrency import ENVIRONMENT, THREADING
from tests.functional.cloud import HOST, Cloud
from tests.functional.templates import Templates


@pytest.fixture(scope="session", autouse=True)
def _idle_threads_sleep() -> None:
    """Threads of futurist's pools look round all the time whether they are still wanted, and a cloud has more
    than a hundred of them: here they sleep until there is work, or somebody stops them (to the end of the
    process, which stops those that are left)."""
    from futurist import _thread

    class Nothing:
        """Ends one thread of the pool, be it another one than was meant: each of them is sent one."""

        def __init__(self, work_queue: Any) -> None:
            self.work_queue = work_queue

        def run(self) -> None:
            """Taken by a thread that waits since before this: it is left for one that cannot do without.
            Two taken by one thread would leave another one asleep, and who waits for its end with it."""
            self.work_queue.put(self)

    def wait_for_work(self: Any) -> Any:
        self.idle = True
        work = self.work_queue.get()
        if isinstance(work, Nothing):
            self.work_queue.task_done()
            raise _thread._Stopping
        self.idle = False
        return work

    def stop(self: Any) -> None:
        self.should_stop = True
        self.work_queue.put(Nothing(self.work_queue))

    _thread.ThreadWorker._wait_for_work = wait_for_work
    _thread.ThreadWorker.stop = stop


@pytest.fixture(scope="session", autouse=True)
def _schemas_checked_once() -> Iterator[None]:
    """At every request placement has the schema checked by which the request is: always the same ones."""
    check = Draft202012Validator.check_schema
    known: dict[int, Any] = {}

    def check_once(schema: Any, *arguments: Any, **named: Any) -> None:
        if known.get(id(schema)) is not schema:
            check(schema, *arguments, **named)
            known[id(schema)] = schema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", check_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """Every cloud has databases of its own; what is compiled for one of them serves all. The other names that
    placement gives its tables in every query are made once, too."""
    create, first = sqlalchemy.create_engine, {}

    def create_with_all_statements(url: Any, **named: Any) -> Any:
        engine = create(url, **named)
        known = first.setdefault(engine.dialect.name, engine)
        engine.dialect, engine._compiled_cache = known.dialect, known._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlalchemy, "create_engine", create_with_all_statements)
        patch.setattr(sqlalchemy, "alias", functools.cache(sqlalchemy.alias))
        yield


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """What clouds begin with."""
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def make_cloud(tmp_path: Path, templates: Templates) -> Iterator[Callable[..., Cloud]]:
    """Makes clouds: `make_cloud({"fake.vcpus": 4})`; one at a time, all closed after the test. Its host has
    been started once before, unless it `is_new`."""
    clouds: list[Cloud] = []
    numbers = itertools.count()

    def make(
        options: dict[str, Any] | None = None, *, is_new: bool = False, template: Path | None = None
    ) -> Cloud:
        directory = tmp_path / f"cloud{next(numbers)}"
        executor = os.environ.get(ENVIRONMENT, THREADING)
        files = template or templates.of(() if is_new else (HOST,), options)
        clouds.append(Cloud(directory, files, executor, options or {}))
        return clouds[-1]

    yield make
    for cloud in clouds:
        cloud.close()


@pytest.fixture
def make_pair(make_cloud: Callable[..., Cloud], templates: Templates) -> Callable[..., Cloud]:
    """Makes clouds of two hosts: `make_pair(first={"fake.vcpus": 4}, second={...})`, options of each; the
    hosts are called "alone" and "second"."""

    def make(
        first: dict[str, Any] | None = None, second: dict[str, Any] | None = None, *, is_new: bool = False
    ) -> Cloud:
        cloud = make_cloud(first, template=templates.of(() if is_new else (HOST, "second"), first, second))
        cloud.add_host("second", second)
        return cloud

    return make


@pytest.fixture
def pair(make_pair: Callable[..., Cloud]) -> Cloud:
    """A cloud of two hosts on the fake driver, with one bridge network and no servers."""
    return make_pair()


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A one-host cloud on the fake driver with one bridge network and no servers."""
    return make_cloud()
