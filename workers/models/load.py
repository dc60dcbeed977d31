"""Loads a SAM3 + CLIP pair: by folder or by hub name, safetensors only, nothing missing."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors import SafetensorError
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel, Sam3Model
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME
from transformers.utils import logging as transformers_logging
from transformers.utils.hub import cached_file

from maskpool.errors import ConfigError
from maskpool.settings import ModelAlias, Settings
from workers.engine import Engine
from workers.models.clip import CROPS, ClipScorer, Preparation
from workers.models.sam3 import PAIRS, Sam3Segmenter

logger = logging.getLogger(__name__)

#: Errors after which a smaller micro-batch may succeed.
OUT_OF_MEMORY: tuple[type[Exception], ...] = (torch.OutOfMemoryError, MemoryError)

#: Errors after which the device is of no use to this process.
DEVICE_LOST: tuple[type[Exception], ...] = (torch.AcceleratorError,)

#: Rows in one pass of the head on the CPU, where larger ones gain nothing and cost memory.
_CPU_PAIRS = 8

#: A hub name: one or two parts of letters, digits, ``-``, ``_`` and ``.``.
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")

#: A part of a checkpoint that comes in several.
_SHARD = re.compile(r"[\w.-]+\.safetensors")

#: Old checkpoints carry the numbers 0, 1, 2 … under this name; models build them themselves.
_HARMLESS = re.compile(r"(^|\.)position_ids$")

#: ``model_type`` of the checkpoints that hold each model; SAM3's was published with its tracker.
_KINDS = {Sam3Model: ("sam3", "sam3_video"), CLIPModel: ("clip",)}


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """A pair that is ready for work.

    Attributes:
        segmenter: SAM3.
        scorer: CLIP.
        device: As torch writes it, e.g. ``cpu`` or ``cuda:0``.
        description: One line for people: models, sizes, device and precision.
    """

    segmenter: Sam3Segmenter
    scorer: ClipScorer
    device: str
    description: str

    def engine(self, micro_batch: int = 0) -> Engine:
        """An engine over the pair, not yet started.

        Args:
            micro_batch: Most images in one forward pass; 0: 8 on CUDA, 2 on the CPU.
        """
        return Engine(
            self.segmenter,
            self.scorer,
            micro_batch=micro_batch or (8 if self.device.startswith("cuda") else 2),
            out_of_memory=OUT_OF_MEMORY,
            device_lost=DEVICE_LOST,
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a model comes from: a folder, or a hub name with a revision."""

    name: str
    revision: str | None = None

    @classmethod
    def read(cls, reference: str) -> _Source:
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
            return f"the model in {self.name} cannot be loaded: {_first_line(error)}"
        return (
            f"neither a folder {self.name} nor a copy of the hub's model {self.name} is here, and "
            "the hub could not be reached (offline?); fetch it where there is a network with "
            f"`hf download {self.name}`, or give a folder: {_first_line(error)}"
        )


def load_models(
    alias: ModelAlias, *, device: str = "auto", threads: int = 0, pairs: int = 0
) -> LoadedModels:
    """Load the pair behind an alias onto a device; fp32 weights whatever the files hold.

    Args:
        alias: Where SAM3 and CLIP come from.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads of the model; 0 leaves torch's own choice.
        pairs: Most (image × prompt) rows in one pass of the head; 0: 32 on CUDA, 8 on the CPU.

    Raises:
        ConfigError: A model or the device is not as it must be; says what to do.
    """
    place = choose_device(device)
    if threads:
        torch.set_num_threads(threads)
    on_cuda = place.type == "cuda"
    segmenter = load_segmenter(alias.sam3, place, pairs or (PAIRS if on_cuda else _CPU_PAIRS))
    scorer = load_scorer(alias.clip, place)
    parts = [
        f"SAM3 {alias.sam3} ({_millions(segmenter.parameters)})",
        f"CLIP {alias.clip} ({_millions(scorer.parameters)})",
        f"on {_device_name(place)}, {'bf16 autocast' if on_cuda else 'fp32'}",
    ]
    return LoadedModels(segmenter, scorer, str(place), ", ".join(parts))


def load_for(settings: Settings) -> LoadedModels:
    """Load the pair that a process with these settings serves.

    Raises:
        SpecError: There is no such alias.
        ConfigError: As ``load_models``.
    """
    alias = settings.alias(settings.model)
    return load_models(alias, device=settings.device, threads=settings.torch_threads)


def load_segmenter(reference: str, device: torch.device, pairs: int = PAIRS) -> Sam3Segmenter:
    """Load SAM3, also out of a published ``Sam3VideoModel`` checkpoint (detector and tracker).

    Args:
        reference: Folder, or hub name with an optional ``@revision``.
        device: Where it goes.
        pairs: Most (image × prompt) rows in one pass of the head.

    Raises:
        ConfigError: It cannot be loaded whole.
    """
    source = _Source.read(reference)
    model = _whole(source, Sam3Model)
    return Sam3Segmenter(model.to(device), source.load(AutoTokenizer.from_pretrained), pairs=pairs)


def load_scorer(reference: str, device: torch.device, crops: int = CROPS) -> ClipScorer:
    """Load CLIP.

    Args:
        reference: Folder, or hub name with an optional ``@revision``.
        device: Where it goes.
        crops: Most crops in one pass.

    Raises:
        ConfigError: It cannot be loaded whole.
    """
    source = _Source.read(reference)
    model = _whole(source, CLIPModel)
    tokenizer = source.load(AutoTokenizer.from_pretrained)
    preparation = Preparation.of(source.load(CLIPImageProcessorPil.from_pretrained))
    return ClipScorer(model.to(device), tokenizer, preparation, crops=crops)


def choose_device(wanted: str) -> torch.device:
    """The device behind ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: There is no such device here.
    """
    if wanted == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    number = re.fullmatch(r"cuda(?::(\d+))?", wanted)
    if number is None:
        raise ConfigError(f"MASKPOOL_DEVICE: {wanted!r} is not auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(number[1] or 0)
    if index >= count:
        raise ConfigError(
            f"MASKPOOL_DEVICE: {wanted} was asked for, but this torch ({torch.__version__}) sees "
            f"{count or 'no'} CUDA device(s); install a CUDA build and a driver, or ask for cpu"
        )
    return torch.device("cuda", index)


def _whole(source: _Source, model_class: Any) -> Any:  # noqa: ANN401 - transformers has no types
    """Load a model and refuse it unless every weight came from the file and none was left over."""
    # Without this a folder that has no config.json would be filled with the default model.
    config, _ = source.load(model_class.config_class.get_config_dict)
    kind = config.get("model_type")
    if kind not in _KINDS[model_class]:
        raise ConfigError(
            f"{source.name} holds {f'a model of type {kind!r}' if kind else 'no config.json'}; "
            f"wanted is the checkpoint of a {model_class.__name__}"
        )
    _refuse_pickled_shards(source)
    model, info = source.load(
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
            f"{source.name} is no complete {model_class.__name__}: {'; '.join(faults)}; "
            "fetch it again, or give the folder of another checkpoint"
        )
    return model.eval()


def _refuse_pickled_shards(source: _Source) -> None:
    """Whatever else an index of safetensors names, transformers would read, pickles included."""
    found = source.load(_index_of, _raise_exceptions_for_missing_entries=False)
    if found is None:
        return
    try:
        shards = set(json.loads(Path(found).read_text())["weight_map"].values())
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{source.name}: {SAFE_WEIGHTS_INDEX_NAME} cannot be read") from error
    odd = sorted(str(one) for one in shards if not _SHARD.fullmatch(str(one)))
    if odd:
        raise ConfigError(
            f"{source.name}: {SAFE_WEIGHTS_INDEX_NAME} names {odd[0][:80]!r}; only safetensors "
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
    """Keep transformers' notes and bars off the worker's log; what matters is raised here."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
