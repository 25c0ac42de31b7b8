"""A placement and a bench for each test."""

import shutil

import pytest

pytest.importorskip("placement")

from computed.embedded.placement_app import start_placement
from tests.functional.verbs.bench import Bench


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    path = tmp_path_factory.mktemp("placement") / "empty.db"
    start_placement(f"sqlite:///{path}", durable=False)
    return path


@pytest.fixture
def placement_app(empty_database, tmp_path):
    """A process has one placement at a time, and other tests in it start theirs."""
    path = tmp_path / "placement.db"
    shutil.copy(empty_database, path)
    return start_placement(f"sqlite:///{path}", durable=False)


@pytest.fixture
def make_bench(placement_app, tmp_path):
    """Make a bench with options; it is closed after the test."""
    made = []

    def make(**options):
        bench = Bench(placement_app, tmp_path, **options).start()
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench):
    return make_bench()
