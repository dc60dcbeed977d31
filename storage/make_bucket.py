"""``python -P -m storage.make_bucket``: make the bucket of the pool's store where there is none."""

from __future__ import annotations

import sys

from maskpool import exits, logs
from maskpool.errors import ConfigError, MaskpoolError, NotFound
from maskpool.settings import load_settings
from storage.objects.s3 import make_client
from storage.objects.s3_errors import translated
from storage.uris import split_s3


def make_bucket(store_url: str, endpoint_url: str) -> None:
    """Make the bucket that a store's URL names; one that is there already stays as it is.

    Raises:
        ConfigError: The URL names no bucket, or the server refuses us.
        Unreachable: The server does not answer.
    """
    place = split_s3(store_url)
    if place is None:
        raise ConfigError("MASKPOOL_STORE_URL: only a store in s3://bucket has a bucket to make")
    client, bucket = make_client(endpoint_url), place[0]
    try:
        with translated(bucket, ""):
            client.head_bucket(Bucket=bucket)
    except NotFound:
        with translated(bucket, ""):
            client.create_bucket(Bucket=bucket)
            client.head_bucket(Bucket=bucket)


def main() -> int:
    """Make it; returns the exit status, after one sentence where it cannot be made."""
    try:
        settings = load_settings()
        logs.configure(settings.log_format, settings.log_level)
        make_bucket(settings.store_url, settings.s3_endpoint_url)
    except MaskpoolError as error:
        logs.say("make_bucket", str(error))
        return exits.exit_code(error)
    return exits.OK


if __name__ == "__main__":
    sys.exit(main())
