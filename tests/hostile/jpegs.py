"""JPEG files, and EXIF and colour profiles in them, that ask for much, or lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hostile.pngs import pixels_chunk, png_of
from hostile.whole import HEIGHT, WIDTH, Bomb, picture, png_chunk, profile, saved

_ORIENTATION = 0x0112


def exif_lies() -> Iterator[Bomb]:
    for value in (0, 9, 255, 65_535):
        yield f"jpeg-orientation-{value}", "jpg", _with_exif(ifd([_short(value)])), True
    for kind, size in (
        (1, 1),
        (2, 8),
        (5, 8),
        (7, 4),
        (10, 8),
        (11, 4),
        (12, 8),
        (13, 4),
        (255, 1),
    ):
        for count in (1, 2, 2**31 - 1):
            entry = struct.pack("<HHI", _ORIENTATION, kind, count) + struct.pack("<I", 8)
            data = _with_exif(ifd([entry]) + b"\xff" * size)
            yield f"jpeg-orientation-type-{kind}-{count}", "jpg", data, True
    loop = struct.pack("<HHII", 0x8769, 4, 1, 8)
    yield "jpeg-exif-leads-to-itself", "jpg", _with_exif(ifd([loop, _short(6)], after=8)), True
    greedy = [struct.pack("<HHII", 0x9000 + n, 7, 60_000, 8) for n in range(5_000)]
    yield "jpeg-exif-of-64-kb", "jpg", _with_exif(ifd(greedy)), True
    yield "jpeg-exif-zeros", "jpg", _with_exif(bytes(65_000)), True
    yield "jpeg-exif-noise", "jpg", _with_exif(b"II*\0\xff\xff\xff\xff" + b"\xa5" * 60_000), True
    huge = ifd([struct.pack("<HHII", 1 + n, 7, 3_000_000, 8) for n in range(60_000)])
    body = (b"II*\0\x08\0\0\0" + huge).ljust(4_000_000, b"x")
    chunks = (png_chunk(b"eXIf", body), pixels_chunk())
    yield "png-exif-of-4-mb", "png", png_of(WIDTH, HEIGHT, *chunks), True
    yield "jpeg-exif-of-many-segments", "jpg", _segments(b"\xe1", b"Exif\0\0", 64), True
    yield (
        "jpeg-profile-of-many-segments",
        "jpg",
        _segments(b"\xe2", b"ICC_PROFILE\0\1\xff", 100),
        True,
    )


def _short(value: int) -> bytes:
    return struct.pack("<HHIHH", _ORIENTATION, 3, 1, value, 0)


def ifd(entries: list[bytes], after: int = 0) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", after)


def _with_exif(ifd: bytes) -> bytes:
    """A JPEG whose EXIF block is the directory, and no longer than a segment may be."""
    body = (b"Exif\0\0II*\0\x08\0\0\0" + ifd)[:65_533]
    return _with_segment(b"\xe1", body)


def _with_segment(marker: bytes, body: bytes) -> bytes:
    data = saved(picture(), "jpg")
    return data[:2] + b"\xff" + marker + struct.pack(">H", len(body) + 2) + body + data[2:]


def _segments(marker: bytes, start: bytes, count: int) -> bytes:
    """Many segments of the greatest length."""
    body = start + b"\xff" * (65_000 - len(start))
    one = b"\xff" + marker + struct.pack(">H", len(body) + 2) + body
    data = saved(picture(), "jpg")
    return data[:2] + one * count + data[2:]


def jpeg_lies() -> Iterator[Bomb]:
    whole = saved(picture(), "jpg")
    yield "jpeg-scans", "jpg", many_scans(2_000, 2_000, 3_000), None
    yield "jpeg-comments", "jpg", whole[:2] + b"\xff\xfe\0\2" * 100_000 + whole[2:], False
    yield "jpeg-padding", "jpg", whole[:2] + b"\xff" * 300_000 + whole[2:], False
    yield "jpeg-restarts-for-ever", "jpg", whole[:-2] + b"\xff\xd0" * 100_000, None
    yield "jpeg-tables", "jpg", whole[:2] + b"\xff\xdb\0\x43\0" + b"\1" * 64 + whole[2:], True
    twelve = bytearray(whole)
    twelve[whole.index(b"\xff\xc0") + 4] = 12
    yield "jpeg-12-bit", "jpg", bytes(twelve), None
    yield "jpeg-two-components", "jpg", _sof(whole, 9, 2), None
    yield "jpeg-sampling-15", "jpg", _sof(whole, 11, 0xFF), None
    for name in (b"\xc3", b"\xc9", b"\xcf"):
        odd = whole.replace(b"\xff\xc0", b"\xff" + name, 1)
        yield f"jpeg-frame-{name.hex()}", "jpg", odd, None
    adobe = b"Adobe\0\x64\0\0\0\0\x02"
    yield "jpeg-adobe-lies", "jpg", _with_segment(b"\xee", adobe), None
    cmyk = saved(picture("CMYK"), "jpg", icc_profile=profile())
    yield "jpeg-cmyk-rgb-profile", "jpg", cmyk, True
    for keep in (1, 20, 128, 200, 400):
        cut = saved(picture("CMYK"), "jpg", icc_profile=profile()[:keep])
        yield f"jpeg-cmyk-profile-of-{keep}", "jpg", cut, True
        yield (
            f"tiff-cmyk-profile-of-{keep}",
            "tif",
            saved(picture("CMYK"), "tif", icc_profile=profile()[:keep]),
            True,
        )
    mp = b"MPF\0II*\0\x08\0\0\0" + ifd([struct.pack("<HHII", 0xB001, 4, 1, 2**32 - 1)])
    yield "jpeg-mpo-of-4294967295", "jpg", _with_segment(b"\xe2", mp), None


def _sof(data: bytes, offset: int, value: int) -> bytes:
    changed = bytearray(data)
    changed[data.index(b"\xff\xc0") + offset] = value
    return bytes(changed)


def jpeg_of_size(width: int, height: int) -> bytes:
    data = bytearray(saved(picture(), "jpg"))
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG of one component whose every scan says: no coefficient changes.

    Each costs the decoder a walk over all blocks, and the file some bytes.
    """
    frame = struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 0x11, 0)
    quantisation = b"\xff\xdb\0\x43\0" + b"\1" * 64
    # One code, '0': 'the next 2^14 blocks end here'; the bits that follow say how many more.
    table = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + bytes([1] + [0] * 15) + b"\xe0"
    blocks = (-(-width // 8)) * (-(-height // 8))
    bits, left = "", blocks
    while left:
        run = min(left, (1 << 15) - 1)
        if run < 1 << 14:
            break
        bits += "0" + format(run - (1 << 14), "014b")
        left -= run
    size = len(bits) // 8 + 1
    data = int(bits.ljust(8 * size, "1"), 2).to_bytes(size, "big")
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0x00, 1, 63, 0)
    scan += data.replace(b"\xff", b"\xff\0")
    return b"\xff\xd8" + quantisation + b"\xff\xc2" + frame + table + scan * scans + b"\xff\xd9"
