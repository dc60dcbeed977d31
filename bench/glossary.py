"""How long a Chinese phrase takes: `python bench/glossary.py`."""

from __future__ import annotations

import time

from maskpool.glossary import compose, shipped

PHRASES = ("汽车", "红色汽车", "红色的木头的椅子", "红色的黄色的蓝色的木头的金属的塑料的椅子")
ROUNDS = 2_000


def main() -> None:
    """Print how long each phrase takes."""
    began = time.process_time()
    words = shipped()
    count = sum(map(len, words.english.values()))
    print(f"{count:,} words read in {(time.process_time() - began) * 1e3:.1f} ms")
    for phrase in PHRASES:
        began = time.process_time()
        for _ in range(ROUNDS):
            sent = compose(words, phrase).sent
        took = (time.process_time() - began) / ROUNDS
        print(f"{took * 1e6:6.1f} us  {phrase} -> {sent}")


if __name__ == "__main__":
    main()
