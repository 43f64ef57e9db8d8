"""HumanML3D from what anyone may download: its texts and its index, and the takes that the index names.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, and its
repository: ``index.csv`` gives each clip its take and its frames at 20 per second, ``texts/`` its sentences,
``train.txt``, ``val.txt`` and ``test.txt`` its split. The takes may be AMASS archives, or those of CMU, HDM05
and ACCAD as they were recorded (AMC, BVH). What is missing is counted by its reason.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

import numpy as np

from ...files.load import motion_of_file
from ...files.reading import Reading
from ...language.mirror import mirror_sentence
from ...motion.motion import Motion
from ...motion.skeleton import HUMANML3D
from ...motion.transform import mirror
from ...processes import in_parallel
from ...storage import read_text_file, write_json
from ..captions import Caption, format_captions, parse_captions
from ..examples import WrittenExample, write_example_with_text, written_example
from .clip_spans import CAPTIONED_SHARE, LEAST_FRAMES
from .prepare import SPLITS, claim_folder, facts_of_files, write_lists

NAME = "humanml3d"
INDEX = "index.csv"
COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")
# Seconds that the field cuts off the beginning of every take of a corpus, in which people stand in a T-pose.
CUT_SECONDS = {
    "Eyes_Japan_Dataset": 3.0,
    "MPI_HDM05": 3.0,
    "TotalCapture": 1.0,
    "MPI_Limits": 1.0,
    "Transitions_mocap": 0.5,
}
# Of takes that are there in several formats, the first; bodies of AMASS are exact only with a body model.
PREFERRED = (".amc", ".bvh", ".npz", ".npy")
PREFERRED_WITH_BODIES = (".npz", ".amc", ".bvh", ".npy")
# Names of one take in two spellings ("cresent", "Crescent") are this much alike.
LIKE_NAMES = 0.8


@dataclass(frozen=True)
class IndexedClip:
    """A row of ``index.csv``.

    id: of the clip.
    source: path of its take in AMASS, such as ``CMU/01/01_01_poses``.
    start: first frame at 20 frames per second, after the corpus's cut.
    end: frame after the last one; negative: the take's last but that many.
    """

    id: str
    source: str
    start: int
    end: int

    @property
    def corpus(self) -> str:
        """The part of AMASS that its take is of."""
        return self.source.split("/")[0]


@dataclass
class HumanML3DReport:
    """What became of the index.

    clips: clips by split, mirrored ones among them.
    frames: feature frames by split.
    captions: sentences of all clips.
    missing: clips that are not there, by reason.
    notes: takes by what was assumed of them, or repaired when this call read them.
    """

    clips: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    captions: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def miss(self, reason: str) -> None:
        """Count a clip that is not there."""
        self.missing[reason] = self.missing.get(reason, 0) + 1


@dataclass(frozen=True)
class TakeJob:
    """A take, the clips of it to write with the text files of each and of its mirror image, and where to."""

    path: Path
    clips: tuple[tuple[IndexedClip, Path, Path], ...]
    reading: Reading
    output: Path


def prepare_humanml3d(
    mocap: Path,
    texts: Path,
    output: Path,
    reading: Reading,
    val_fraction: float,
    workers: int,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> HumanML3DReport:
    """Write every clip of HumanML3D whose take is in ``mocap`` into ``output``, and its mirror image.

    ``texts`` is the folder of sentences or one that holds it, ``index.csv`` and the lists of splits, as
    HumanML3D's repository does; without lists ``val_fraction`` of the takes is held out. A second call goes
    on where the first stopped. Raises ``ValueError`` when something of it is missing, or no take is there.
    """
    sentences, index = _folder_of_texts(texts), read_index(_beside(texts, INDEX))
    found = TakeFiles(mocap, reading.body_models is not None)
    report = HumanML3DReport()
    jobs: dict[Path, list[tuple[IndexedClip, Path, Path]]] = {}
    for clip in index:
        path = found.of(clip.source)
        text = sentences / f"{clip.id}.txt"
        if path is None:
            report.miss(f"take of {clip.corpus} not there")
        elif not text.is_file():
            report.miss("no text")
        else:
            jobs.setdefault(path, []).append((clip, text, sentences / f"M{clip.id}.txt"))
    if not jobs:
        raise ValueError(f"{mocap}: no take that {INDEX} names is in it, such as {index[0].source}")
    splits = _splits(texts, jobs, val_fraction)
    clips = sorted(astuple(clip) for clips in jobs.values() for clip, *_ in clips)
    claim_folder(output, [NAME, facts_of_files(jobs), clips, reading.fps, *reading.facts(), splits])
    every = [TakeJob(path, tuple(clips), reading, output) for path, clips in sorted(jobs.items())]
    kept: dict[str, WrittenExample] = {}
    for done, results in enumerate(in_parallel(_write_take, every, workers), 1):
        advance(done, len(every))
        for written in results:
            for sentence in written.notes:
                report.notes[sentence] = report.notes.get(sentence, 0) + 1
            if written.reason:
                report.miss(written.reason)
            else:
                kept[written.id] = written
    _write_lists(splits, kept, output, report)
    write_json(output / "report.json", asdict(report))
    return report


def read_index(path: Path) -> list[IndexedClip]:
    """The rows of ``index.csv``; raises ``ValueError`` that names file and line for anything else."""
    rows = csv.DictReader(read_text_file(path).splitlines())
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}")
    clips = []
    for number, row in enumerate(rows, 2):
        try:
            source = re.sub(r"^(\./)?(pose_data/)?|\.npy$", "", row["source_path"])
            frames = int(row["start_frame"]), int(row["end_frame"])
            clips.append(IndexedClip(Path(row["new_name"]).stem, source, *frames))
        except (TypeError, ValueError):
            raise ValueError(f"{path}, line {number}: expected a path, two frames and a name") from None
    if not clips:
        raise ValueError(f"{path}: names no clip")
    return clips


class TakeFiles:
    """The motion files of a folder, by the takes of AMASS that they are."""

    def __init__(self, folder: Path, with_bodies: bool = False) -> None:
        order = PREFERRED_WITH_BODIES if with_bodies else PREFERRED
        self._files: dict[str, Path] = {}
        self._accad: dict[str, dict[str, Path]] = {}
        found = (path for path in folder.rglob("*") if path.suffix.lower() in order and path.is_file())
        for path in sorted(found, key=lambda path: (order.index(path.suffix.lower()), str(path))):
            for key in _keys(path.parent.name, path.stem):
                self._files.setdefault(key, path)
            if (take := _accad_take("", path.stem)) is not None:
                self._accad.setdefault(take[0], {}).setdefault(take[1], path)

    def of(self, source: str) -> Path | None:
        """The file of a take, None when there is none."""
        folder, _, stem = source.rpartition("/")
        for key in _keys(folder.rpartition("/")[2], stem, source.split("/")[0]):
            if key in self._files:
                return self._files[key]
        take = _accad_take(folder.rpartition("/")[2], stem) if source.startswith("ACCAD/") else None
        if take is None:
            return None
        # Numbers within a name ("turn left 45", "swing t2") tell takes apart.
        named = {
            name: path
            for name, path in self._accad.get(take[0], {}).items()
            if re.findall(r"\d+", name) == re.findall(r"\d+", take[1])
        }
        close = difflib.get_close_matches(take[1], named, n=1, cutoff=LIKE_NAMES)
        return named[close[0]] if close else None


def _keys(folder: str, stem: str, corpus: str = "") -> Iterator[str]:
    """What a take may be known by: CMU's number, HDM05's name, or AMASS's folder and name.

    ``corpus`` is AMASS's where it is known, empty for a file.
    """
    plain = re.sub(r"_(poses|stageii)$", "", stem)
    number = re.search(r"(?:^|[^\d-])(\d{2,3}_\d{2,3})$", plain)
    if number and corpus in ("", "CMU") and not plain.upper().startswith("HDM_"):
        yield f"CMU:{number[1]}"
    if plain.upper().startswith("HDM_") and corpus in ("", "MPI_HDM05"):
        yield f"MPI_HDM05:{_letters_and_digits(plain)}"
    yield f"AMASS:{_letters_and_digits(folder)}/{_letters_and_digits(plain)}"


def _accad_take(folder: str, stem: str) -> tuple[str, str] | None:
    """Subject and number, such as ``male2 e12``, and name of a take of ACCAD; None for another.

    AMASS has the subject in the folder's name (``Male2MartialArtsPunches_c3d/E12 - backfist right_poses``),
    ACCAD's own files in their own (``Male2_E12_BackfistRight``).
    """
    plain = re.sub(r"_(poses|stageii)$", "", stem)
    own = re.fullmatch(r"(?:.*_)?((?:Fem|M)ale\d)_(.+)", plain, flags=re.IGNORECASE)
    subject = re.match(r"(?:Fem|M)ale\d", folder, flags=re.IGNORECASE)
    # The folder of martial arts without a subject is Male2's.
    who = own[1] if own else subject[0] if subject else "Male2" if folder.startswith("MartialArts") else ""
    name = re.sub(r"^(General|Walk|Run)\s+(?=[A-Z]\d)", "", own[2] if own else plain)
    number = re.match(r"([A-Z])0*(\d+)[\s_-]*(.*)", name)
    if not who:
        return None
    if number is None:
        return f"{who.lower()} ", _letters_and_digits(name)
    return f"{who.lower()} {number[1].lower()}{number[2]}", _letters_and_digits(number[3])


def _letters_and_digits(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _folder_of_texts(folder: Path) -> Path:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected HumanML3D's texts")
    for place in (folder, folder / "texts", folder / "HumanML3D" / "texts"):
        if place.is_dir() and next(place.glob("*.txt"), None) is not None and place.name == "texts":
            return place
    if next(folder.glob("[0-9]*.txt"), None) is not None:
        return folder
    raise ValueError(f"{folder}: expected HumanML3D's texts (000000.txt ...) in it or in its folder texts")


def _beside(texts: Path, name: str) -> Path:
    """A file of HumanML3D's repository: in the folder that was named, above it, or in its ``HumanML3D``."""
    folder = texts.resolve()
    places = [folder, folder / "HumanML3D", folder.parent, folder.parent.parent]
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        raise ValueError(f"{texts}: {name} is missing; expected HumanML3D's in that folder or above it")
    return path


def _splits(
    texts: Path, jobs: Mapping[Path, list[tuple[IndexedClip, Path, Path]]], val_fraction: float
) -> dict[str, list[str]]:
    """Names of clips by split, in the lists' order."""
    try:
        return {split: read_text_file(_beside(texts, f"{split}.txt")).split() for split in SPLITS}
    except ValueError:
        by_take = sorted(jobs, key=lambda path: hashlib.sha256(path.stem.encode()).hexdigest())
    held_out = set(by_take[: round(val_fraction * len(by_take))])
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    for path, clips in jobs.items():
        found["val" if path in held_out else "train"] += [c.id for c, *_ in clips]
    return {split: sorted(names) + [f"M{name}" for name in sorted(names)] for split, names in found.items()}


def _write_take(job: TakeJob) -> list[WrittenExample]:
    """Write the clips of one take and their mirror images; those that are there already are only counted."""
    results: list[WrittenExample] = []
    missing = []
    for entry in job.clips:
        written = [written_example(f"{prefix}{entry[0].id}", job.output) for prefix in ("", "M")]
        if None in written:
            missing.append(entry)
        else:
            results += filter(None, written)
    if not missing:
        return results
    try:
        motion = motion_of_file(job.path, job.reading)
    except (ValueError, OSError) as error:
        reason = "unreadable take: " + str(error).removeprefix(f"{job.path}: ")
        return results + [WrittenExample(clip.id, "", 0, reason=reason) for clip, *_ in missing]
    joints = joints_of_index(motion, job.path)
    notes = motion.notes
    for clip, text, mirrored_text in missing:
        part = clip_of_take(joints, clip)
        if part is None:
            results.append(WrittenExample(clip.id, "", 0, reason="times beyond the take"))
            continue
        results += _write_pair(clip, part, text, mirrored_text, job.output, notes)
        notes = ()
    return results


def joints_of_index(motion: Motion, path: Path) -> np.ndarray:
    """The joints (T, 22, 3) whose frames the index counts.

    Of AMASS's own archives the field keeps every n-th frame, n rounded down, so that 250 frames per second
    become 20.8; what was recorded at another rate than AMASS has it is brought to 20.
    """
    if path.suffix.lower() == ".npz" and motion.fps > HUMANML3D.fps:
        return motion.joints[:: int(motion.fps / HUMANML3D.fps)]
    return motion.joints_at(HUMANML3D.fps)


def clip_of_take(joints: np.ndarray, clip: IndexedClip) -> np.ndarray | None:
    """The frames (T, 22, 3) of a clip; None where too few of them lie within the take."""
    rest = joints[round(CUT_SECONDS.get(clip.corpus, 0.0) * HUMANML3D.fps) :]
    part = rest[clip.start : clip.end]
    asked = clip.end - clip.start if clip.end > 0 else len(part)
    return part if len(part) >= max(LEAST_FRAMES, CAPTIONED_SHARE * asked) else None


def _write_pair(
    clip: IndexedClip, part: np.ndarray, text: Path, mirrored_text: Path, output: Path, notes: tuple[str, ...]
) -> Iterator[WrittenExample]:
    """A clip with its text file as it is, and its image, with the field's own text where there is one."""
    captions = parse_captions(read_text_file(text))
    images = [Caption(mirror_sentence(c.text), (), c.start, c.end) for c in captions]
    of_image = read_text_file(mirrored_text) if mirrored_text.is_file() else format_captions(images)
    written = write_example_with_text(clip.id, part, read_text_file(text), HUMANML3D, output)
    yield replace(written, notes=notes)
    yield write_example_with_text(f"M{clip.id}", mirror(part, HUMANML3D), of_image, HUMANML3D, output)


def _write_lists(
    splits: dict[str, list[str]], kept: Mapping[str, WrittenExample], output: Path, report: HumanML3DReport
) -> None:
    """The lists of what is there, the statistics of the training clips, and the report's counts."""
    present = {split: [name for name in names if name in kept] for split, names in splits.items()}
    if not present["train"]:
        raise ValueError(f"{output}: no training clip of HumanML3D could be made ({report.missing})")
    for split, names in present.items():
        report.clips[split] = len(names)
        report.frames[split] = sum(kept[name].frames for name in names)
        report.captions += sum(kept[name].captions for name in names)
    write_lists(present, HUMANML3D, output)
