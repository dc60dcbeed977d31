"""Decoded images wait until there is room for their pixels."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image as Pillow

from maskpool.settings import Settings
from storage.images.decode import decode
from storage.images.room import NoRoom, Room


def test_what_does_not_fit_waits_until_something_ends() -> None:
    room, most, lock = Room(100), 0, threading.Lock()
    begun = threading.Barrier(8)

    def hold() -> None:
        nonlocal most
        begun.wait()
        with room.place() as place:
            place.take(40)
            with lock:
                most = max(most, room.held)

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(hold) for _ in range(8)]:
            future.result(timeout=30)
    assert most <= 80
    assert room.held == 0


def test_one_image_alone_may_be_larger_than_the_room() -> None:
    room = Room(100)
    with room.place() as place:
        place.take(500)
        assert room.held == 500
    assert room.held == 0


def test_a_chunk_that_is_to_stop_waits_no_longer_and_holds_nothing() -> None:
    room = Room(100)
    with room.place() as first:
        first.take(100)
        with pytest.raises(NoRoom), room.place(lambda: False) as second:
            second.take(1)
        assert room.held == 100


def test_room_is_given_back_where_decoding_fails() -> None:
    room = Room(100)

    def fail() -> None:
        with room.place() as place:
            place.take(60)
            raise OSError(5, "broken")

    with pytest.raises(OSError, match="broken"):
        fail()
    assert room.held == 0


def test_the_decoder_asks_for_its_array_before_it_is_made() -> None:
    file = io.BytesIO()
    Pillow.new("RGB", (30, 20)).save(file, "PNG")
    asked: list[int] = []
    assert decode(file.getvalue(), Settings(), asked.append).nbytes == 1_800
    assert asked == [1_800]
