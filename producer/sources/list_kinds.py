"""Which reader takes which manifest, by the ending of its name."""

from __future__ import annotations

from collections.abc import Mapping

from producer.sources.csv_lists import CsvSource
from producer.sources.json_lists import JsonlSource
from producer.sources.lists import ListSource
from producer.sources.plain_lists import TextSource

LISTS: Mapping[str, type[ListSource]] = {
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".jsonl": JsonlSource,
    ".ndjson": JsonlSource,
    ".manifest": JsonlSource,
    ".txt": TextSource,
}
