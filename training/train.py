"""Trains the demo models: `python -m training.train`.

First CLIP, then Sam3's detector, then its tracker over the finished detector. The defaults take
about 110 minutes on two CPU cores. Finished stages leave checkpoints in the work folder, and a run
with the same work folder goes on after them.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from transformers import Sam3Model, Sam3TrackerModel

from maskpool.model_aliases import DEMO_MODELS
from training.dense import DenseHeads
from training.export import export_clip, export_sam3, read_detector
from training.features import build_features
from training.network import GRID, HIDDEN, IMAGE_SIZE, new_sam3
from training.scene_pool import ScenePool, build_pool
from training.scenes import TRAIN_SEED
from training.tracker_network import new_tracker, own_weights
from training.train_clip import train_clip
from training.train_sam3 import (
    Stage,
    Trainee,
    load_state,
    save_state,
    train_all,
    train_vision,
)
from training.train_tracker import Course, balance, train_tracker

_VISION_SHARE = 0.10
#: Shares of the time when everything is trained; the rest is the detector's.
_CLIP_SHARE, _TRACKER_SHARE = 0.08, 0.32
#: The tracker's peak learning rate, by the detector's.
_TRACKER_RATE = 2.0
#: What is left of that rate where the tracker has been trained before.
_GO_ON_RATE = 0.5
#: Scenes by which an untrained neck is balanced.
_FEW = 32


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
    #: What to train: "all", "sam3" (detector and tracker), "tracker" (over the detector that is in
    #: the output folder, which stays as it is) or "clip".
    only: str
    #: Whether the tracker starts from the one in the output folder.
    go_on: bool


def main() -> None:
    """Reads the flags and trains."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only in ("all", "clip"):
        clip = train_clip(
            options.work,
            _seconds(options, _CLIP_SHARE),
            max(200, options.scenes // 5),
            torch.device(options.device),
        )
        export_clip(clip.cpu(), options.out / "clip")
    if options.only != "clip":
        build_pool(options.work, TRAIN_SEED, options.scenes, side=IMAGE_SIZE, grid=GRID)
    if options.only in ("all", "sam3"):
        _in_processes(train_sam3, options)
    if options.only != "clip":
        pool_features(options)
        _in_processes(train_own_tracker, options)


def _in_processes(train: Callable[[int, Options], None], options: Options) -> None:
    """Calls a function with every process's number."""
    (options.work / "rendezvous").unlink(missing_ok=True)
    if options.processes == 1:
        train(0, options)
    else:
        spawn(train, (options,), nprocs=options.processes)  # type: ignore[no-untyped-call]


def _seconds(options: Options, share: float) -> float:
    """Returns how long a part is trained: its share of the time, all of it if it is alone."""
    parts = {"sam3": 1 - _CLIP_SHARE, "all": 1.0}
    return options.minutes * 60 * share / parts.get(options.only, share)


def parse(arguments: list[str] | None = None) -> Options:
    """Reads flags; the defaults are those of the shipped weights."""
    parser = argparse.ArgumentParser(description="Trains the demo models on drawn scenes.")
    cuda = torch.cuda.is_available()
    parser.add_argument(
        "--minutes",
        type=float,
        default=110,
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
    parser.add_argument("--only", choices=("all", "sam3", "tracker", "clip"), default="all")
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="with --only tracker: start from the tracker in --out, at half the rate",
    )
    flags = parser.parse_args(arguments)
    if flags.go_on and flags.only != "tracker":
        parser.error("--go-on is for --only tracker")
    return Options(**{**vars(flags), "work": flags.work or Path(mkdtemp(prefix="maskpool-demo-"))})


def train_sam3(rank: int, options: Options) -> None:
    """Trains the detector in one of the processes; the first one exports."""
    _meet(rank, options)
    torch.manual_seed(0)
    model = new_sam3()
    model.to(options.device)  # type: ignore[arg-type]
    heads = DenseHeads(HIDDEN).to(options.device)
    rng = np.random.default_rng([1, rank])
    trainee = Trainee(
        model,
        _pool(options),
        torch.device(options.device),
        rng,
        rank,
        options.processes,
        options.work,
    )
    seconds = _seconds(options, 1 - _CLIP_SHARE - _TRACKER_SHARE)
    _vision_stage(trainee, heads, Stage(seconds * _VISION_SHARE, options.rate, 3 * options.batch))
    stage = Stage(
        seconds * (1 - _VISION_SHARE), options.rate, options.batch, masks=options.batch + 1
    )
    state = train_all(trainee, heads, stage)
    if rank == 0:
        save_state(state, options.work / "sam3-final.safetensors")
        export_sam3({name: value.cpu() for name, value in state.items()}, options.out / "sam3")
    _part(options)


def pool_features(options: Options) -> npt.NDArray[np.float16]:
    """Runs the finished detector's backbone over the scenes, or reads what an earlier run saw."""
    detector = Sam3Model.from_pretrained(options.out / "sam3", dtype=torch.float32)
    detector.to(options.device)  # type: ignore[arg-type]
    return build_features(options.work, _pool(options), detector, f"{TRAIN_SEED}-{options.scenes}")


def train_own_tracker(rank: int, options: Options) -> None:
    """Trains the tracker in one of the processes; the first one exports it beside the detector."""
    _meet(rank, options)
    folder, features = options.out / "sam3", pool_features(options)
    detector = read_detector(folder)
    if options.go_on:
        tracker = Sam3TrackerModel.from_pretrained(folder, dtype=torch.float32)
    else:
        tracker = new_tracker(detector)
        balance(tracker, torch.from_numpy(features[:_FEW].astype(np.float32)))
    tracker.to(options.device)  # type: ignore[arg-type]
    course = Course(
        _seconds(options, _TRACKER_SHARE),
        _TRACKER_RATE * options.rate * (_GO_ON_RATE if options.go_on else 1),
        options.batch,
        torch.device(options.device),
        rank,
        options.processes,
        fresh=not options.go_on,
    )
    trained = train_tracker(tracker, _pool(options), features, course)
    if rank == 0:
        weights = {**own_weights(tracker), **trained}
        export_sam3(detector, folder, {name: value.cpu() for name, value in weights.items()})
    _part(options)


def _pool(options: Options) -> ScenePool:
    """Returns the drawn scenes."""
    return build_pool(options.work, TRAIN_SEED, options.scenes, side=IMAGE_SIZE, grid=GRID)


def _meet(rank: int, options: Options) -> None:
    """Joins the processes which train together."""
    torch.set_num_threads(1 if options.processes > 1 else torch.get_num_threads())
    if options.processes > 1:
        rendezvous = (options.work / "rendezvous").resolve()
        dist.init_process_group(
            "gloo", f"file://{rendezvous}", world_size=options.processes, rank=rank
        )


def _part(options: Options) -> None:
    """Leaves them."""
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
