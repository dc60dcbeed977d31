"""What a source names and the workers of its own run may therefore read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maskpool.errors import SourceError
from maskpool.settings import Settings
from producer.sources import Source
from producer.sources.named_folders import NamedFolders
from storage.images.web.urls import is_web, split_web
from storage.uris import path_of, split_s3

#: Hosts of a list that a run's workers are told by name.
_MAX_HOSTS = 1_000

#: Names go to the workers in their environment, where Linux takes 131,072 bytes for one variable.
_MAX_BYTES = 100_000

#: Buckets of a list; each name has at most 255 bytes.
_MAX_BUCKETS = 390


@dataclass(frozen=True, slots=True)
class Grants:
    """Folders, buckets and hosts that a source names."""

    roots: tuple[Path, ...] = ()
    buckets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def added_to(self, settings: Settings) -> Settings:
        """The settings with the buckets and hosts; a stack is given its roots by themselves."""
        return settings.model_copy(
            update={
                "source_buckets": (*settings.source_buckets, *self.buckets),
                "source_hosts": (*settings.source_hosts, *self.hosts),
            }
        )


def granted_by(source: Source) -> Grants:
    """What a source names; a list is read once for that.

    Raises:
        SourceError: A line is refused, or the places are more than workers can be told.
    """
    if source.kind in ("folder", "glob") and source.root is not None:
        return Grants(roots=(source.root,))
    if place := split_s3(source.text):
        return Grants(buckets=(place[0],))
    return _named_by(source)


def _named_by(source: Source) -> Grants:
    folders, buckets, hosts = NamedFolders(source.text), set[str](), set[str]()
    for ref in source.refs():
        if is_web(ref.uri):
            hosts.add(split_web(ref.uri).host)
        elif place := split_s3(ref.uri):
            buckets.add(place[0])
        elif path := path_of(ref.uri):
            folders.add(path)
    if len(buckets) > _MAX_BUCKETS:
        raise SourceError(
            source.text,
            f"names {len(buckets):,} buckets, and a run reads from at most {_MAX_BUCKETS}; "
            "split the list",
        )
    return Grants(folders.roots(), tuple(sorted(buckets)), _patterns(hosts))


def _patterns(hosts: set[str]) -> tuple[str, ...]:
    # Whoever lists more hosts than anybody reads means the whole web, without private addresses.
    names = sorted(hosts)
    fits = len(names) <= _MAX_HOSTS and len(",".join(names)) <= _MAX_BYTES
    return tuple(names) if fits else ("*",)
