"""What a child process that opens images is told of the settings, and what it must not find."""

from __future__ import annotations

from typing import Any

from maskpool.settings import Settings

#: What it must not find in its environment.
SECRETS = ("MASKPOOL_DATABASE_URL", "MASKPOOL_REDIS_URL")

#: What it must know: nothing secret is among it.
_TOLD = {
    "store_url",
    "s3_endpoint_url",
    "source_roots",
    "source_buckets",
    "source_hosts",
    "source_networks",
    "max_image_pixels",
    "max_image_bytes",
    "max_aspect",
}


def told(settings: Settings) -> dict[str, Any]:
    """What a child is told, as JSON holds it."""
    content = settings.model_dump(mode="json", include=_TOLD)
    # Lists come as the environment has them, and there an empty one is not named.
    return {name: value for name, value in content.items() if value not in ([], "")}
