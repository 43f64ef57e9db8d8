"""``lamp score``: figures of generated motions, of models, and of motion files."""

from __future__ import annotations

import secrets
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..metrics.measurement import Measurement
from ..scoring.comparison import Change, Verdict, regressions
from ..scoring.figures import (
    BERTSCORE,
    CAPTIONS,
    METRICS,
    OF_MOTIONS,
    PHYSICS,
    PROTOCOLS,
    Report,
    ScoreOptions,
)
from ..scoring.report import (
    PICTURES,
    SUFFIXES,
    changes,
    drawable,
    read_report,
    require_suffix,
    row,
    sections,
    table,
    write_report,
)
from ..storage import free_path
from .common import UsageError, device_option, emit, note, progress, read_records

_PROTOCOL_HELP = (
    f"Where a figure has several ({', '.join(p for names in PROTOCOLS.values() for p in names)}); repeatable."
)


@dataclass(frozen=True)
class _Choice:
    """Networks by name, as the options give them."""

    model: str
    device: str
    evaluators: tuple[str, ...]
    encoder: str | None
    layer: int | None
    preset: str | None


def score_command(
    motions: Annotated[
        list[str] | None,
        typer.Argument(help="Motion files, for --physics and --reconstruction; - reads stdin."),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="JSON lines with text, motion and maybe ground_truth.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data set in the HumanML3D layout.")] = None,
    split: Annotated[str | None, typer.Option(help="Of --data; test when not given.")] = None,
    bertscore: Annotated[bool, typer.Option("--bertscore", help="LaMP-BertScore with its controls.")] = False,
    fid: Annotated[bool, typer.Option("--fid", help="FID.")] = False,
    diversity: Annotated[bool, typer.Option("--diversity", help="Diversity.")] = False,
    multimodality: Annotated[bool, typer.Option("--multimodality", help="MultiModality.")] = False,
    r_precision: Annotated[bool, typer.Option("--r-precision", help="R-precision top 1, 2, 3.")] = False,
    mm_dist: Annotated[bool, typer.Option("--mm-dist", help="MM-Dist.")] = False,
    retrieval: Annotated[bool, typer.Option("--retrieval", help="Retrieval, both directions.")] = False,
    captions: Annotated[bool, typer.Option("--captions", help="BLEU, ROUGE-L, CIDEr-D, BERTScore.")] = False,
    physics: Annotated[bool, typer.Option("--physics", help="Skate, penetration, jitter, bones.")] = False,
    reconstruction: Annotated[
        bool, typer.Option("--reconstruction", help="Of the motion tokenizer.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of these.")] = False,
    repetitions: Annotated[int, typer.Option(min=1, help="Loadings, generations, draws.")] = 20,
    protocol: Annotated[list[str] | None, typer.Option(help=_PROTOCOL_HELP)] = None,
    dissimilar: Annotated[
        Path | None, typer.Option(help="Ids, one per line, for retrieval's protocol of that name.")
    ] = None,
    evaluator: Annotated[
        list[str] | None, typer.Option(help="guo:PATH, lamp, or an evaluator's folder; repeatable.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--bertscore-encoder", help="Folder, hub name, or lamp.")
    ] = None,
    layer: Annotated[int | None, typer.Option("--bertscore-layer", min=0, help="Of the encoder.")] = None,
    preset: Annotated[
        str | None, typer.Option("--bertscore-preset", help="field: roberta-large, layer 17, rescaled.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many clips or pairs.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Of generated motions; not the default.")] = None,
    precision: Annotated[str, typer.Option(help="Of generator and BERTScore: fp32 or bf16.")] = "fp32",
    fps: Annotated[float | None, typer.Option(help="Frame rate of motion files that hold joints.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; drawn and printed when not given.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also to .csv, .md, .tex, .json or .jsonl.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the figures (.png, .svg, .pdf).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite --output and --plot.")] = False,
    baseline: Annotated[Path | None, typer.Option(help="Earlier JSON to compare with.")] = None,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit 1 when a figure got worse than --baseline.")
    ] = False,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Measure how good motions are and how well they say their texts, by the field's protocols."""
    asked = (bertscore, fid, diversity, r_precision, mm_dist, multimodality, retrieval, captions, physics)
    wanted = tuple(m for m, yes in zip(METRICS, (*asked, reconstruction), strict=True) if yes or everything)
    if not wanted:
        raise UsageError(f"no figure asked for; expected some of --{', --'.join(METRICS)}, or --all")
    _check_files(output, plot, baseline, fail_on_regression)
    earlier = None if baseline is None else read_report(baseline)
    files = [name for name in motions or [] if name != "-"]
    source = _source(files, "-" in (motions or []), pairs, data)
    if split is not None and data is None:
        raise UsageError(f"--split {split}: belongs to --data DIR, which is not given")
    drawn = secrets.randbelow(2**31) if seed is None else seed
    listed = () if dissimilar is None else tuple(dissimilar.read_text(encoding="utf-8").split())
    chosen = tuple(protocol or ())
    options = ScoreOptions(wanted, repetitions, drawn, chosen, limit, listed, guidance, precision)
    choice = _Choice(model, device, tuple(evaluator or ()), encoder, layer, preset)
    if source == "motions":
        report, name = _score_files(files, fps, options, choice, everything)
    else:
        report, name = _score_texts(source, pairs, data, split, options, choice, tell_seed=seed is None)
    _tell(report)
    if not report.measurements:
        raise UsageError("nothing could be measured")
    compared = [] if earlier is None else changes(report.measurements, earlier, wanted)
    _print(report, name, compared, as_json)
    if output is not None:
        write_report(_free(output, force), report.measurements, name, compared)
    if plot is not None:
        _draw(_free(plot, force), report, name, earlier, baseline)
    if fail_on_regression and (worse := regressions(compared)):
        count = f"{len(worse)} figure" if len(worse) == 1 else f"{len(worse)} figures"
        note(f"lamp: {count} got worse than {baseline}, or cannot be compared with it")
        raise typer.Exit(1)


def _check_files(output: Path | None, plot: Path | None, baseline: Path | None, fail: bool) -> None:
    """A wrong name must be told before hours of measuring."""
    if output is not None:
        require_suffix(output, "--output", SUFFIXES)
    if plot is not None:
        require_suffix(plot, "--plot", PICTURES)
    if fail and baseline is None:
        raise UsageError("--fail-on-regression: needs --baseline FILE to compare with")


def _free(path: Path, force: bool) -> Path:
    """The path itself, or the next free name, which is told."""
    free = free_path(path, force)
    if free != path:
        note(f"{path}: exists; written to {free}")
    return free


def _source(files: Sequence[str], dash: bool, pairs: Path | None, data: Path | None) -> str:
    """Where motions come from: ``motions``, ``pairs``, ``stdin``, ``data`` or ``sample``."""
    named = [name for name, given in (("motion files", files), ("--pairs", pairs), ("-", dash)) if given]
    if files and data is not None:
        named.append("--data")
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named[:2])}: expected one of them")
    if files:
        return "motions"
    if pairs is not None:
        return "pairs"
    if dash:
        return "stdin"
    if data is not None:
        return "data"
    return "stdin" if _is_piped() else "sample"


def _is_piped() -> bool:
    """True when something writes to stdin; a terminal and /dev/null (in CI) do not."""
    if sys.stdin.isatty():
        return False
    try:
        return not stat.S_ISCHR(Path(f"/dev/fd/{sys.stdin.fileno()}").stat().st_mode)
    except (OSError, ValueError):
        return True


def _score_files(
    files: Sequence[str], fps: float | None, options: ScoreOptions, choice: _Choice, everything: bool
) -> tuple[Report, str | None]:
    """Figures of motion files; the physical ones load no model and no torch."""
    from ..files.load import load_motions
    from ..scoring.motion import score_physics

    texts = [metric for metric in options.metrics if metric not in OF_MOTIONS]
    if texts and not everything:
        hint = "expected --pairs FILE, --data DIR, or lines of `lamp generate` on stdin"
        raise UsageError(f"--{texts[0]}: motion files have no texts; {hint}")
    found = (motion for name in files for motion in load_motions(Path(name), fps))
    if options.metrics == (PHYSICS,):
        return score_physics(found, "motions"), None

    from ..scoring.models import ModelChoice, Models
    from ..scoring.score import score_motions

    models = Models(ModelChoice(choice.model, device_option(choice.device), captioner=False))
    report = score_motions(found, models, options)
    return report, models.bundle.config.name


def _score_texts(
    source: str,
    pairs: Path | None,
    data: Path | None,
    split: str | None,
    options: ScoreOptions,
    choice: _Choice,
    tell_seed: bool,
) -> tuple[Report, str | None]:
    """Figures of motions with their sentences."""
    lines = _lines(source, pairs, options.limit)

    from ..scoring.bertscore_encoders import bertscore_setting
    from ..scoring.evaluators import require_evaluators
    from ..scoring.models import ModelChoice, Models
    from ..scoring.score import score_pairs, score_split
    from ..scoring.sources import GivenPairs, open_split, sample_split

    reader, layer, config = bertscore_setting(choice.encoder, choice.layer, choice.preset)
    require_evaluators(choice.evaluators)
    on = device_option(choice.device)
    captioner = options.wants(BERTSCORE, CAPTIONS)
    models = Models(
        ModelChoice(choice.model, on, choice.evaluators, reader, layer, config, captioner, options.precision)
    )
    opened = None if data is None else open_split(data, split or "test", None if lines else options.limit)
    if not lines:
        opened = opened or sample_split(options.limit)
    if tell_seed:
        note(f"seed {options.seed}")
    if lines:
        return score_pairs(GivenPairs(lines, opened), models, options, progress), models.name
    assert opened is not None
    return score_split(opened, models, options, progress), models.name


def _lines(source: str, pairs: Path | None, limit: int | None) -> list[Any]:
    """The lines of a manifest or of stdin; none where motions are generated."""
    if source not in ("pairs", "stdin"):
        return []
    from ..scoring.lines import line_of_record

    where = "stdin" if pairs is None else str(pairs)
    if pairs is None:
        records = list(read_records(sys.stdin, "motion", where))
    else:
        with pairs.open(encoding="utf-8", errors="replace") as file:
            records = list(read_records(file, "motion", where))
    if not records:
        raise UsageError(f"{where}: no pair of text and motion; the input is empty")
    folder = None if pairs is None else pairs.parent
    return [line_of_record(record, where, folder) for record in records[:limit]]


def _tell(report: Report) -> None:
    for sentence in report.notes:
        note(sentence)
    for sentence in report.refusals:
        note(f"not measured: {sentence}")


def _print(report: Report, model: str | None, compared: Sequence[Change], as_json: bool) -> None:
    """JSON lines when piped or asked for; a table where people look."""
    by_figure = {id(change.now): change for change in compared if change.now is not None}
    lines = as_json or not sys.stdout.isatty()
    if lines:
        for measurement in report.measurements:
            emit(row(measurement, model, by_figure.get(id(measurement))), "", True)
    for change in compared:
        if change.verdict is Verdict.GONE and change.earlier is not None:
            gone = change.earlier
            note(f"gone since the baseline: {gone.metric} ({gone.protocol}, {gone.subject})")
    if not lines or sys.stderr.isatty():
        _show_table(report.measurements, compared, on_stderr=lines)


def _show_table(measurements: Sequence[Measurement], compared: Sequence[Change], on_stderr: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=on_stderr, markup=False, highlight=False)
    for title, shown in sections(table(measurements, compared)):
        drawn = Table(*shown.head, box=SIMPLE_HEAD, pad_edge=False)
        for line in shown.rows:
            drawn.add_row(*line)
        console.print(title, style="bold")
        console.print(drawn)


def _draw(
    path: Path, report: Report, model: str | None, earlier: list[Measurement] | None, baseline: Path | None
) -> None:
    from ..scoring.plots import Picture, draw

    name = model or "now"
    kept = drawable(report.measurements)
    if not kept and report.heatmap is None:
        kept = report.measurements
    runs = {name: kept} if kept else {}
    if earlier is not None and baseline is not None:
        earlier_name = baseline.stem if baseline.stem != name else f"{name} (earlier)"
        runs = {name: report.measurements, earlier_name: earlier}
    draw(Picture(report.heatmap, report.recalls or None, runs or None), path)
