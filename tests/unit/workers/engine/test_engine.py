from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import Any

import numpy as np
import pytest

from maskpool.domain import Found, Klass
from maskpool.errors import ImageError, Transient
from maskpool.ports import Answer, Image, ObjectAsk, Request
from maskpool.rle import Rle
from maskpool.spec import MAX_PROMPTS
from workers.engine.engine import Engine
from workers.engine.micro_batch import MAX_ROWS
from workers.engine.work import Scored

SECONDS = 10


class OutOfMemory(RuntimeError):
    pass


class DeviceLost(RuntimeError):
    pass


def image(number: int) -> Image:
    """An image that carries a number."""
    return np.full((2, 2, 3), number, dtype=np.uint8)


class FakeSegmenter:
    """Finds one instance a text whose score is the image's number; fails as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], list[tuple[str, ...]]]] = []
        self.threads: set[int] = set()
        self.fits = 1000
        self.bad: dict[int, Exception] = {}
        self.seconds: dict[int, float] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.tick: Callable[[], None] = lambda: None

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        self.entered.set()
        assert self.gate.wait(SECONDS)
        numbers = [int(one.image[0, 0, 0]) for one in requests]
        self.calls.append((numbers, list(dict.fromkeys(one.texts for one in requests))))
        self.threads.add(threading.get_ident())
        self.tick()
        if len(requests) > self.fits:
            raise OutOfMemory(f"{len(requests)} images")
        for number in numbers:
            if number in self.bad:
                raise self.bad[number]
        return [
            Answer(
                [
                    Found(index, number / 255, (0, 0, 1, 1), Rle((2, 2), "04"))
                    for index in range(len(one.texts) or 1)
                ],
                self.seconds.get(number, 0.0),
            )
            for number, one in zip(numbers, requests, strict=True)
        ]

    @property
    def sizes(self) -> list[int]:
        return [len(numbers) for numbers, _ in self.calls]


class FakeScorer:
    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.fails: Exception | None = None

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> np.ndarray:
        self.threads.add(threading.get_ident())
        if self.fails:
            raise self.fails
        return np.ones((len(crops), len(texts)), dtype=np.float32)


class Clock:
    """Moves only when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def segmenter() -> FakeSegmenter:
    return FakeSegmenter()


@pytest.fixture
def scorer() -> FakeScorer:
    return FakeScorer()


@pytest.fixture
def make(segmenter: FakeSegmenter, scorer: FakeScorer) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def build(**options: Any) -> Engine:
        defaults = {
            "micro_batch": 4,
            "max_waiting": 100,
            "out_of_memory": (OutOfMemory,),
            "device_lost": (DeviceLost,),
        }
        made.append(Engine(segmenter, scorer, **defaults | options))
        return made[-1]

    yield build
    segmenter.gate.set()
    for engine in made:
        engine.close(drain=False)


def results(futures: Sequence[Future[Answer]]) -> list[int]:
    """The numbers of the images that were segmented."""
    return [round(future.result(SECONDS).found[0].score * 255) for future in futures]


def test_each_image_gets_its_own_result_in_full_micro_batches(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make()
    futures = [engine.submit(image(number), ("a", "b")) for number in range(10)]

    engine.start()

    assert results(futures) == list(range(10))
    assert segmenter.sizes == [4, 4, 2]
    assert all(len(future.result().found) == 2 for future in futures)


def test_an_idle_engine_does_not_wait_to_fill_a_micro_batch(make: Callable[..., Engine]) -> None:
    engine = make().start()

    begun = time.monotonic()
    assert results([engine.submit(image(7), ("a",))]) == [7]

    assert time.monotonic() - begun < 1


def test_only_images_with_the_same_prompts_share_a_micro_batch(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make()
    futures = [
        engine.submit(image(number), prompts)
        for number, prompts in enumerate([("a",), ("b",), ("a",), ("a", "b"), ("b",)])
    ]

    engine.start()

    assert results(futures) == [0, 1, 2, 3, 4]
    assert segmenter.calls == [([0, 2], [("a",)]), ([1, 4], [("b",)]), ([3], [("a", "b")])]


CLICK = ObjectAsk(0, 1, points=((1.0, 1.0, 1),))


def test_what_is_asked_beside_texts_shares_a_micro_batch_whatever_it_is(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    """Never with those of texts alone: company changes the last bits of a result."""
    engine = make()
    futures = [
        engine.submit(image(0), ("a",), objects=[CLICK]),
        engine.submit(image(1), ("a",)),
        engine.submit(image(2), ("b",), stuff=[0]),
        engine.submit(image(3), (), objects=[CLICK] * 3),
        engine.submit(image(4), ("a",)),
    ]

    engine.start()

    assert results(futures) == [0, 1, 2, 3, 4]
    assert segmenter.calls == [([0, 2, 3], [("a",), ("b",), ()]), ([1, 4], [("a",)])]


def test_a_micro_batch_is_bounded_in_rows(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make()
    boxes = [MAX_ROWS // 2, MAX_ROWS // 2, 1, 2 * MAX_ROWS]
    futures = [
        engine.submit(image(number), (), objects=[CLICK] * count)
        for number, count in enumerate(boxes)
    ]

    engine.start()

    assert results(futures) == [0, 1, 2, 3]
    assert [numbers for numbers, _ in segmenter.calls] == [[0, 1], [2], [3]]


def test_the_default_micro_batch_of_most_texts_is_not_cut(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make(micro_batch=8)
    texts = [f"p{number}" for number in range(MAX_PROMPTS)]
    futures = [engine.submit(image(number), texts) for number in range(8)]

    engine.start()
    for future in futures:
        future.result(SECONDS)

    assert segmenter.sizes == [8]


def test_nothing_asked_is_answered_without_the_model(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make(prepare=lambda _: pytest.fail("it needs no pixels")).start()

    answer = engine.submit(image(1), ()).result(SECONDS)

    assert (answer, segmenter.calls) == (Answer([], 0.0), [])
    engine.close()
    with pytest.raises(Transient, match="closed"):
        engine.submit(image(1), ())


def test_someone_waiting_goes_first(make: Callable[..., Engine], segmenter: FakeSegmenter) -> None:
    engine = make(micro_batch=2)
    bulk = [engine.submit(image(number), ("a",)) for number in range(4)]
    now = engine.submit(image(9), ("a",), Klass.NOW)

    engine.start()

    assert results([*bulk, now]) == [0, 1, 2, 3, 9]
    assert [numbers for numbers, _ in segmenter.calls] == [[9], [0, 1], [2, 3]]


def test_everything_runs_on_one_thread(
    make: Callable[..., Engine], segmenter: FakeSegmenter, scorer: FakeScorer
) -> None:
    engine = make().start()
    futures: list[Future[Any]] = []

    def submit() -> None:
        futures.append(engine.submit(image(1), ("a",)))
        futures.append(engine.score([image(1)], ("x", "y")))

    threads = [threading.Thread(target=submit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done, _ = wait(futures, SECONDS)

    assert len(done) == 10
    assert segmenter.threads == scorer.threads
    assert len(segmenter.threads) == 1
    assert threading.get_ident() not in segmenter.threads


def test_images_are_prepared_in_their_submitters_thread_ahead_of_need(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    threads: set[int] = set()

    def prepare(one: Image) -> Image:
        threads.add(threading.get_ident())
        return one + 1

    engine = make(prepare=prepare)
    futures = [engine.submit(image(number), ("a",)) for number in range(3)]

    assert threads == {threading.get_ident()}
    engine.start()
    assert results(futures) == [1, 2, 3]


def test_an_image_that_finds_no_memory_ahead_of_need_is_prepared_in_its_turn(
    make: Callable[..., Engine],
) -> None:
    """Somebody else's pass may have the memory: that is no fault of the image's."""

    def prepare(one: Image) -> Image:
        if one[0, 0, 0] == 1:
            raise OutOfMemory("a pass has it")
        return one + 10

    engine = make(prepare=prepare).start()

    assert results([engine.submit(image(number), ("a",)) for number in (1, 2)]) == [1, 12]


def test_a_closed_engine_prepares_nothing(make: Callable[..., Engine]) -> None:
    prepared: list[Image] = []
    engine = make(prepare=prepared.append).start()
    engine.close()

    with pytest.raises(Transient, match="closed"):
        engine.submit(image(1), ("a",))
    assert prepared == []


def test_a_device_that_is_lost_while_preparing_is_lost(make: Callable[..., Engine]) -> None:
    def prepare(_: Image) -> Image:
        raise DeviceLost("gone")

    engine = make(prepare=prepare).start()

    with pytest.raises(Transient, match="must restart"):
        engine.submit(image(1), ("a",))
    assert not engine.healthy


def test_scores_come_back_with_their_time(make: Callable[..., Engine]) -> None:
    engine = make().start()

    scored = engine.score([image(1), image(2)], ("x", "y", "z")).result(SECONDS)

    assert isinstance(scored, Scored)
    assert scored.similarities.shape == (2, 3)
    assert scored.seconds >= 0


def test_busy_time_is_shared_by_the_images_of_a_micro_batch(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    clock = Clock()
    segmenter.tick = lambda: setattr(clock, "now", clock.now + 0.5)
    engine = make(clock=clock)
    assert engine.images_per_second is None
    futures = [engine.submit(image(number), ("a",)) for number in range(4)]

    engine.start()
    assert [future.result(SECONDS).seconds for future in futures] == [0.125] * 4

    assert engine.images_per_second == pytest.approx(8)


def test_a_click_does_not_pay_for_its_neighbours_prompts(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    clock = Clock()
    segmenter.tick = lambda: setattr(clock, "now", clock.now + 2.0)
    segmenter.seconds = {1: 0.1, 2: 0.9}  # what it measured: the rest was spent between
    engine = make(clock=clock)
    click = engine.submit(image(1), (), objects=[CLICK])
    many = engine.submit(image(2), [f"p{n}" for n in range(256)], objects=[CLICK])

    engine.start()

    assert click.result(SECONDS).seconds == pytest.approx(0.2)
    assert many.result(SECONDS).seconds == pytest.approx(1.8)


def test_the_rate_follows_lately_and_counts_scoring(
    make: Callable[..., Engine], segmenter: FakeSegmenter, scorer: FakeScorer
) -> None:
    clock = Clock()
    engine = make(micro_batch=1, clock=clock).start()

    def run(count: int, seconds: float) -> None:
        segmenter.tick = lambda: setattr(clock, "now", clock.now + seconds)
        for _ in range(count):
            engine.submit(image(1), ("a",)).result(SECONDS)

    run(100, 0.1)
    assert engine.images_per_second == pytest.approx(10)
    run(300, 1.0)
    assert engine.images_per_second == pytest.approx(1, rel=0.02)

    def slow(crops: Sequence[Image], texts: Sequence[str]) -> np.ndarray:
        clock.now += 60
        return np.zeros((len(crops), len(texts)), dtype=np.float32)

    scorer.similarities = slow  # type: ignore[method-assign]
    engine.score([image(1)], ("x",)).result(SECONDS)
    rate = engine.images_per_second
    assert rate is not None
    assert rate < 0.1


def test_short_memory_halves_the_micro_batch_and_fails_nobody(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.fits = 3
    engine = make(micro_batch=8)
    futures = [engine.submit(image(number), ("a",)) for number in range(16)]

    engine.start()

    assert results(futures) == list(range(16))
    assert segmenter.sizes == [8, 4, 2, 2, 4, 2, 2, 2, 2, 2, 2]
    assert engine.micro_batch == 2


def test_a_micro_batch_recovers_when_memory_is_no_longer_short(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.fits = 1
    engine = make(micro_batch=4)
    futures = [engine.submit(image(number), ("a",)) for number in range(4)]
    engine.start()
    assert results(futures) == [0, 1, 2, 3]
    assert engine.micro_batch == 1

    segmenter.fits = 4
    for number in range(200):
        engine.submit(image(number), ("a",)).result(SECONDS)

    assert engine.micro_batch == 4


def test_memory_too_short_for_one_image_is_transient(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.fits = 0
    engine = make()
    futures = [engine.submit(image(number), ("a",)) for number in range(3)]

    engine.start()

    for future in futures:
        with pytest.raises(Transient, match="not enough memory for one image"):
            future.result(SECONDS)
    assert engine.healthy


def test_a_bad_image_fails_alone(make: Callable[..., Engine], segmenter: FakeSegmenter) -> None:
    segmenter.bad = {2: ImageError("image 2 is bad")}
    engine = make()
    futures = [engine.submit(image(number), ("a",)) for number in range(4)]

    engine.start()

    with pytest.raises(ImageError, match="image 2 is bad"):
        futures[2].result(SECONDS)
    assert results([futures[0], futures[1], futures[3]]) == [0, 1, 3]
    assert segmenter.sizes == [4, 1, 1, 1, 1]


def test_a_bug_keeps_its_traceback_but_no_frame_keeps_memory(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.bad = {1: KeyError("a bug")}
    engine = make().start()

    error = engine.submit(image(1), ("a",)).exception(SECONDS)

    assert isinstance(error, KeyError)
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    assert frames[-1].f_code.co_name == "segment"
    assert "requests" not in frames[-1].f_locals


def test_a_result_of_the_wrong_length_is_a_bug_of_the_segmenter(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.segment = lambda *_: []  # type: ignore[method-assign]
    engine = make().start()

    with pytest.raises(ValueError, match="zip"):
        engine.submit(image(1), ("a",)).result(SECONDS)


def test_a_lost_device_ends_the_engine_without_blaming_the_images(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.bad = {1: DeviceLost("an illegal memory access")}
    engine = make(micro_batch=2)
    futures = [engine.submit(image(number), ("a",)) for number in range(6)]

    engine.start()

    for future in futures:
        with pytest.raises(Transient, match=r"device is lost.*illegal memory access"):
            future.result(SECONDS)
    assert not engine.healthy
    with pytest.raises(Transient, match="device is lost"):
        engine.submit(image(9), ("a",))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_dies_of_a_bug_says_that_its_worker_must_restart(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(micro_batch=2)
    monkeypatch.setattr(engine, "_work_on", lambda _: 1 / 0)
    future = engine.submit(image(1), ("a",))

    engine.start()

    with pytest.raises(Transient, match=r"engine failed.*must restart.*ZeroDivisionError"):
        future.result(SECONDS)
    assert not engine.healthy
    with pytest.raises(Transient, match="must restart"):
        engine.submit(image(2), ("a",))


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (OutOfMemory("short"), Transient, "not enough memory for scoring"),
        (DeviceLost("gone"), Transient, "device is lost"),
        (ImageError("bad crop"), ImageError, "bad crop"),
    ],
)
def test_scoring_fails_in_the_same_words(
    make: Callable[..., Engine],
    scorer: FakeScorer,
    error: Exception,
    raised: type[Exception],
    says: str,
) -> None:
    scorer.fails = error
    engine = make().start()

    with pytest.raises(raised, match=says):
        engine.score([image(1)], ("x",)).result(SECONDS)


def test_a_cancelled_future_is_never_run(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    engine = make()
    futures = [engine.submit(image(number), ("a",)) for number in range(6)]
    cancelled = [futures[number].cancel() for number in (0, 1, 2, 3, 5)]

    engine.start()

    assert all(cancelled)
    assert results([futures[4]]) == [4]
    assert [numbers for numbers, _ in segmenter.calls] == [[4]]


@pytest.mark.parametrize("bound", [{"max_waiting": 3}, {"max_waiting_bytes": 3 * 12}])
def test_submit_blocks_while_too_many_wait(
    make: Callable[..., Engine], segmenter: FakeSegmenter, bound: dict[str, int]
) -> None:
    engine = make(micro_batch=2, **bound)
    futures = [engine.submit(image(number), ("a",)) for number in range(3)]
    more: list[Future[Answer]] = []
    thread = threading.Thread(target=lambda: more.append(engine.submit(image(3), ("a",))))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert engine._queues.full(Klass.BULK)
    # Who waits is never behind those who fill the queue.
    now = engine.submit(image(9), ("a",), Klass.NOW)

    engine.start()
    thread.join(SECONDS)

    assert results([*futures, *more, now]) == [0, 1, 2, 3, 9]


def test_close_finishes_what_waits(make: Callable[..., Engine], segmenter: FakeSegmenter) -> None:
    engine = make(micro_batch=2)
    futures = [engine.submit(image(number), ("a",)) for number in range(5)]
    engine.start()

    engine.close()

    assert all(future.done() for future in futures)
    assert results(futures) == [0, 1, 2, 3, 4]
    with pytest.raises(Transient, match="closed"):
        engine.submit(image(1), ("a",))


def test_close_without_draining_finishes_the_micro_batch_in_hand_alone(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    engine = make(micro_batch=2, max_waiting=3)
    futures = [engine.submit(image(number), ("a",)) for number in range(3)]
    engine.start()
    assert segmenter.entered.wait(SECONDS)
    blocked: list[BaseException] = []

    def submit() -> None:
        try:
            for number in range(4):
                engine.submit(image(number), ("a",))
        except Transient as error:
            blocked.append(error)

    submitter = threading.Thread(target=submit)
    submitter.start()
    while not engine._queues.full(Klass.BULK):
        time.sleep(0.001)
    closer = threading.Thread(target=lambda: engine.close(drain=False))
    closer.start()
    submitter.join(SECONDS)
    segmenter.gate.set()
    closer.join(SECONDS)

    assert len(blocked) == 1
    assert results(futures[:2]) == [0, 1]
    with pytest.raises(Transient, match="closed before"):
        futures[2].result(SECONDS)


def test_close_of_an_engine_that_never_started_fails_what_waits(
    make: Callable[..., Engine],
) -> None:
    engine = make()
    future = engine.submit(image(1), ("a",))

    engine.close()

    with pytest.raises(Transient, match="closed before"):
        future.result(0)


def test_nobody_waits_for_ever_when_the_thread_dies(
    make: Callable[..., Engine], segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    segmenter.bad = {1: SystemExit("torn down")}  # type: ignore[dict-item]
    engine = make(micro_batch=1)
    futures = [engine.submit(image(number), ("a",)) for number in (1, 2, 3)]

    engine.start()

    for future in futures:
        with pytest.raises((Transient, SystemExit), match="torn down"):
            future.result(SECONDS)
    with pytest.raises(Transient):
        engine.submit(image(4), ("a",))


def test_many_submitters_lose_nothing(
    make: Callable[..., Engine], segmenter: FakeSegmenter
) -> None:
    segmenter.fits = 3
    segmenter.bad = {13: ImageError("bad")}
    engine = make(micro_batch=8, max_waiting=8).start()
    outcomes: list[list[Future[Answer]]] = [[] for _ in range(4)]

    def submit(place: int) -> None:
        for number in range(50):
            klass = Klass.NOW if place == 0 else Klass.BULK
            outcomes[place].append(engine.submit(image(number), (f"p{place % 2}",), klass))

    threads = [threading.Thread(target=submit, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    engine.close()

    for futures in outcomes:
        assert isinstance(futures.pop(13).exception(), ImageError)
        assert results(futures) == [number for number in range(50) if number != 13]


def test_importing_the_engine_imports_no_torch() -> None:
    code = (
        "import sys, workers.engine.engine; "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )

    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert output.stdout.strip() == "[]"
