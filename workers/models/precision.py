"""How numbers are held on each kind of device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def precision(device: torch.device) -> AbstractContextManager[object]:
    """fp32 on the CPU; on CUDA bf16 where it is safe.

    Autocast rather than bf16 weights: those quantise boxes and scores.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
