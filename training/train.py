"""Trains both demo models: `python -m training.train`.

The defaults take about 75 minutes on two CPU cores. Finished stages leave checkpoints in the work
folder, and a run with the same work folder goes on after them.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from maskpool.settings import DEMO_MODELS
from training.dense import DenseHeads
from training.export import export_clip, export_sam3
from training.network import GRID, HIDDEN, IMAGE_SIZE, new_sam3
from training.scene_pool import build_pool
from training.scenes import TRAIN_SEED
from training.train_clip import train_clip
from training.train_sam3 import (
    Stage,
    Trainee,
    load_state,
    save_state,
    train_all,
    train_vision,
)

_VISION_SHARE, _CLIP_SHARE = 0.10, 0.12


@dataclass(frozen=True, slots=True)
class Options:
    """The command's flags."""

    #: Training time on the clock in minutes, without the drawing of data.
    minutes: float
    #: Folder which receives `sam3/` and `clip/`.
    out: Path
    #: Folder for drawn data and checkpoints.
    work: Path
    device: str
    #: How many processes train Sam3 together; one on a GPU.
    processes: int
    #: Scenes drawn for training.
    scenes: int
    #: Scenes a step and process; the first stage takes three times as many.
    batch: int
    #: Peak learning rate.
    rate: float
    #: Which models to train: "both", "sam3" or "clip".
    only: str


def main() -> None:
    """Reads the flags and trains."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only != "sam3":
        seconds = options.minutes * 60 * (_CLIP_SHARE if options.only == "both" else 1)
        clip = train_clip(
            options.work, seconds, max(200, options.scenes // 5), torch.device(options.device)
        )
        export_clip(clip.cpu(), options.out / "clip")
    if options.only != "clip":
        build_pool(options.work, TRAIN_SEED, options.scenes, side=IMAGE_SIZE, grid=GRID)
        if options.processes == 1:
            train_sam3(0, options)
        else:
            spawn(train_sam3, (options,), nprocs=options.processes)  # type: ignore[no-untyped-call]


def parse(arguments: list[str] | None = None) -> Options:
    """Reads flags; the defaults are those of the shipped weights."""
    parser = argparse.ArgumentParser(description="Trains the demo models on drawn scenes.")
    cuda = torch.cuda.is_available()
    parser.add_argument(
        "--minutes",
        type=float,
        default=75,
        help="training time; more is better, above all on a GPU",
    )
    parser.add_argument("--out", type=Path, default=DEMO_MODELS, help="receives sam3/ and clip/")
    parser.add_argument(
        "--work", type=Path, help="drawn data and checkpoints (default: a new temporary folder)"
    )
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--processes", type=int, default=1 if cuda else 2)
    parser.add_argument("--scenes", type=int, default=24_000, help="scenes drawn for training")
    parser.add_argument(
        "--batch", type=int, default=64 if cuda else 4, help="scenes a step and process"
    )
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--only", choices=("both", "sam3", "clip"), default="both")
    flags = parser.parse_args(arguments)
    return Options(**{**vars(flags), "work": flags.work or Path(mkdtemp(prefix="maskpool-demo-"))})


def train_sam3(rank: int, options: Options) -> None:
    """Trains in one of the processes; the first one exports."""
    torch.set_num_threads(1 if options.processes > 1 else torch.get_num_threads())
    if options.processes > 1:
        rendezvous = (options.work / "rendezvous").resolve()
        dist.init_process_group(
            "gloo", f"file://{rendezvous}", world_size=options.processes, rank=rank
        )
    torch.manual_seed(0)
    model = new_sam3()
    model.to(options.device)  # type: ignore[arg-type]
    heads = DenseHeads(HIDDEN).to(options.device)
    pool = build_pool(options.work, TRAIN_SEED, options.scenes, side=IMAGE_SIZE, grid=GRID)
    rng = np.random.default_rng([1, rank])
    trainee = Trainee(
        model, pool, torch.device(options.device), rng, rank, options.processes, options.work
    )
    seconds = options.minutes * 60 * (1 - _CLIP_SHARE if options.only == "both" else 1)
    _vision_stage(trainee, heads, Stage(seconds * _VISION_SHARE, options.rate, 3 * options.batch))
    stage = Stage(
        seconds * (1 - _VISION_SHARE), options.rate, options.batch, masks=options.batch + 1
    )
    state = train_all(trainee, heads, stage)
    if rank == 0:
        save_state(state, options.work / "sam3-final.safetensors")
        export_sam3({name: value.cpu() for name, value in state.items()}, options.out / "sam3")
    if options.processes > 1:
        dist.destroy_process_group()


def _vision_stage(trainee: Trainee, heads: DenseHeads, stage: Stage) -> None:
    """Does the first stage, or takes it up where an earlier run in the same work folder left it."""
    tower, throw_away = (
        trainee.work / "vision-model.safetensors",
        trainee.work / "vision-heads.safetensors",
    )
    if tower.exists() and throw_away.exists():
        load_state(trainee.model, tower)
        load_state(heads, throw_away)
        return
    train_vision(trainee, heads, stage)
    if trainee.rank == 0:
        save_state(heads.state_dict(), throw_away)
        save_state(trainee.model.state_dict(), tower)


if __name__ == "__main__":
    main()
