"""Which members of a zip are taken, passed over, or a reason to refuse the whole archive.

All is decided by the archive's directory, before anything is written.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from maskpool.errors import SourceError
from producer.sources import names
from producer.sources import passed as kinds
from producer.sources.passed import PassedOver

#: Bytes that one packed byte may become, over the whole archive: pictures hardly shrink, and
#: deflate reaches 1,032 with nothing but zeros.
_MAX_RATIO = 100

#: Below so many unpacked bytes no ratio is asked: a small archive of icons is no bomb.
_RATIO_FROM = 64 * 1024 * 1024

_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold.

    Attributes:
        files: Members.
        bytes: Of all that is taken out together.
        image_bytes: Of one image.
    """

    files: int
    bytes: int
    image_bytes: int


def chosen(
    archive: str, members: Iterable[ZipInfo], limits: Limits, passed: PassedOver
) -> list[ZipInfo]:
    """The images of an archive.

    Args:
        archive: Its name, for sentences.
        members: Its directory.
        limits: What it may hold.
        passed: Counts what is passed over.

    Raises:
        SourceError: A member is encrypted, a link, or named as no member of ours may be; two bear
            one name; or there is more in it than is allowed.
    """
    taken: dict[str, ZipInfo] = {}
    for count, member in enumerate(members, start=1):
        if count > limits.files:
            raise _refused(
                archive,
                f"has more than {limits.files:,} members; split it",
                code="archive.many",
                limit=limits.files,
            )
        named = names.shown(member.filename)
        if refusal := _refusal(member):
            code, reason = refusal
            raise _refused(archive, f"its member {named} {reason}", code=code, member=named)
        if member.is_dir():
            continue
        if kind := _passed_over(member.filename):
            passed.add(kind, member.filename)
        elif member.filename in taken:
            raise _refused(archive, f"holds {named} twice", code="archive.twice", member=named)
        else:
            taken[member.filename] = member
    _require_room(archive, list(taken.values()), limits)
    return list(taken.values())


def _refusal(member: ZipInfo) -> tuple[str, str] | None:
    """Why a member is not taken, as a code and words; None where it is."""
    # zipfile cuts names at a NUL and turns the backslashes of Windows: what was written counts.
    name = member.orig_filename
    path = name.removesuffix("/")
    mode = member.external_attr >> 16
    if member.flag_bits & _ENCRYPTED:
        return "archive.encrypted", "is encrypted; pack the archive without a password"
    if stat.S_ISLNK(mode):
        return "archive.link", "is a link; pack the file itself"
    if reason := names.refusal(path):
        said = f"{reason}; pack it with relative names and '/' between folders"
        return "archive.member", said
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        said = "is packed by a method that is not read; use deflate, as every program can"
        return "archive.method", said
    return None


def _passed_over(name: str) -> str:
    if name.startswith((".", "__MACOSX/")) or "/." in name:
        return kinds.HIDDEN_FILE
    return "" if names.is_image(name) else kinds.ending(name)


def _require_room(archive: str, members: list[ZipInfo], limits: Limits) -> None:
    """The directory may lie about sizes; what comes out is counted once more."""
    large = next((one for one in members if one.file_size > limits.image_bytes), None)
    if large is not None:
        member = names.shown(large.filename)
        raise _refused(
            archive,
            f"its member {member} has {large.file_size:,} bytes, more than "
            f"the {limits.image_bytes:,} allowed (MASKPOOL_MAX_IMAGE_BYTES)",
            code="archive.member_large",
            member=member,
            size=large.file_size,
            limit=limits.image_bytes,
        )
    unpacked = sum(one.file_size for one in members)
    packed = sum(one.compress_size for one in members)
    if unpacked > limits.bytes:
        raise _refused(
            archive,
            f"unpacks to {unpacked:,} bytes, more than the {limits.bytes:,} allowed",
            code="archive.large",
            size=unpacked,
            limit=limits.bytes,
        )
    if unpacked > _RATIO_FROM and unpacked > _MAX_RATIO * packed:
        times = unpacked // max(1, packed)
        raise _refused(
            archive,
            f"unpacks to {times:,} times its size, as no pictures do",
            code="archive.bomb",
            times=times,
        )


def _refused(archive: str, reason: str, *, code: str, **params: object) -> SourceError:
    return SourceError(archive, reason, code=code, params={"source": archive, **params})
