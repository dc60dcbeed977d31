"""Loads a SAM3 + CLIP pair: by folder or by hub name, safetensors only, nothing missing."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass

import torch
from torch._dynamo.exc import BackendCompilerFailed, TorchDynamoException
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    Sam3Model,
    Sam3TrackerModel,
)

from maskpool.abilities import Ability
from maskpool.errors import ConfigError
from maskpool.model_aliases import ModelAlias
from maskpool.settings import Settings
from workers.engine.engine import Engine
from workers.models.checkpoint import Checkpoint, first_line, kind_of, whole
from workers.models.clip.scorer import CROPS, ClipScorer, Preparation
from workers.models.pixels import Square
from workers.models.sam3.segmenter import PAIRS, Sam3Segmenter
from workers.models.sam3.tracker import Tracker

log = logging.getLogger(__name__)

#: Errors after which a smaller micro-batch may succeed.
OUT_OF_MEMORY: tuple[type[Exception], ...] = (torch.OutOfMemoryError, MemoryError)

#: Errors after which the device is of no use to this process.
DEVICE_LOST: tuple[type[Exception], ...] = (torch.AcceleratorError,)

#: Rows in one pass of the detector on the CPU, where larger passes only cost memory.
_CPU_PAIRS = 8

#: Images in one forward pass, unless a setting says otherwise.
_CUDA_IMAGES, _CPU_IMAGES = 8, 2


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

    @property
    def abilities(self) -> frozenset[Ability]:
        """What a worker with this pair can do beside finding instances of texts."""
        return self.segmenter.abilities | {Ability.SPEC2, Ability.GLOSSARY, Ability.TILES}

    def engine(self, micro_batch: int = 0) -> Engine[Square]:
        """An engine over the pair, warmed up and not yet started.

        Args:
            micro_batch: Most images in one forward pass; 0: 8 on CUDA, 2 on the CPU.

        Raises:
            ConfigError: The models were to be compiled, and cannot be.
        """
        on_cuda = self.device.startswith("cuda")
        most = micro_batch or (_CUDA_IMAGES if on_cuda else _CPU_IMAGES)
        began = time.monotonic()
        try:
            self.segmenter.warm_up(most)
        except (TorchDynamoException, BackendCompilerFailed) as error:
            raise ConfigError(
                f"MASKPOOL_COMPILE: the models cannot be compiled here ({first_line(error)}); "
                "it takes a C++ compiler, on CUDA also Triton, or set it to false"
            ) from error
        log.info("the models are warm after %.1f s", time.monotonic() - began)
        return Engine(
            self.segmenter,
            self.scorer,
            micro_batch=most,
            prepare=self.segmenter.prepare,
            out_of_memory=OUT_OF_MEMORY,
            device_lost=DEVICE_LOST,
        )


def load_models(
    alias: ModelAlias,
    *,
    device: str = "auto",
    threads: int = 0,
    pairs: int = 0,
    compiled: bool = False,
) -> LoadedModels:
    """Load the pair behind an alias onto a device.

    Args:
        alias: Where SAM3 and CLIP come from.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads of the model; 0 leaves torch's own choice.
        pairs: Most (image × prompt) rows in one pass of the detector; 0: 32 on CUDA, 8 on the CPU.
        compiled: Compile SAM3's passes with ``torch.compile``, at the first use of the engine.

    Raises:
        ConfigError: A model or the device is not as it must be; says what to do.
    """
    place = choose_device(device)
    if threads:
        torch.set_num_threads(threads)
    on_cuda = place.type == "cuda"
    rows = pairs or (PAIRS if on_cuda else _CPU_PAIRS)
    segmenter = load_segmenter(alias.sam3, place, rows, compiled=compiled)
    _require_cells(alias, segmenter)
    scorer = load_scorer(alias.clip, place)
    parts = [
        f"SAM3 {alias.sam3} ({_millions(segmenter.parameters)})",
        f"CLIP {alias.clip} ({_millions(scorer.parameters)})",
        f"on {_device_name(place)}, {'bf16 autocast' if on_cuda else 'fp32'}",
        *(["compiled"] if compiled else []),
    ]
    return LoadedModels(segmenter, scorer, str(place), ", ".join(parts))


def _require_cells(alias: ModelAlias, segmenter: Sam3Segmenter) -> None:
    """Refuse an alias that says other maps than its model draws.

    Whoever makes masks finer knows the alias alone, and would smooth them by a wrong measure.
    """
    if segmenter.map_cells != alias.cells:
        raise ConfigError(
            f"SAM3 {alias.sam3} draws masks on maps of {segmenter.map_cells} cells a side, and its "
            f"alias says {alias.cells}, by which masks would be made finer; "
            f'write "cells": {segmenter.map_cells} for it in MASKPOOL_MODELS'
        )


def load_for(settings: Settings) -> LoadedModels:
    """Load the pair that a process with these settings serves.

    Raises:
        SpecError: There is no such alias.
        ConfigError: As ``load_models``.
    """
    alias = settings.alias(settings.model)
    return load_models(
        alias,
        device=settings.device,
        threads=settings.torch_threads,
        compiled=settings.compile,
    )


def load_segmenter(
    reference: str, device: torch.device, pairs: int = PAIRS, *, compiled: bool = False
) -> Sam3Segmenter:
    """Load SAM3, also out of a published ``Sam3VideoModel`` checkpoint (detector and tracker).

    Args:
        reference: Folder, or hub name with an optional ``@revision``.
        device: Where it goes.
        pairs: Most (image × prompt) rows in one pass of the detector.
        compiled: Compile its passes with ``torch.compile``, at their first use.

    Raises:
        ConfigError: It cannot be loaded whole.
    """
    checkpoint = Checkpoint.read(reference)
    model = whole(checkpoint, Sam3Model).to(device)
    tracker = load_tracker(reference, device, model)
    return Sam3Segmenter(
        model,
        checkpoint.load(AutoTokenizer.from_pretrained),
        tracker=None if tracker is None else Tracker(tracker),
        pairs=pairs,
        backend="inductor" if compiled else None,
    )


def load_tracker(
    reference: str, device: torch.device, detector: Sam3Model
) -> Sam3TrackerModel | None:
    """Load what turns points and boxes into masks, over the detector's backbone.

    Args:
        reference: Folder, or hub name with an optional ``@revision``.
        device: Where it goes, and where the detector is.
        detector: Of the same checkpoint. Its backbone becomes the tracker's too: one is held.

    Returns:
        The tracker; None if the checkpoint is a detector's alone (``model_type`` is ``sam3``).

    Raises:
        ConfigError: It has a tracker that cannot be loaded whole.
    """
    checkpoint = Checkpoint.read(reference)
    if kind_of(checkpoint, Sam3TrackerModel) == "sam3":
        return None
    tracker: Sam3TrackerModel = whole(checkpoint, Sam3TrackerModel)
    # Before the move: the copy of the backbone that came with it never reaches the device.
    tracker.vision_encoder.backbone = detector.vision_encoder.backbone
    tracker.to(device)  # type: ignore[arg-type]
    return tracker


def load_scorer(reference: str, device: torch.device, crops: int = CROPS) -> ClipScorer:
    """Load CLIP.

    Args:
        reference: Folder, or hub name with an optional ``@revision``.
        device: Where it goes.
        crops: Most crops in one pass.

    Raises:
        ConfigError: It cannot be loaded whole.
    """
    checkpoint = Checkpoint.read(reference)
    model = whole(checkpoint, CLIPModel).to(device)
    tokenizer = checkpoint.load(AutoTokenizer.from_pretrained)
    preparation = Preparation.of(checkpoint.load(CLIPImageProcessorPil.from_pretrained))
    return ClipScorer(model, tokenizer, preparation, crops=crops)


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


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
