"""Kinds of failures: read from the sentences that the fetcher, the decoder and workers write."""

from __future__ import annotations

import pytest

from maskpool.failure_kinds import FailureKind, kind_of


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("the file is empty (0 bytes)", FailureKind.EMPTY),
        ("the file is cut off: its end is missing; copy it again", FailureKind.CUT_OFF),
        (
            (
                "the image has 20,000×20,000 pixels, more than the 100,000,000 allowed "
                "(MASKPOOL_MAX_IMAGE_PIXELS)"
            ),
            FailureKind.TOO_LARGE,
        ),
        ("there is no object s3://street/7.jpg", FailureKind.GONE),
        ("there is no image https://a.org/1.jpg (it answers 404)", FailureKind.GONE),
        (
            "access denied to https://a.org/1.jpg (it answers 403); use a signed URL",
            FailureKind.FORBIDDEN,
        ),
        ("the image is damaged: broken data stream", FailureKind.DAMAGED),
        (
            "the image's header is damaged: its tiles have no size; save it again",
            FailureKind.DAMAGED,
        ),
        (
            "the image has colour mode 'LAB', which is not read; save it as RGB",
            FailureKind.LAYOUT,
        ),
        (
            "it is not an image of a kind that is read (PNG, JPEG), or is damaged",
            FailureKind.NO_IMAGE,
        ),
        (
            "gave up after 4 attempts; the last one: https://a.org/1.jpg answers 503",
            FailureKind.AWAY,
        ),
        (
            "the worker died each of the 3 times it worked on this image alone; look at it",
            FailureKind.WORKER_DIED,
        ),
        ("Traceback (most recent call last)", FailureKind.OTHER),
    ],
)
def test_a_sentence_has_one_kind(sentence: str, kind: FailureKind) -> None:
    assert kind_of(sentence) is kind
