"""What is called an image and is none, or more than one thing."""

from __future__ import annotations

from collections.abc import Iterator

from hostile.whole import Bomb, picture, saved

_MAGIC = {
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "webp-extended": b"RIFF\x10\0\0\0WEBPVP8X",
    "tiff": b"II*\0",
    "tiff-motorola": b"MM\0*",
    "tiff-big": b"II+\0\x08\0\0\0",
    "bmp": b"BM",
    "gif": b"GIF89a",
    "ppm": b"P6\n",
    "ppm-plain": b"P3\n",
    "pam": b"P7\n",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "j2k": b"\xff\x4f\xff\x51",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0mif1avif",
}


def strangers() -> Iterator[Bomb]:
    texts = {
        "empty": b"",
        "one-byte": b"\xff",
        "text": b"This is no image.\n" * 20,
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
        "xml-bomb": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa">]><l>&a;</l>',
        "pdf": b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj\n",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
        "zip": b"PK\x03\x04" + bytes(60),
        "elf": b"\x7fELF\2\1\1" + bytes(200),
        "gzip": b"\x1f\x8b\x08" + bytes(60),
        "pickle": b"\x80\x04\x95" + bytes(60),
        "photoshop": b"8BPS\0\1" + bytes(60),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "ico": b"\0\0\1\0\1\0" + bytes(60),
        "zeros": bytes(10_000),
        "ones": b"\xff" * 10_000,
    }
    for name, data in texts.items():
        yield f"no-image-{name}", "jpg", data, False
    for name, magic in _MAGIC.items():
        yield f"only-the-magic-of-{name}", "png", magic, False
        yield f"magic-and-zeros-of-{name}", "png", magic + bytes(2_000), False
        yield f"magic-and-ones-of-{name}", "png", magic + b"\xff" * 2_000, False
    png, jpeg = saved(picture(), "png"), saved(picture(), "jpg")
    yield "png-then-jpeg", "png", png + jpeg, True
    yield "jpeg-then-png", "png", jpeg + png, True
    yield "jpeg-then-zip", "jpg", jpeg + texts["zip"], True
    yield "jpeg-then-web-page", "jpg", jpeg + texts["html"], True
    yield "web-page-then-jpeg", "jpg", texts["html"] + jpeg, False
