"""The stopwatch: what time counted for what."""

from computed.lib.stopwatch import Stopwatch


def test_parts_add_up_and_may_be_come_back_to() -> None:
    times = iter([0.0, 1.0, 1.5, 1.75, 4.0, 5.0])
    watch = Stopwatch("claim", clock=lambda: next(times))
    watch.enter("network")
    watch.enter("claim")
    watch.enter("spawn")
    assert str(watch) == "4.00 s (claim 1.25, network 0.50, spawn 2.25)"
    assert str(watch) == "5.00 s (claim 1.25, network 0.50, spawn 3.25)"
