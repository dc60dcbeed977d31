"""Settings of the web server; ``maskpool.settings`` reads them with all others."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from maskpool import setting_lists

#: Where the web server listens if nobody says it.
DEFAULT_ADDRESS = "127.0.0.1:8080"

#: A server that listens there is reached under another name.
EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - it is only recognised


class WebSettings(BaseSettings):
    """What the web server is told beside the pool's own settings."""

    public_url: str = Field(
        default="",
        description="Where people reach the web server, as https://masks.example.org/pool: it "
        "alone decides scheme, path prefix, links, cookies and the Host that is allowed. "
        "Empty: http:// and MASKPOOL_SERVE_ADDRESS.",
    )
    serve_address: str = Field(
        default=DEFAULT_ADDRESS,
        description="Where the web server listens, as host:port.",
    )
    proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Networks of the proxies before the web server, as 10.1.2.0/24, separated by "
        "','. Only their word counts on which address a request came from.",
    )
    s3_public_url: str = Field(
        default="",
        description="Endpoint of the store as browsers reach it. Empty: the web server hands out "
        "every picture itself, and no signed link is made.",
    )
    flower_url: str = Field(
        default="",
        description="Where people reach Flower, which the page of the pool then links to, as "
        "https://masks.example.org/flower. Empty: no link.",
    )
    upload_bytes: int = Field(
        default=200 * 1024**3,
        gt=0,
        description="Bytes that all uploads of one user may have, and one archive unpacked.",
    )
    upload_files: int = Field(default=200_000, gt=0, description="Files that one upload may have.")
    upload_days: float = Field(
        default=7.0,
        gt=0,
        description="Days after which an upload is cleared away unless a batch was made of it.",
    )
    picture_processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes in which one web server makes small pictures of images.",
    )
    picture_megabytes: int = Field(
        default=1_024,
        ge=256,
        description="Memory that one of these may have, in MiB; a picture that needs more is not "
        "made. A process of an export that makes masks finer may have as much.",
    )

    _read_proxies = field_validator("proxies", mode="before")(setting_lists.read_networks)

    @field_validator("public_url", "s3_public_url", "flower_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError(f"{value!r} is no address; write https://host or https://host/prefix")
        if parts.query or parts.fragment:
            raise ValueError("it has a ? or a #; write scheme, host, port and path only")
        if f"{parts.path}/".startswith("/api/"):
            # A proxy may strip the prefix or keep it, and both would begin alike.
            raise ValueError("its path begins with /api, as every route does; take another prefix")
        return value.rstrip("/")

    @field_validator("serve_address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise ValueError(f"{value!r} is no address; write host:port, as {DEFAULT_ADDRESS}")
        return value


def browser_url(settings: WebSettings) -> str:
    """What a browser opens, without a slash at the end; on this machine if nothing else is said."""
    if settings.public_url:
        return settings.public_url
    host, _, port = settings.serve_address.rpartition(":")
    return f"http://{'127.0.0.1' if host in EVERYWHERE else host}:{port}"
