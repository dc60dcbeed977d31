"""Every setting, and the only place that reads the environment (``MASKPOOL_*``)."""

from __future__ import annotations

import getpass
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict, SettingsError

from maskpool import setting_lists
from maskpool.errors import ConfigError, SpecError
from maskpool.health import MAX_AGE_SECONDS
from maskpool.model_aliases import BUILT_IN_MODELS, MAP_CELLS, ModelAlias
from maskpool.settings_web import WebSettings
from maskpool.text import is_storable
from maskpool.tiling.plan import TILE_SIDE


class Settings(WebSettings):
    """The settings of one process. Each is read from ``MASKPOOL_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="MASKPOOL_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(
        default=Path(".maskpool"),
        description="Folder of the local stack: its database, objects, sockets and logs.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="The pool's database: postgresql://user:password@host/db or sqlite:////path, "
        "with what a URL cannot hold percent-encoded. "
        "Empty: the running local stack's, else SQLite under home.",
    )
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="The broker: redis://[:password@]host:port/0 or redis+socket:///path, "
        "with what a URL cannot hold percent-encoded. "
        "Empty: the running local stack's, else a private server is started.",
    )
    store_url: str = Field(
        default="",
        description="Where masks go: s3://bucket/prefix or file:///folder. "
        "Empty: the running local stack's, else a folder under home.",
    )
    s3_endpoint_url: str = Field(
        default="",
        description="Endpoint of an S3-compatible store; empty for AWS. "
        "Credentials come from the usual AWS variables.",
    )
    source_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Folders from which a worker may read local images, separated by ':', or as "
        'JSON, ["/data/a:b", "/data/c"], where the value begins with [. '
        "Empty: no local image is read.",
    )
    source_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Buckets, beside the store's own, from which images may be read, "
        "separated by ','.",
    )
    source_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Hosts from which images may be read by http and https, separated by ',': a "
        "name, *.name for every host below it, or * for every public host. "
        "Empty: no web image is read.",
    )
    source_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Networks that are not public and in which those hosts may lie all the same, "
        "as 10.1.2.0/24, separated by ','.",
    )
    owner: str = Field(
        default="",
        description="Who submits. Empty: the name of the operating system's user, "
        "or uid-N where it has none.",
    )
    models: dict[str, ModelAlias] = Field(
        default_factory=dict,
        description='More model aliases, as JSON: {"name": {"sam3": "name@revision or folder", '
        f'"clip": "…", "tile": {TILE_SIDE}, "cells": {MAP_CELLS}}}}}; "tile", the side of its '
        'tiles in pixels, and "cells", the side of the maps on which it draws masks, may be left '
        "out.",
    )
    model: str = Field(
        default="demo", description="Alias that a worker serves and that a batch asks for."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    torch_threads: int = Field(
        default=0, ge=0, description="CPU threads of one worker's model; 0: all cores."
    )
    compile: bool = Field(
        default=False,
        description="Let torch.compile have SAM3's passes when a worker starts: minutes then, "
        "nothing in service. It takes a C++ compiler, on CUDA also Triton.",
    )
    micro_batch: int = Field(
        default=0,
        ge=0,
        description="Most images in one forward pass; 0: 8 on CUDA, 2 on CPU.",
    )
    worker_threads: int = Field(
        default=3,
        ge=2,
        le=64,
        description="Chunks a worker holds at once; one is kept for interactive jobs.",
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A chunk unheard of for this long is given to another; the same for workers "
        "and dispatchers. Half of it, at most 15 s, is their patience with the database.",
    )
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, description="How often a worker extends its leases."
    )
    stall_seconds: float = Field(
        default=120.0,
        gt=0,
        description="A worker whose chunk makes no progress for this long exits, to be restarted; "
        "up to ten times as long while its engine works on other chunks.",
    )
    tick_seconds: float = Field(
        default=0.2,
        gt=0,
        description="How often the dispatcher checks for work when nothing wakes it.",
    )
    max_image_pixels: int = Field(
        default=100_000_000, gt=0, description="Largest image that is decoded, in pixels."
    )
    max_image_bytes: int = Field(
        default=256 * 1024 * 1024, gt=0, description="Largest image file that is read, in bytes."
    )
    max_decoded_bytes: int = Field(
        default=1024 * 1024 * 1024,
        gt=0,
        description="Bytes of decoded images of each class that a worker holds at once, three a "
        "pixel; one image alone may have more.",
    )
    max_aspect: float = Field(
        default=50.0, gt=1, description="Longest side over shortest of an image that is accepted."
    )
    web_seconds: float = Field(
        default=30.0,
        gt=0,
        validate_default=True,
        description="Longest transfer of one web image, redirects included; "
        "less than MASKPOOL_STALL_SECONDS.",
    )
    health_file: Path | None = Field(
        default=None,
        description="File in which one dispatcher, worker or clerk says that it is alive, and what "
        "keeps it from working; python -m maskpool.health FILE reads it. Empty: none.",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="text or json.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged."
    )

    _read_roots = field_validator("source_roots", mode="before")(setting_lists.read_roots)
    _read_buckets = field_validator("source_buckets", mode="before")(setting_lists.read_names)
    _read_hosts = field_validator("source_hosts", mode="before")(setting_lists.read_hosts)
    _read_networks = field_validator("source_networks", mode="before")(setting_lists.read_networks)

    @field_validator("models")
    @classmethod
    def _names_without_comma(cls, value: dict[str, ModelAlias]) -> dict[str, ModelAlias]:
        # A worker is told its queues, which are named by the model, with commas between them.
        wrong = next((name for name in value if "," in name or not name), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} cannot name a model; give a name without a comma")
        return value

    @field_validator("web_seconds")
    @classmethod
    def _ends_before_a_stall(cls, value: float, info: ValidationInfo) -> float:
        stall = info.data.get("stall_seconds")
        if stall is not None and value >= stall:
            raise ValueError(f"must be less than MASKPOOL_STALL_SECONDS, which is {stall:g}")
        return value

    @property
    def owner_name(self) -> str:
        """Who submits.

        Raises:
            ConfigError: No row can keep the name.
        """
        name = self.owner or _user_name()
        if not is_storable(name) or "\0" in name:
            raise ConfigError(f"MASKPOOL_OWNER: {name!r} is not UTF-8; set another name")
        return name

    @property
    def patience_seconds(self) -> float:
        """Longest wait of a service for one answer of the database.

        A second try must fit into the lease, and a process that waits must not look as if it hung.
        """
        return min(self.lease_seconds / 2, MAX_AGE_SECONDS / 4)

    @property
    def aliases(self) -> list[str]:
        """All model aliases, by name."""
        return sorted(BUILT_IN_MODELS | self.models)

    def alias(self, name: str) -> ModelAlias:
        """The models behind an alias.

        Raises:
            SpecError: There is no such alias; names those there are.
        """
        known = BUILT_IN_MODELS | self.models
        if name not in known:
            raise SpecError(
                "model",
                f"{name!r} is not known; there are {', '.join(self.aliases)}",
                code="model.unknown",
                params={"model": name},
            )
        return known[name]


def _user_name() -> str:
    """The operating system's user, who has no name where a container runs as any number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - each field has its own type
    """Read the settings; ``overrides`` win over the environment.

    Raises:
        ConfigError: A value is refused; names the variable, never its content if it is secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name, *inside = map(str, first["loc"])
        reason = ": ".join([*([".".join(inside)] if inside else []), first["msg"]])
        raise ConfigError(f"MASKPOOL_{name.upper()}: {reason}") from None
    except SettingsError:
        # Only the models are JSON; pydantic's own sentence names no variable.
        raise ConfigError(
            'MASKPOOL_MODELS is no JSON; write {"name": {"sam3": "…", "clip": "…"}}'
        ) from None


def require(settings: Settings, *names: str, who: str) -> None:
    """Refuse to start what cannot work without certain settings.

    Args:
        settings: The settings of this process.
        names: Fields that must not be empty.
        who: The process that needs them, e.g. ``a worker``.

    Raises:
        ConfigError: One of them is empty; names its variable.
    """
    for name in names:
        value = getattr(settings, name)
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
            raise ConfigError(
                f"MASKPOOL_{name.upper()} is not set; {who} needs it "
                "(maskpool up sets it for the local stack)"
            )
