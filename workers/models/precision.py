"""Which floating point type each kind of device computes with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

#: Modules whose weights autocast casts at each call.
_AUTOCAST_MODULES = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def precision(device: torch.device) -> AbstractContextManager[object]:
    """fp32 on the CPU; on CUDA bf16 where it is safe.

    Autocast rather than bf16 throughout: that quantises boxes and scores.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def cast_weights_on_cuda(model: nn.Module, device: torch.device) -> None:
    """On CUDA, cast once the weights that autocast would cast at each call.

    The results are the same to the last bit. Nothing is cast again at each call – 2.7 GB of traffic
    at SAM3's size – and the weights take half the memory. Norms, positions and embeddings, which
    autocast leaves as they are, stay fp32.
    """
    if device.type == "cuda":
        cast_weights(model, torch.bfloat16)


def cast_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Cast the weights of linear layers and convolutions, and no others."""
    for module in model.modules():
        if isinstance(module, _AUTOCAST_MODULES):
            module.to(dtype)
