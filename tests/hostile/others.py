"""GIF, WebP, BMP and PPM files that ask for much, or lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hostile.whole import HEIGHT, WIDTH, Bomb, bmp_head, picture, saved


def gif_of(width: int, height: int, frames: int = 1, extensions: bytes = b"") -> bytes:
    palette = bytes([0, 0, 0, 255, 255, 255])
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + palette
    # One pixel: clear, 0, end, in three bits each.
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    return head + extensions + frame * frames + b";"


def gif_lies() -> Iterator[Bomb]:
    yield "gif-of-20000-frames", "gif", gif_of(8, 8, 20_000), True
    comments = b"!\xfe\1x\0" * 100_000
    yield "gif-of-100000-comments", "gif", gif_of(8, 8, 1, comments), False
    one = b"!\xfe" + b"\xff" + b"x" * 255
    yield (
        "gif-comment-of-blocks",
        "gif",
        gif_of(8, 8, 1, one + (b"\xff" + b"x" * 255) * 4_000 + b"\0"),
        True,
    )
    outside = gif_of(8, 8).replace(
        struct.pack("<HHHH", 0, 0, 1, 1), struct.pack("<HHHH", 0, 0, 65_535, 65_535)
    )
    yield "gif-frame-beyond-its-screen", "gif", outside, None
    yield (
        "gif-frame-outside",
        "gif",
        gif_of(8, 8).replace(
            struct.pack("<HHHH", 0, 0, 1, 1), struct.pack("<HHHH", 60_000, 60_000, 5, 5)
        ),
        None,
    )
    yield "gif-0x0", "gif", gif_of(0, 0).replace(struct.pack("<HHHH", 0, 0, 1, 1), bytes(8)), None
    for bits in (0, 1, 12, 13, 255):
        yield (
            f"gif-code-of-{bits}-bits",
            "gif",
            gif_of(8, 8).replace(b"\2\2\x44", bytes([bits]) + b"\2\x44"),
            None,
        )


def _webp(canvas: tuple[int, int], inside: bytes, flags: int = 0) -> bytes:
    width, height = ((side - 1).to_bytes(3, "little") for side in canvas)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + width + height + inside
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_lies() -> Iterator[Bomb]:
    lossy = saved(picture(), "webp")
    for canvas in ((2**24, 2**7), (65_535, 65_535), (16_383, 16_383), (1, 2**24)):
        name = f"webp-canvas-{canvas[0]}x{canvas[1]}"
        yield name, "webp", _webp(canvas, lossy[12:]), False
        yield f"{name}-animated", "webp", _webp(canvas, _webp_frames(1), 2), False
    yield "webp-of-3000-frames", "webp", _webp((WIDTH, HEIGHT), _webp_frames(3_000), 2), True


def bmp_lies() -> Iterator[Bomb]:
    for width, height in (
        (2**31 - 1, 2**31 - 1),
        (2**31 - 1, 1),
        (60_000, -(2**31)),
        (0, 0),
        (-5, 5),
    ):
        head = bmp_head(width, height, 24, 0, 0, 100)
        yield f"bmp-{width}x{height}", "bmp", head + bytes(100), False
    for bits, compression in ((0, 0), (24, 3), (8, 2), (4, 1), (32, 6), (65_535, 0), (16, 3)):
        head = bmp_head(WIDTH, HEIGHT, bits, compression, 0, 10_000)
        yield f"bmp-{bits}-bits-{compression}", "bmp", head + bytes(10_000), None
    yield "bmp-4294967295-colours", "bmp", bmp_head(8, 8, 8, 0, 0, 64)[:46] + b"\xff" * 72, False
    jumps = (b"\0\2\xff\xff" * 5_000) + b"\0\1"
    yield (
        "bmp-jumps",
        "bmp",
        bmp_head(WIDTH, HEIGHT, 8, 1, 256, len(jumps)) + bytes(1_024) + jumps,
        None,
    )


def ppm_lies() -> Iterator[Bomb]:
    yield "ppm-60000x60000", "ppm", b"P6 60000 60000 255\n" + bytes(100), False
    yield "ppm-of-many-digits", "ppm", b"P6 " + b"9" * 100_000 + b" 1 255\n", False
    yield "ppm-long-comment", "ppm", b"P6 #" + b"x" * 500_000 + b"\n8 8 255\n" + bytes(192), False
    yield "ppm-only-a-comment", "ppm", b"P3 8 8 255\n#" + b"x" * 1_000_000, False
    yield "ppm-plain-long-number", "ppm", b"P3 8 8 255\n" + b"1" * 1_000_000, False
    yield "ppm-plain-4-million", "ppm", b"P1 2000 2000\n" + b"1" * 4_000_000, True
    yield "ppm-deep-0", "ppm", b"P6 8 8 0\n" + bytes(192), False
    yield "ppm-deep-65536", "ppm", b"P6 8 8 65536\n" + bytes(400), False
    yield "pfm-nan", "ppm", b"Pf 8 8 nan\n" + bytes(256), False


def _webp_frames(count: int) -> bytes:
    picture_chunk = saved(picture(), "webp")[12:]
    place = bytes(6) + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    body = place + (100).to_bytes(3, "little") + b"\0" + picture_chunk
    frame = b"ANMF" + struct.pack("<I", len(body)) + body
    return b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame * count
