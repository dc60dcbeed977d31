"""A model's checkpoint: by folder or by hub name, safetensors only, nothing missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors import SafetensorError
from transformers import CLIPModel, Sam3Model, Sam3TrackerModel
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME
from transformers.utils import logging as transformers_logging
from transformers.utils.hub import cached_file

from maskpool.errors import ConfigError

#: A hub name: one or two parts of letters, digits, ``-``, ``_`` and ``.``.
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")

#: A part of a checkpoint that comes in several.
_SHARD = re.compile(r"[\w.-]+\.safetensors")

#: Old checkpoints carry the numbers 0, 1, 2 … under this name; models build them themselves.
_HARMLESS = re.compile(r"(^|\.)position_ids$")

#: ``model_type`` of the checkpoints that hold each model; SAM3's was published with its tracker.
_KINDS = {
    Sam3Model: ("sam3", "sam3_video"),
    Sam3TrackerModel: ("sam3_video",),
    CLIPModel: ("clip",),
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a model comes from: a folder, or a hub name with a revision."""

    name: str
    revision: str | None = None

    @classmethod
    def read(cls, reference: str) -> Checkpoint:
        """Read ``folder``, ``name`` or ``name@revision``.

        Raises:
            ConfigError: It is neither a folder that exists nor a hub name.
        """
        if Path(reference).expanduser().is_dir():
            return cls(str(Path(reference).expanduser()))
        name, _, revision = reference.partition("@")
        if reference.startswith(("/", "~", ".")) or not _HUB_NAME.fullmatch(name):
            raise ConfigError(
                f"the model folder {reference} does not exist; give a folder that holds "
                "config.json and model.safetensors, or a hub name such as facebook/sam3@revision"
            )
        return cls(name, revision or None)

    def load(self, loader: Callable[..., Any], **options: Any) -> Any:  # noqa: ANN401 - untyped API
        """Call a ``from_pretrained``.

        Raises:
            ConfigError: Nothing was loaded; says what to do about it.
        """
        _silence()
        if self.revision:
            options["revision"] = self.revision
        try:
            return loader(self.name, trust_remote_code=False, **options)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise ConfigError(self._why(error)) from error

    def _why(self, error: Exception) -> str:
        causes = _chain(error)
        if any(isinstance(cause, GatedRepoError) for cause in causes):
            return (
                f"{self.name} is gated: accept its licence at https://huggingface.co/{self.name}, "
                "then log in with `hf auth login` or set HF_TOKEN"
            )
        if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
            return f"{self.name} has no revision {self.revision!r}; check the part after '@'"
        if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
            return f"the hub knows no model {self.name}, or not for this token; check the spelling"
        if Path(self.name).is_dir():
            return f"the model in {self.name} cannot be loaded: {first_line(error)}"
        return (
            f"neither a folder {self.name} nor a copy of the hub's model {self.name} is here, and "
            "the hub could not be reached (offline?); fetch it where there is a network with "
            f"`hf download {self.name}`, or give a folder: {first_line(error)}"
        )


def whole(checkpoint: Checkpoint, model_class: Any) -> Any:  # noqa: ANN401 - transformers has no types
    """Load a model and refuse it unless every weight came from the file and none was left over."""
    # Without this a folder that has no config.json would be filled with the default model.
    kind = kind_of(checkpoint, model_class)
    if kind not in _KINDS[model_class]:
        raise ConfigError(
            f"{checkpoint.name} holds {f'a model of type {kind!r}' if kind else 'no config.json'}; "
            f"wanted is the checkpoint of a {model_class.__name__}"
        )
    _refuse_pickled_shards(checkpoint)
    model, info = checkpoint.load(
        model_class.from_pretrained,
        dtype=torch.float32,
        use_safetensors=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # listed in info, and refused below by name
    )
    faults = [
        f"{len(keys)} weights are {what} (such as {', '.join(keys[:3])})"
        for what, keys in _faults(info).items()
        if keys
    ]
    if faults:
        raise ConfigError(
            f"{checkpoint.name} is no complete {model_class.__name__}: {'; '.join(faults)}; "
            "fetch it again, or give the folder of another checkpoint"
        )
    return model.eval()


def kind_of(checkpoint: Checkpoint, model_class: Any) -> str | None:  # noqa: ANN401 - no types
    """The ``model_type`` that the checkpoint's config.json names; None if there is no such file."""
    config, _ = checkpoint.load(model_class.config_class.get_config_dict)
    kind: str | None = config.get("model_type")
    return kind


def _refuse_pickled_shards(checkpoint: Checkpoint) -> None:
    """Refuse an index that names other files than safetensors: transformers would unpickle them."""
    found = checkpoint.load(_index_of, _raise_exceptions_for_missing_entries=False)
    if found is None:
        return
    try:
        shards = set(json.loads(Path(found).read_text())["weight_map"].values())
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{checkpoint.name}: {SAFE_WEIGHTS_INDEX_NAME} cannot be read") from error
    odd = sorted(str(one) for one in shards if not _SHARD.fullmatch(str(one)))
    if odd:
        raise ConfigError(
            f"{checkpoint.name}: {SAFE_WEIGHTS_INDEX_NAME} names {odd[0][:80]!r}; only safetensors "
            "beside it are read"
        )


def _index_of(name: str, **options: Any) -> str | None:  # noqa: ANN401 - transformers' own
    options.pop("trust_remote_code")
    return cached_file(name, SAFE_WEIGHTS_INDEX_NAME, **options)


def _faults(info: Mapping[str, Any]) -> dict[str, list[str]]:
    mismatched = [key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]]
    return {
        "missing": sorted(info["missing_keys"]),
        "not known to the model": sorted(
            key for key in info["unexpected_keys"] if not _HARMLESS.search(key)
        ),
        "of another shape": sorted(mismatched),
        "unreadable": sorted(map(str, info.get("error_msgs") or ())),
    }


def _silence() -> None:
    """Keep transformers' notices and progress bars out of the log; what matters is raised here."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
