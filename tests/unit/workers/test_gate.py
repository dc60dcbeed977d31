"""The gate: many chunks side by side, or a suspect alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from workers.gate import Gate

#: Long enough for a thread that may go on to do so; a thread that may not stands still anyway.
A_MOMENT = 0.05


class Visitor(threading.Thread):
    """Enters, says so, and stays until told to leave."""

    def __init__(self, gate: Gate, *, solo: bool) -> None:
        super().__init__(daemon=True)
        self._gate, self._solo = gate, solo
        self.inside, self._leave = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._gate.enter(solo=self._solo):
            self.inside.set()
            self._leave.wait(10)

    def got_in(self) -> bool:
        return self.inside.wait(5)

    def stands_outside(self) -> bool:
        return not self.inside.wait(A_MOMENT)

    def go(self) -> None:
        self._leave.set()
        self.join(5)
        assert not self.is_alive()


def test_chunks_compute_side_by_side() -> None:
    gate = Gate()
    visitors = [Visitor(gate, solo=False) for _ in range(3)]
    assert all(visitor.got_in() for visitor in visitors)
    for visitor in visitors:
        visitor.go()


def test_a_solo_chunk_waits_until_nothing_computes_and_then_is_alone() -> None:
    gate = Gate()
    first, second = Visitor(gate, solo=False), Visitor(gate, solo=False)
    assert first.got_in()
    assert second.got_in()
    solo = Visitor(gate, solo=True)
    first.go()
    assert solo.stands_outside()
    second.go()
    assert solo.got_in()
    late = Visitor(gate, solo=False)
    assert late.stands_outside()
    solo.go()
    assert late.got_in()
    late.go()


def test_a_waiting_solo_chunk_keeps_new_ones_out() -> None:
    gate = Gate()
    early = Visitor(gate, solo=False)
    assert early.got_in()
    solo = Visitor(gate, solo=True)
    assert solo.stands_outside()
    late = Visitor(gate, solo=False)
    assert late.stands_outside()
    early.go()
    assert solo.got_in()
    assert late.stands_outside()
    solo.go()
    assert late.got_in()
    late.go()


def test_two_solo_chunks_follow_each_other() -> None:
    gate = Gate()
    one = Visitor(gate, solo=True)
    assert one.got_in()
    two = Visitor(gate, solo=True)
    assert two.stands_outside()
    one.go()
    assert two.got_in()
    two.go()


@pytest.mark.parametrize("solo", [True, False])
def test_an_error_inside_opens_the_gate_again(*, solo: bool) -> None:
    gate = Gate()
    with pytest.raises(ValueError, match="broken"), gate.enter(solo=solo):
        raise ValueError("broken")
    after = Visitor(gate, solo=not solo)
    assert after.got_in()
    after.go()


class Census:
    """Counts who is inside, and objects if a solo chunk has company."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: list[bool] = []
        self.wrong: list[list[bool]] = []
        self.visits = 0

    @contextmanager
    def visit(self, *, solo: bool) -> Iterator[None]:
        with self._lock:
            self._inside.append(solo)
            self.visits += 1
            if any(self._inside) and len(self._inside) > 1:
                self.wrong.append(self._inside.copy())
        yield
        with self._lock:
            self._inside.remove(solo)


def test_under_a_crowd_nobody_disturbs_a_solo_chunk_and_everybody_gets_in() -> None:
    gate, census = Gate(), Census()

    def visit_often(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            solo = chance.random() < 0.3
            with gate.enter(solo=solo), census.visit(solo=solo):
                time.sleep(chance.random() / 2000)

    threads = [threading.Thread(target=visit_often, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert census.visits == 240
    assert census.wrong == []
