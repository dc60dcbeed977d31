"""What the frozen backbone sees of each scene, computed once: the tracker trains on that."""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import Sam3Model

from training.scene_pool import ScenePool, normalise

_CHUNK = 32


def backbone_tokens(detector: Sam3Model, pixels: torch.Tensor) -> torch.Tensor:
    """Returns the backbone's last states as a grid.

    Args:
        detector: The model whose backbone it is.
        pixels: float32 `(B, 3, side, side)`, -1 to 1.

    Returns:
        float `(B, tokens, tokens, hidden)`.
    """
    states: torch.Tensor = detector.vision_encoder.backbone(pixels).last_hidden_state
    side = round(states.shape[1] ** 0.5)
    return states.view(len(states), side, side, -1)


@torch.inference_mode()
def build_features(
    folder: Path, pool: ScenePool, detector: Sam3Model, stem: str
) -> npt.NDArray[np.float16]:
    """Runs the backbone over all scenes, keeps the result as a file and maps it into memory.

    Args:
        folder: Where the file goes; the file of an earlier run over this backbone is used again.
        pool: The scenes.
        detector: The frozen detector.
        stem: Tells this pool's file from another's.

    Returns:
        float16 `(scenes, tokens, tokens, hidden)`.
    """
    path = folder / f"features-{stem}-{_digest(detector)}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial.npy")
        _write(partial, pool, detector)
        partial.rename(path)
    features: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
    return features


def _write(path: Path, pool: ScenePool, detector: Sam3Model) -> None:
    """Fills a `.npy` file a few scenes at a time: all of them would not fit into memory."""
    shape = _see(pool.images[:1], detector).shape[1:]
    # float16 keeps three digits, more than the shipped weights' own rounding leaves certain.
    file = np.lib.format.open_memmap(path, "w+", np.float16, (len(pool), *shape))
    for start in range(0, len(pool), _CHUNK):
        file[start : start + _CHUNK] = _see(pool.images[start : start + _CHUNK], detector)
    file.flush()


def _see(images: npt.NDArray[np.uint8], detector: Sam3Model) -> npt.NDArray[np.float16]:
    """Runs the backbone on uint8 `(B, 3, side, side)`."""
    pixels = normalise(torch.from_numpy(np.array(images)).to(detector.device))
    tokens: npt.NDArray[np.float16] = backbone_tokens(detector, pixels).half().cpu().numpy()
    return tokens


def _digest(detector: Sam3Model) -> str:
    """Returns eight letters that change with the backbone's weights."""
    digest = hashlib.sha256()
    for weight in detector.vision_encoder.backbone.state_dict().values():
        digest.update(weight.cpu().numpy().tobytes())
    return digest.hexdigest()[:8]
