"""Muon for matrices and AdamW for the rest, schedule, moving average, gradient sharing."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn

Named = list[tuple[str, nn.Parameter]]

#: Coefficients of the quintic Newton-Schulz iteration which Muon uses.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Moves all singular values of each matrix near 1.

    Args:
        matrices: float `(count, rows, columns)`.
        steps: Iterations.

    Returns:
        Of the same shape.
    """
    a, b, c = _NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: torch.Tensor = x.transpose(1, 2) if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal: every direction of a weight matrix learns at the same pace.

    Same-shaped matrices are treated together, since many small products are slow one by one.
    The update has the size which AdamW's would have, so that both share one learning rate.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float
    ) -> None:
        """Takes weights of two or more dimensions; a convolution counts as (out, all the rest)."""
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Updates all parameters which have gradients."""
        del closure
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[(parameter.shape[0], parameter[0].numel())].append(parameter)
            for shape, parameters in by_shape.items():
                self._update(
                    shape, parameters, group["lr"], group["momentum"], group["weight_decay"]
                )

    def _update(
        self,
        shape: tuple[int, int],
        parameters: list[nn.Parameter],
        lr: float,
        momentum: float,
        decay: float,
    ) -> None:
        """Updates parameters which all flatten to one shape."""
        directions = []
        for parameter in parameters:
            gradient = parameter.grad
            assert gradient is not None  # noqa: S101 (chosen so by `step`)
            buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            buffer.lerp_(gradient, 1 - momentum)
            directions.append(gradient.lerp(buffer, momentum).reshape(shape))
        updates = orthogonalise(torch.stack(directions)) * (0.2 * math.sqrt(max(shape)))
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - lr * decay).add_(update.view_as(parameter), alpha=-lr)


def build_optimisers(
    named: Named, lr: float, weight_decay: float = 0.03
) -> list[torch.optim.Optimizer]:
    """Gives inner matrices to Muon, embeddings, gains, biases and last layers to AdamW."""
    matrices, embeddings, vectors = [], [], []
    for name, parameter in named:
        if parameter.ndim < 2:
            vectors.append(parameter)
        elif any(
            word in name
            for word in ("embed", "reference_points", "token", "layer3", "heads", "scale_layers")
        ):
            embeddings.append(parameter)
        else:
            matrices.append(parameter)
    adam = torch.optim.AdamW(
        [
            {"params": embeddings, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=lr,
        betas=(0.9, 0.98),
    )
    return [Muon(matrices, lr=lr, momentum=0.95, weight_decay=weight_decay), adam]


def set_rate(
    optimisers: list[torch.optim.Optimizer], peak: float, progress: float, floor: float = 0.02
) -> float:
    """Sets the learning rate: a short warm-up, a plateau, then down along a cosine.

    Args:
        optimisers: Whose rate to set.
        peak: The highest rate.
        progress: Share of the stage's time that has passed, 0-1.
        floor: Share of the peak at the end.

    Returns:
        The rate.
    """
    warm, plateau = 0.02, 0.3
    if progress < warm:
        rate = peak * (0.05 + 0.95 * progress / warm)
    else:
        down = max(0.0, (min(progress, 1.0) - plateau) / (1 - plateau))
        rate = peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * down)))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
    return rate


class MovingAverage:
    """An exponential moving average of weights; it generalises better than the last step's."""

    def __init__(self, named: Named, decay: float) -> None:
        """Starts from the present weights."""
        self._decay = decay
        self._steps = 0
        self._live = [parameter for _, parameter in named]
        self._names = [name for name, _ in named]
        self._average = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average a little towards the present weights; young averages move faster."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._average, [live.detach() for live in self._live], 1 - decay)

    def state(self) -> dict[str, torch.Tensor]:
        """Returns a copy of the averaged weights by name."""
        return {
            name: average.clone() for name, average in zip(self._names, self._average, strict=True)
        }


def share_gradients(parameters: list[nn.Parameter], processes: int) -> None:
    """Averages gradients over the processes; a parameter without one counts as zero."""
    if processes == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= processes
    parts = flat.split([gradient.numel() for gradient in gradients])  # type: ignore[no-untyped-call]
    torch._foreach_copy_(
        gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
    )


def descend(
    loss: torch.Tensor,
    parameters: list[nn.Parameter],
    optimisers: list[torch.optim.Optimizer],
    processes: int,
    *,
    clip_norm: float,
) -> None:
    """Does one step of gradient descent, averaged over the processes."""
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    share_gradients(parameters, processes)
    nn.utils.clip_grad_norm_(parameters, clip_norm)
    for optimiser in optimisers:
        optimiser.step()


def shared_progress(start: float, seconds: float, processes: int) -> float:
    """Returns the share of a stage's time that has passed, by the first process's clock.

    Args:
        start: When it began, by `time.monotonic`.
        seconds: How long it takes.
        processes: How many train together.
    """
    progress = torch.tensor((time.monotonic() - start) / seconds)
    if processes > 1:
        dist.broadcast(progress, 0)
    return float(progress)
