"""``prepare``: motions plus captions become a data set in the field's folder layout.

Each clip is written whole, its text file last, so that a run that was killed goes on where it
stopped. Knows the layout and the plan; ``layout`` reads what is written here.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import chain, groupby
from pathlib import Path

from ...files.arrays import MotionFileError
from ...files.reading import AS_STORED, Reading
from ...language.mirror import mirror_sentence
from ...motion.motion import Motion
from ...motion.skeleton import HUMANML3D, Skeleton
from ...motion.transform import mirror, resample
from ...processes import in_parallel
from ...storage import load_array, write_json, write_text
from ...synthetic.corpus import LabelMeaning, RealClip, meaning_of_label, peoples_sentences
from ..examples import FOLDERS, WrittenExample, write_example, written_example
from ..layout import PARTS, WORDINGS
from ..statistics import compute_statistics, save_statistics
from .caption_files import ClipRequest
from .clip_spans import LEAST_FRAMES, ClipPlan, motion_named, plan_clips
from .quarantine import (
    QUARANTINE,
    copies_of,
    of_originals,
    sound_requests,
    stands_still,
    write_quarantine,
)
from .recombined import recombination_jobs, write_recombined
from .synthetic import FOLDER as TRUTH_FOLDER
from .synthetic import SyntheticJob, synthetic_jobs, write_synthetic
from .takes import MotionSource, find_sources

FINGERPRINT = "prepare.json"
# Raised when the same input gives other clips, so that a run does not go on where an older program stopped.
PLAN_VERSION = 4
SPLITS = ("train", "val", "test")
REPORTS = ("report.json", QUARANTINE)

_MotionJob = tuple[MotionSource, float | None, list[ClipPlan], Path, "PrepareOptions"]


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare; raises ``ValueError`` for numbers out of range.

    reading: how motion files are read; its rate is that of joint files that name none.
    mirror: add the mirrored copy of every training clip (default True).
    val_fraction: share of the captioned motions held out whole for validation, where no caption names a
        split, 0 to 0.5 (default 0.1).
    workers: processes that run in parallel (default 1).
    synthetic: number of made-up clips that join the data set (default 0).
    seed: seed of made-up and recombined clips (default 0).
    recombine: number of clips made of the real training clips (default 0).
    wording: people's sentences; those that are true of a made-up clip join its own (default none).
    test: names of motions that go to the test split, with * for any letters (default none).
    """

    reading: Reading = AS_STORED
    mirror: bool = True
    val_fraction: float = 0.1
    workers: int = 1
    synthetic: int = 0
    seed: int = 0
    recombine: int = 0
    wording: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
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
    """What became of the input.

    clips: clips by split; recombined ones are among them.
    frames: feature frames by split.
    mirrored: mirrored copies of training clips.
    captioned: clips with captions.
    captions: captions of all clips.
    trimmed: training clips that lost the seconds of held-out ones.
    windowed: clips over ten seconds, cut into windows.
    captions_left_out: captions of clips whose pieces are too short for them to be true of.
    labels: captions that were a corpus's short labels, in whose place sentences stand.
    captions_quarantined: captions that are none to learn from, by reason.
    recombined: clips made of real training clips, by kind.
    dropped: the reason for each clip or file left out.
    notes: motions by what was assumed of them, or repaired when this call read them.
    """

    clips: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    mirrored: int = 0
    captioned: int = 0
    captions: int = 0
    trimmed: int = 0
    windowed: int = 0
    captions_left_out: int = 0
    labels: int = 0
    captions_quarantined: dict[str, int] = field(default_factory=dict)
    recombined: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

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
    sources, unreadable = (
        ([], {}) if motions is None else find_sources(motions, output, options.reading, options.workers)
    )
    unreadable |= {source.name: "not a motion array" for source in sources if source.shape is None}
    sources = [source for source in sources if source.shape is not None]
    skeleton = HUMANML3D if motions is None else _one_skeleton(sources)
    requests, captions_left_out = sound_requests(requests)
    if options.recombine and motions is None:
        raise ValueError("recombined clips are made of real ones; expected motions")
    if options.recombine and skeleton is not HUMANML3D:
        raise ValueError(f"recombined clips have humanml3d's skeleton, {motions} has {skeleton.name}'s")
    if options.synthetic and skeleton is not HUMANML3D:
        raise ValueError(f"synthetic clips have humanml3d's skeleton, {motions} has {skeleton.name}'s")
    by_name = {source.name: source for source in sources}
    _require_captioned(requests, by_name, motions)
    _require_test_motions(options.test, by_name, motions)
    copies = copies_of(sources)
    named = [replace(request, motion=motion_named(request.motion, by_name)) for request in requests]
    requests = of_originals(named, copies)
    sources = [source for source in sources if source.name not in copies]
    by_name = {source.name: source for source in sources}
    given = _frame_rates(by_name, requests, options)
    rates = {name: fps or skeleton.fps for name, fps in given.items()}
    seconds = {
        name: source.shape.frames / rates[name]
        for name, source in by_name.items()
        if source.shape is not None
    }
    told = [_in_sentences(request) for request in requests]
    made_up = [f"S{number:06d}" for number in range(options.synthetic)]
    made_up += [f"R{number:06d}" for number in range(options.recombine)]
    # A motion is for testing where any of its copies is.
    of_copies = (copies[name] for name in copies if any(fnmatchcase(name, each) for each in options.test))
    test = (*options.test, *map(glob.escape, of_copies))
    plan = plan_clips(told, seconds, skeleton.fps, options.val_fraction, made_up, test)
    claim_folder(output, _facts(sources, told, options))

    without_rate = sum(fps is None for fps in given.values())
    report = PrepareReport(
        trimmed=plan.trimmed,
        windowed=plan.windowed,
        captions_left_out=plan.captions_left_out,
        labels=sum(meaning_of_label(text) is not None for r in requests for text in r.captions),
        # Of a motion that cannot be read the file's reason, not that its captions find no motion.
        dropped={**plan.dropped, **unreadable, **dict.fromkeys(copies, "copy of another motion")},
        captions_quarantined=dict(Counter(each.reason for each in captions_left_out)),
        notes={f"no frame rate given, {skeleton.fps:g} frames per second assumed (--fps)": without_rate}
        if without_rate
        else {},
    )
    assumed = set(report.notes)
    kept: list[WrittenExample] = []
    total = len(plan.clips) + options.synthetic + options.recombine
    for done, result in enumerate(_write_all(plan.clips, by_name, given, output, options), 1):
        advance(done, total)
        for note in set(result.notes) - assumed:
            report.notes[note] = report.notes.get(note, 0) + 1
        if result.reason:
            report.dropped[result.id] = result.reason
            continue
        kept.append(result)
    real = _real_training_clips(plan.clips, kept, output)
    jobs = recombination_jobs(options.recombine, options.seed, options.mirror, real, output, options.workers)
    recombined = chain.from_iterable(in_parallel(write_recombined, jobs, options.workers))
    for done, (result, kind) in enumerate(recombined, total - options.recombine + 1):
        advance(done, total)
        if result.reason:
            report.dropped[result.id] = result.reason
            continue
        report.recombined[kind] = report.recombined.get(kind, 0) + 1
        kept.append(result)
    if not any(clip.split == "train" for clip in kept):
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons().items())
        raise ValueError(f"{motions}: no clip is left for training ({reasons})")
    write_lists(_names_by_split(kept, report), skeleton, output)
    write_quarantine(output, report.dropped, captions_left_out)
    write_json(output / "report.json", {**asdict(report), "reasons": report.reasons()})
    return report


def _require_captioned(
    requests: list[ClipRequest], sources: Mapping[str, MotionSource], motions: Path | None
) -> None:
    if requests and sources and all(motion_named(r.motion, sources) not in sources for r in requests):
        raise ValueError(
            f"{motions}: none of the {len(requests)} captioned motions is in it, such as "
            f"{requests[0].motion!r}; expected names such as {next(iter(sources))!r}"
        )


def _require_test_motions(patterns: Sequence[str], names: Iterable[str], motions: Path | None) -> None:
    every = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in every):
            raise ValueError(f"test {pattern}: expected the name of motions in {motions}")


def _in_sentences(request: ClipRequest) -> ClipRequest:
    """The request with sentences in the place of captions that are a corpus's short labels."""
    meanings = [meaning_of_label(text) or LabelMeaning((text,)) for text in request.captions]
    sentences = tuple(dict.fromkeys(text for meaning in meanings for text in meaning.sentences))
    steady = bool(sentences) and all(meaning.steady for meaning in meanings if meaning.sentences)
    return replace(request, captions=sentences, steady=request.steady or steady)


def _frame_rates(
    sources: Mapping[str, MotionSource], requests: list[ClipRequest], options: PrepareOptions
) -> dict[str, float | None]:
    """Frames per second by motion, of its caption line, its archive or the option; None where none is given.

    Features carry the skeleton's own rate. Raises ``ValueError`` when two lines name two rates.
    """
    named: dict[str, float] = {}
    for request in requests:
        name = motion_named(request.motion, sources)
        if request.fps is not None and named.setdefault(name, request.fps) != request.fps:
            raise ValueError(f"{name}: captions give {named[name]:g} and {request.fps:g} frames per second")
    return {
        name: source.shape.skeleton.fps
        if source.shape is not None and source.shape.holds_features
        else named.get(name) or source.fps or options.reading.fps
        for name, source in sources.items()
    }


def _one_skeleton(sources: list[MotionSource]) -> Skeleton:
    skeletons = {s.shape.skeleton.name: s.shape.skeleton for s in sources if s.shape is not None}
    if len(skeletons) != 1:
        found = " and ".join(sorted(skeletons)) or "no motion array"
        raise ValueError(f"expected motions of one skeleton (humanml3d or kit), found {found}")
    return next(iter(skeletons.values()))


def _facts(sources: list[MotionSource], requests: list[ClipRequest], options: PrepareOptions) -> list[object]:
    facts = [
        PLAN_VERSION,
        facts_of_files({source.path for source in sources}),
        [asdict(r) for r in requests],
        options.reading.fps,
        options.mirror,
        options.val_fraction,
    ]
    facts += options.reading.facts()
    if options.test:
        facts += ["test", options.test]
    if options.synthetic:
        facts += [options.synthetic, options.seed]
    if options.recombine:
        facts += ["recombine", options.recombine, options.seed]
    if options.wording:
        facts += ["wording", options.wording]
    return facts


def facts_of_files(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Place, size and time of files, which tell whether they are the same as before.

    Of a file that is gone since it was found size and time are those of none.
    """
    return sorted((str(path.resolve()), *_size_and_time(path)) for path in paths)


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return -1, -1
    return state.st_size, state.st_mtime_ns


def claim_folder(output: Path, facts: list[object]) -> None:
    """Make ``output`` ours, or refuse when it holds anything but the preparation that ``facts`` decide."""
    fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
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
    for folder in (*FOLDERS, TRUTH_FOLDER, WORDINGS, PARTS):
        shutil.rmtree(output / folder, ignore_errors=True)
    for name in (*(f"{s}.txt" for s in (*SPLITS, "all")), "Mean.npy", "Std.npy", *REPORTS, FINGERPRINT):
        (output / name).unlink(missing_ok=True)


def _write_all(
    clips: list[ClipPlan],
    sources: Mapping[str, MotionSource],
    rates: Mapping[str, float | None],
    output: Path,
    options: PrepareOptions,
) -> Iterator[WrittenExample]:
    ordered = sorted(clips, key=lambda clip: clip.motion)
    jobs: list[_MotionJob | SyntheticJob] = [
        (sources[name], rates[name], list(group), output, options)
        for name, group in groupby(ordered, key=lambda clip: clip.motion)
    ]
    people = peoples_sentences(options.wording)
    jobs += synthetic_jobs(options.synthetic, options.seed, output, people)
    return chain.from_iterable(in_parallel(_write_job, jobs, options.workers, jobs_at_once=4))


def _real_training_clips(clips: list[ClipPlan], kept: list[WrittenExample], output: Path) -> list[RealClip]:
    train = {written.id for written in kept if written.split == "train"}
    return [
        RealClip(clip.id, output / "new_joints" / f"{clip.id}.npy", clip.captions)
        for clip in clips
        if clip.id in train and clip.captions
    ]


def _write_job(job: _MotionJob | SyntheticJob) -> list[WrittenExample]:
    return write_synthetic(job) if isinstance(job, SyntheticJob) else _write_motion(job)


def _write_motion(job: _MotionJob) -> list[WrittenExample]:
    """Write all clips of one motion; a clip that is already there is only counted."""
    source, fps, clips, output, options = job
    results = {clip.id: _already_there(clip, output, options) for clip in clips}
    missing = [clip for clip in clips if results[clip.id] is None]
    if missing:
        try:
            motion = source.load(fps)
        except MotionFileError as error:
            return [WrittenExample(clip.id, clip.split, 0, reason=str(error)) for clip in clips]
        written = [_write_clip(clip, motion, output, options) for clip in missing]
        # Once for the motion, not for each of its clips.
        written[0] = replace(written[0], notes=motion.notes)
        results |= {each.id: each for each in written}
    return [result for result in results.values() if result is not None]


def _already_there(clip: ClipPlan, output: Path, options: PrepareOptions) -> WrittenExample | None:
    written, mirrored = written_example(clip.id, output, clip.split), _mirrored(clip, options)
    if written is None or (mirrored and written_example(f"M{clip.id}", output) is None):
        return None
    return replace(written, mirrored=mirrored)


def _mirrored(clip: ClipPlan, options: PrepareOptions) -> bool:
    # Held-out clips stay as they were recorded: their mirror images are no independent evidence.
    return options.mirror and clip.split == "train"


def _write_clip(clip: ClipPlan, motion: Motion, output: Path, options: PrepareOptions) -> WrittenExample:
    fps, skeleton = motion.fps, motion.skeleton
    part = motion.joints[round(clip.start * fps) : round(clip.end * fps)]
    part = resample(part, fps, skeleton.fps) if len(part) > 1 else part
    if len(part) < LEAST_FRAMES:
        return WrittenExample(clip.id, clip.split, 0, reason=f"shorter than {LEAST_FRAMES} frames")
    if stands_still(part):
        return WrittenExample(clip.id, clip.split, 0, reason="nothing moves: one pose in every frame")
    written = write_example(clip.id, part, clip.captions, skeleton, output, clip.split)
    if not _mirrored(clip, options):
        return written
    sentences = tuple(mirror_sentence(text) for text in clip.captions)
    write_example(f"M{clip.id}", mirror(part, skeleton), sentences, skeleton, output)
    return replace(written, mirrored=True)


def _names_by_split(kept: list[WrittenExample], report: PrepareReport) -> dict[str, list[str]]:
    """The clips of every split that has some, mirror images last; the report gets their counts."""
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
    return {split: found for split, found in names.items() if found}


def write_lists(names: Mapping[str, list[str]], skeleton: Skeleton, output: Path) -> None:
    """Write the list of each split's clips and of all, and the statistics of those for training."""
    every = [name for found in names.values() for name in found]
    for split, found in {**names, "all": every}.items():
        write_text(output / f"{split}.txt", "".join(f"{name}\n" for name in found))
    vectors = (output / "new_joint_vecs" / f"{name}.npy" for name in names["train"])
    save_statistics(output, compute_statistics(map(load_array, vectors), skeleton))
