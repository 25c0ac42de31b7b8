"""Which periodic task runs when, on a clock that the test turns."""

from types import SimpleNamespace
from typing import Any

import pytest

from computed.periodic.runner import PeriodicRunner
from computed.periodic.task import Task, default_spacing, every


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class World:
    """A runner, its clock, its options, and the list of what ran."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.conf = SimpleNamespace(period=100, periodic_enable=True, periodic_fuzzy_delay=0)
        self.host: Any = SimpleNamespace(conf=self.conf)
        self.ran: list[str] = []
        self.tasks: list[Task] = []

    def task(self, name: str, **kwargs: Any) -> None:
        kwargs.setdefault("spacing", every("period"))
        kwargs.setdefault("run", lambda host, context: self.ran.append(name))
        self.tasks.append(Task(name, **kwargs))

    def runner(self) -> PeriodicRunner:
        return PeriodicRunner(self.host, self.tasks, now=self.clock)


@pytest.fixture
def world() -> World:
    return World()


def test_a_task_waits_one_spacing_first(world: World) -> None:
    world.task("a")
    runner = world.runner()
    runner.run_due()
    world.clock.seconds += 99
    assert runner.run_due() == 1
    assert world.ran == []
    world.clock.seconds += 1
    runner.run_due()
    assert world.ran == ["a"]


def test_an_immediate_task_runs_in_the_first_round_and_then_in_its_time(world: World) -> None:
    world.task("a", run_immediately=True)
    runner = world.runner()
    runner.run_due()
    runner.run_due()
    assert world.ran == ["a"]
    world.clock.seconds += 100
    runner.run_due()
    assert world.ran == ["a", "a"]


def test_the_pause_ends_with_the_task_that_is_due_next(world: World) -> None:
    world.task("slow", spacing=lambda conf: 50)
    world.task("fast", spacing=lambda conf: 7)
    assert world.runner().run_due() == 7


def test_no_pause_is_so_long_that_a_changed_option_goes_unnoticed(world: World) -> None:
    world.conf.period = 86400
    world.task("a")
    assert world.runner().run_due() == 60


def test_tasks_run_in_the_order_of_the_table(world: World) -> None:
    for name in ("c", "a", "b"):
        world.task(name, run_immediately=True)
    world.runner().run_due()
    assert world.ran == ["c", "a", "b"]


def test_a_failing_task_stops_no_other_and_is_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(host: Any, context: Any) -> None:
        world.ran.append("bad")
        raise RuntimeError("broken on purpose")

    world.task("bad", run=fail, run_immediately=True)
    world.task("good", run_immediately=True)
    runner = world.runner()
    runner.run_due()
    world.clock.seconds += 100
    runner.run_due()
    assert world.ran == ["bad", "good"] * 2
    assert len([r for r in caplog.records if "Periodic task bad failed" in r.message]) == 2


def test_a_closed_gate_keeps_the_task_from_running(world: World) -> None:
    world.task("a", run_immediately=True, gate=lambda host: False)
    world.runner().run_due()
    assert world.ran == []


def test_a_changed_spacing_counts_at_once(world: World) -> None:
    world.task("a")
    runner = world.runner()
    runner.run_due()
    world.conf.period = 10
    world.clock.seconds += 10
    runner.run_due()
    assert world.ran == ["a"]


def test_a_task_switched_on_later_waits_its_spacing(world: World) -> None:
    world.conf.period = -1
    world.task("a")
    runner = world.runner()
    runner.run_due()
    world.conf.period = 10
    world.clock.seconds += 500
    runner.run_due()
    assert world.ran == []
    world.clock.seconds += 10
    runner.run_due()
    assert world.ran == ["a"]


def test_each_run_has_a_request_id_of_its_own(world: World) -> None:
    seen: list[Any] = []
    for name in ("a", "b"):
        world.task(name, run=lambda host, context: seen.append(context), run_immediately=True)
    world.runner().run_due()
    assert len({context.request_id for context in seen}) == 2
    assert all(context.is_admin and context.read_deleted == "no" for context in seen)


def test_a_stopping_runner_begins_nothing_more(world: World) -> None:
    world.task("a", run=lambda host, context: runner.stop(), run_immediately=True)
    world.task("b", run_immediately=True)
    runner = world.runner()
    runner.run_due()
    assert world.ran == []


def test_the_thread_runs_and_stops(world: World) -> None:
    world.task("a", run_immediately=True)
    runner = world.runner()
    runner.start()
    runner.stop()
    assert runner.join(5)


def test_nothing_runs_when_periodic_tasks_are_switched_off(world: World) -> None:
    world.conf.periodic_enable = False
    world.task("a", run_immediately=True)
    runner = world.runner()
    runner.start()
    assert runner.join(0)
    assert world.ran == []


@pytest.mark.parametrize(
    ("value", "zero_is_never", "seconds"),
    [(30, False, 30), (0, False, 60), (0, True, None), (-1, False, None), (-1, True, None)],
)
def test_what_an_option_means(value: int, zero_is_never: bool, seconds: float | None) -> None:
    conf: Any = SimpleNamespace(section=SimpleNamespace(option=value))
    assert every("section.option", zero_is_never=zero_is_never)(conf) == seconds


def test_the_default_spacing() -> None:
    assert default_spacing(SimpleNamespace()) == 60  # type: ignore[arg-type]
