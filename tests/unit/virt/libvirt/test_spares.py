"""Who gets which connection to libvirt."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from computed import errors
from computed.virt.libvirt.spares import Spares


class Raw:
    """As much of a virConnect as who lends it asks for."""

    def __init__(self) -> None:
        self.lives = True
        self.is_closed = False

    def alive(self) -> bool:
        return self.lives

    def close(self) -> None:
        self.is_closed = True


class Maker:
    def __init__(self) -> None:
        self.made: list[Raw] = []
        self.main = Raw()
        self.spares = Spares(self.connect, is_alive=Raw.alive, close=Raw.close)

    def connect(self) -> Raw:
        self.made.append(Raw())
        return self.made[-1]


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_calls_one_after_the_other_need_one_connection(maker: Maker) -> None:
    for _ in range(3):
        with maker.spares.lease(maker.main) as raw:
            assert raw is maker.main
    assert maker.made == []


def test_calls_at_once_have_one_each_and_the_next_ones_have_the_same(maker: Maker) -> None:
    for _ in range(2):
        with ExitStack() as stack:
            lent = [stack.enter_context(maker.spares.lease(maker.main)) for _ in range(3)]
            assert lent[0] is maker.main and len({id(raw) for raw in lent}) == 3
    assert len(maker.made) == 2


def test_spares_that_are_too_many_are_closed(maker: Maker) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(maker.spares.lease(maker.main))
    assert len(maker.made) == 7 and all(raw.is_closed for raw in maker.made[:3])
    assert not any(raw.is_closed for raw in (*maker.made[3:], maker.main))
    maker.spares.close()
    assert all(raw.is_closed for raw in maker.made) and not maker.main.is_closed


def test_a_spare_that_has_died_is_not_lent_again(maker: Maker) -> None:
    with maker.spares.lease(maker.main), maker.spares.lease(maker.main):
        pass
    maker.made[0].lives = False
    with maker.spares.lease(maker.main), maker.spares.lease(maker.main) as raw:
        assert raw is maker.made[1]
    assert maker.made[0].is_closed


def test_what_comes_back_after_the_end_is_closed(maker: Maker) -> None:
    with maker.spares.lease(maker.main), maker.spares.lease(maker.main):
        maker.spares.close()
    assert maker.made[0].is_closed


def test_who_finds_no_spare_holds_nothing(maker: Maker) -> None:
    def refuse() -> Raw:
        raise errors.HypervisorUnavailable("no answer")

    spares = Spares(refuse, is_alive=Raw.alive, close=Raw.close)
    with spares.lease(maker.main):
        with pytest.raises(errors.HypervisorUnavailable), spares.lease(maker.main):
            pytest.fail("there is none")
        assert spares.is_taken(maker.main)
    assert not spares.is_taken(maker.main)


def test_who_needs_the_main_connection_waits_for_it(maker: Maker) -> None:
    has_it, order = threading.Event(), []

    def register() -> None:
        has_it.set()
        with maker.spares.lease_only(maker.main):
            order.append("registered")

    thread = threading.Thread(target=register)
    with maker.spares.lease(maker.main):
        thread.start()
        assert has_it.wait(5)
        with maker.spares.lease(maker.main) as raw:
            assert raw is maker.made[0]
        order.append("called")
    thread.join(5)
    assert order == ["called", "registered"] and not maker.spares.is_taken(maker.main)
