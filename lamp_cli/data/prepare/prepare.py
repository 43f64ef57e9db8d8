"""``prepare``: motions plus captions become a data set in the field's folder layout.

Each clip is written whole, its text file last, so that a run that was killed goes on where it
stopped. Knows the layout and the plan; ``layout`` reads what is written here.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from ...files.arrays import MotionFileError
from ...language.mirror import mirror_sentence
from ...motion.skeleton import HUMANML3D, Skeleton
from ...motion.transform import mirror, resample
from ...processes import in_parallel
from ...storage import write_json, write_text
from ...synthetic.corpus import RealClip, peoples_sentences
from ..examples import FOLDERS, Written, frames_written, write_example
from ..layout import WORDINGS
from ..statistics import compute_statistics, save_statistics
from .plan import LEAST_FRAMES, ClipPlan, plan_clips
from .recombined import RecombinationJob, recombination_jobs, write_recombined
from .requests import ClipRequest
from .sources import MotionSource, find_sources
from .synthetic import FOLDER as TRUTH_FOLDER
from .synthetic import SyntheticJob, synthetic_jobs, write_synthetic

FINGERPRINT = "prepare.json"
SPLITS = ("train", "val", "test")

_MotionJob = tuple[MotionSource, list[ClipPlan], Path, "PrepareOptions"]


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare.

    ``fps`` is the frame rate of joint files (None: the skeleton's own); ``mirror`` adds the mirrored
    copy of every training clip; ``val_fraction`` of the motions is held out where captions name no
    split; ``workers`` processes run in parallel. ``synthetic`` clips drawn by ``seed`` join the data
    set, and ``recombine`` clips made of its real training clips. Of ``wording``, people's sentences, those
    that are true of a synthetic clip join its own. Raises ``ValueError`` for numbers out of range.
    """

    fps: float | None = None
    mirror: bool = True
    val_fraction: float = 0.1
    workers: int = 1
    synthetic: int = 0
    seed: int = 0
    recombine: int = 0
    wording: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise ValueError(f"fps {self.fps:g}: expected frames per second above 0")
        if not 0 <= self.val_fraction <= 0.5:
            raise ValueError(f"val_fraction {self.val_fraction:g}: expected a share from 0 to 0.5")
        if self.workers < 1:
            raise ValueError(f"workers {self.workers}: expected at least 1")
        if self.synthetic < 0:
            raise ValueError(f"synthetic {self.synthetic}: expected a number of clips")
        if self.recombine < 0:
            raise ValueError(f"recombine {self.recombine}: expected a number of clips")
        if self.wording and not self.synthetic:
            raise ValueError("wording: is for synthetic clips; expected a number of them too")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed}: expected 0 or more")


@dataclass
class PrepareReport:
    """What became of the input. ``dropped`` gives a reason for each clip or file left out.

    ``recombined`` counts the clips made of real training clips by kind; ``clips`` holds them too.
    """

    clips: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    mirrored: int = 0
    captioned: int = 0
    captions: int = 0
    trimmed: int = 0
    recombined: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """How many clips were dropped for each reason, most frequent first."""
        return dict(Counter(self.dropped.values()).most_common())


def prepare(
    motions: Path | None,
    requests: list[ClipRequest],
    output: Path,
    options: PrepareOptions,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> PrepareReport:
    """Write the data set into ``output`` and return the report, which also lies there as report.json.

    Without ``motions`` it is synthetic alone. ``advance`` is called with the number of clips done and of
    all. A second call with the same input goes on where the first stopped. Raises ``ValueError`` when
    the input holds no motion, mixes skeletons, or when ``output`` holds something else.
    """
    if motions is None and not options.synthetic:
        raise ValueError("nothing to prepare; expected motions, a number of synthetic clips, or both")
    sources, unreadable = ([], {}) if motions is None else find_sources(motions, leave_out=output)
    skeleton, sources = (HUMANML3D, []) if motions is None else _one_skeleton(sources, unreadable)
    if options.recombine and motions is None:
        raise ValueError("recombined clips are made of real ones; expected motions")
    if options.recombine and skeleton is not HUMANML3D:
        raise ValueError(f"recombined clips have humanml3d's skeleton, {motions} has {skeleton.name}'s")
    if options.synthetic and skeleton is not HUMANML3D:
        raise ValueError(f"synthetic clips have humanml3d's skeleton, {motions} has {skeleton.name}'s")
    by_name = {source.name: source for source in sources}
    rate = options.fps or skeleton.fps
    seconds = {name: source.shape[0] / _rate(source, rate) for name, source in by_name.items()}
    plan = plan_clips(requests, seconds, skeleton.fps, options.val_fraction)
    _claim(output, _fingerprint(sources, requests, options))

    report = PrepareReport(trimmed=plan.trimmed, dropped={**unreadable, **plan.dropped})
    kept: list[Written] = []
    total = len(plan.clips) + options.synthetic + options.recombine
    for done, result in enumerate(_write_all(plan.clips, by_name, output, options), 1):
        advance(done, total)
        if result.reason:
            report.dropped[result.id] = result.reason
            continue
        kept.append(result)
    real = _real_training_clips(plan.clips, kept, output)
    for done, (result, kind) in enumerate(_recombine(real, output, options), total - options.recombine + 1):
        advance(done, total)
        if result.reason:
            report.dropped[result.id] = result.reason
            continue
        report.recombined[kind] = report.recombined.get(kind, 0) + 1
        kept.append(result)
    if not any(clip.split == "train" for clip in kept):
        raise ValueError(f"{motions}: no clip is left for training ({_reasons(report)})")
    _write_splits(kept, output, report)
    train = (output / "train.txt").read_text(encoding="utf-8").split()
    features = (np.load(output / "new_joint_vecs" / f"{name}.npy", allow_pickle=False) for name in train)
    save_statistics(output, compute_statistics(features, skeleton))
    write_json(output / "report.json", {**asdict(report), "reasons": report.reasons()})
    return report


def _reasons(report: PrepareReport) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in report.reasons().items())


def _rate(source: MotionSource, fps: float) -> float:
    # Feature files carry the skeleton's own rate; --fps speaks of joints.
    skeleton = source.skeleton
    return skeleton.fps if skeleton is not None and len(source.shape) == 2 else fps


def _one_skeleton(
    sources: list[MotionSource], unreadable: dict[str, str]
) -> tuple[Skeleton, list[MotionSource]]:
    good = []
    for source in sources:
        if source.skeleton is None:
            unreadable[source.name] = "not a motion array"
        else:
            good.append(source)
    skeletons = {s.skeleton.name: s.skeleton for s in good if s.skeleton is not None}
    if len(skeletons) != 1:
        found = " and ".join(sorted(skeletons)) or "no motion array"
        raise ValueError(f"expected motions of one skeleton (humanml3d or kit), found {found}")
    return next(iter(skeletons.values())), good


def _fingerprint(sources: list[MotionSource], requests: list[ClipRequest], options: PrepareOptions) -> str:
    files = sorted(
        {(str(s.path.resolve()), s.path.stat().st_size, s.path.stat().st_mtime_ns) for s in sources}
    )
    facts = [files, [asdict(r) for r in requests], options.fps, options.mirror, options.val_fraction]
    if options.synthetic:
        facts += [options.synthetic, options.seed]
    if options.recombine:
        facts += ["recombine", options.recombine, options.seed]
    if options.wording:
        facts += ["wording", options.wording]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _claim(output: Path, fingerprint: str) -> None:
    """Make ``output`` ours, or refuse when it holds anything but this very preparation."""
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: a file, expected a folder to write the data set into")
    marker = output / FINGERPRINT
    if marker.is_file():
        if json.loads(marker.read_text(encoding="utf-8")).get("input") != fingerprint:
            raise ValueError(
                f"{output}: holds a data set prepared from other input, use --force to replace it"
            )
        return
    if output.is_dir() and any(output.iterdir()):
        raise ValueError(f"{output}: the folder is not empty, choose another --output")
    for folder in FOLDERS:
        (output / folder).mkdir(parents=True, exist_ok=True)
    write_json(marker, {"input": fingerprint})


def remove_prepared(output: Path) -> None:
    """Delete a data set that ``prepare`` wrote (and nothing else); does nothing where there is none."""
    if not (output / FINGERPRINT).is_file():
        return
    for folder in (*FOLDERS, TRUTH_FOLDER, WORDINGS):
        shutil.rmtree(output / folder, ignore_errors=True)
    for name in (*(f"{s}.txt" for s in (*SPLITS, "all")), "Mean.npy", "Std.npy", "report.json", FINGERPRINT):
        (output / name).unlink(missing_ok=True)


def _write_all(
    clips: list[ClipPlan], sources: dict[str, MotionSource], output: Path, options: PrepareOptions
) -> Iterator[Written]:
    ordered = sorted(clips, key=lambda clip: clip.motion)
    jobs: list[_MotionJob | SyntheticJob] = [
        (sources[name], list(group), output, options)
        for name, group in groupby(ordered, key=lambda clip: clip.motion)
    ]
    people = peoples_sentences(options.wording)
    jobs += synthetic_jobs(options.synthetic, options.seed, output, people)
    for results in in_parallel(_write_job, jobs, options.workers, jobs_at_once=4):
        yield from results


def _real_training_clips(clips: list[ClipPlan], kept: list[Written], output: Path) -> list[RealClip]:
    train = {written.id for written in kept if written.split == "train"}
    return [
        RealClip(clip.id, output / "new_joints" / f"{clip.id}.npy", clip.captions)
        for clip in clips
        if clip.id in train and clip.captions
    ]


def _recombine(real: list[RealClip], output: Path, options: PrepareOptions) -> Iterator[tuple[Written, str]]:
    """Write the recombined clips; the real ones must be there already."""
    jobs: list[RecombinationJob] = recombination_jobs(
        options.recombine, options.seed, options.mirror, real, output, TRUTH_FOLDER, options.workers
    )
    for results in in_parallel(write_recombined, jobs, options.workers):
        yield from results


def _write_job(job: _MotionJob | SyntheticJob) -> list[Written]:
    return write_synthetic(job) if isinstance(job, SyntheticJob) else _write_motion(job)


def _write_motion(job: _MotionJob) -> list[Written]:
    """Write all clips of one motion; a clip that is already there is only counted."""
    source, clips, output, options = job
    results = {clip.id: _already_there(clip, output, options) for clip in clips}
    missing = [clip for clip in clips if results[clip.id] is None]
    if missing:
        try:
            motion = source.load(options.fps)
        except (MotionFileError, OSError) as error:
            reason = "NaN or infinite numbers" if "NaN" in str(error) else "unreadable motion"
            return [Written(clip.id, clip.split, 0, reason=reason) for clip in clips]
        for clip in missing:
            results[clip.id] = _write_clip(clip, motion.joints, motion.fps, motion.skeleton, output, options)
    return [result for result in results.values() if result is not None]


def _already_there(clip: ClipPlan, output: Path, options: PrepareOptions) -> Written | None:
    frames = frames_written(clip.id, output)
    mirrored = _mirrored(clip, options)
    if frames is None or (mirrored and frames_written(f"M{clip.id}", output) is None):
        return None
    return Written(clip.id, clip.split, frames, len(clip.captions), mirrored)


def _mirrored(clip: ClipPlan, options: PrepareOptions) -> bool:
    # Held-out clips stay as they were recorded: their mirror images are no independent evidence.
    return options.mirror and clip.split == "train"


def _write_clip(
    clip: ClipPlan, joints: np.ndarray, fps: float, skeleton: Skeleton, output: Path, options: PrepareOptions
) -> Written:
    part = joints[round(clip.start * fps) : round(clip.end * fps)]
    part = resample(part, fps, skeleton.fps) if len(part) > 1 else part
    if len(part) < LEAST_FRAMES:
        return Written(clip.id, clip.split, 0, reason=f"shorter than {LEAST_FRAMES} frames")
    write_example(clip.id, part, clip.captions, skeleton, output)
    if _mirrored(clip, options):
        sentences = tuple(mirror_sentence(text) for text in clip.captions)
        write_example(f"M{clip.id}", mirror(part, skeleton), sentences, skeleton, output)
    return Written(clip.id, clip.split, len(part) - 1, len(clip.captions), _mirrored(clip, options))


def _write_splits(kept: list[Written], output: Path, report: PrepareReport) -> None:
    names: dict[str, list[str]] = {split: [] for split in SPLITS}
    mirrored: list[str] = []
    for clip in sorted(kept, key=lambda clip: clip.id):
        names[clip.split].append(clip.id)
        mirrored += [f"M{clip.id}"] if clip.mirrored else []
        report.frames[clip.split] = report.frames.get(clip.split, 0) + clip.frames
        report.captioned += bool(clip.captions)
        report.captions += clip.captions
    report.clips = {split: len(found) for split, found in names.items() if found}
    report.mirrored = len(mirrored)
    names["train"] += mirrored
    for split, found in names.items():
        if found:
            write_text(output / f"{split}.txt", "".join(f"{name}\n" for name in found))
    write_text(output / "all.txt", "".join(f"{name}\n" for found in names.values() for name in found))
