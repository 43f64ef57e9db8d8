"""``lamp score``: figures of generated motions, of models, and of motion files."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..inference.precision import check_precision
from ..scoring.comparison import Verdict, regressions, sentence
from ..scoring.figures import (
    BERTSCORE,
    CAPTIONS,
    CONTRASTS,
    EDITS,
    MATCHING,
    METRICS,
    MULTIMODALITY,
    OF_GENERATED,
    OF_MOTIONS,
    OF_SPANS,
    PHYSICS,
    PROTOCOLS,
    RETRIEVAL,
    SEQUENCES,
    Report,
    ScoreOptions,
)
from ..scoring.lines import Line
from ..scoring.report import (
    PICTURES,
    SUFFIXES,
    changes,
    read_report,
    require_suffix,
    write_report,
)
from .common import UsageError, device_option, motion_notes, note
from .files import OutputFiles, require_writable
from .inputs import (
    BodyModels,
    JointMap,
    Skipped,
    reading_option,
)
from .progress import progress
from .score_audit import WITH_AUDIT, AuditRequest, run_audit
from .score_moments import WITH_MOMENTS, run_moments
from .score_print import draw_report, note_report, print_report
from .score_source import ScoredFile, ScoreSource, score_source, stdin_is_waiting

if TYPE_CHECKING:
    from ..files.reading import Reading
    from ..motion.motion import Motion
    from ..scoring.models import Models
    from ..scoring.scored_motions import Split

_PROTOCOL_HELP = "; ".join(f"of {metric}: {', '.join(names)}" for metric, names in PROTOCOLS.items())
# Options whose name is not their parameter's.
_OPTIONS = {name: f"bertscore-{name}" for name in ("encoder", "layer", "preset")}
_OPTIONS |= {"body_models": "body-models", "joint_map": "map", "top_fraction": "top-fraction"}
_OF_SAMPLING = ("candidates", "guidance", "steps", "temperature", "top_fraction")


@dataclass(frozen=True)
class _Reader:
    """How motion files are read.

    reading: what they are told; a line may name the rate of its file.
    skipped: where files that cannot be read are named.
    show: shows what the reader of a motion assumed.
    """

    reading: Reading
    skipped: Skipped
    show: Callable[[Motion], None]


def score_command(
    context: typer.Context,
    motions: Annotated[
        list[str] | None,
        typer.Argument(help="Motion files or folders, for --physics and --reconstruction; - reads stdin."),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders within folders too.")] = False,
    pairs: Annotated[
        Path | None, typer.Option(help="JSON lines with text, motion and maybe ground_truth; - reads stdin.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data set in the HumanML3D layout; beside pairs, where true motions are."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of --data; test when not given.")] = None,
    bertscore: Annotated[bool, typer.Option("--bertscore", help="LaMP-BertScore with its controls.")] = False,
    fid: Annotated[bool, typer.Option("--fid", help="FID.")] = False,
    distribution: Annotated[
        bool,
        typer.Option(
            "--distribution",
            help="KID, FID of unit vectors and of infinite samples, precision, recall, density, coverage.",
        ),
    ] = False,
    diversity: Annotated[bool, typer.Option("--diversity", help="Diversity.")] = False,
    multimodality: Annotated[bool, typer.Option("--multimodality", help="MultiModality.")] = False,
    r_precision: Annotated[bool, typer.Option("--r-precision", help="R-precision top 1, 2, 3.")] = False,
    mm_dist: Annotated[bool, typer.Option("--mm-dist", help="MM-Dist.")] = False,
    retrieval: Annotated[bool, typer.Option("--retrieval", help="Retrieval, both directions.")] = False,
    captions: Annotated[bool, typer.Option("--captions", help="BLEU, ROUGE-L, CIDEr-D, BERTScore.")] = False,
    physics: Annotated[
        bool, typer.Option("--physics", help="Skate, penetration, floating, jitter, bones.")
    ] = False,
    reconstruction: Annotated[
        bool, typer.Option("--reconstruction", help="Of the motion tokenizer.")
    ] = False,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="M2T and M2M similarity, (cos + 1) / 2.")
    ] = False,
    sequences: Annotated[
        bool, typer.Option("--sequences", help="Transitions and parts of motions of several sentences.")
    ] = False,
    edits: Annotated[
        bool, typer.Option("--edits", help="What edited motions keep of their sources.")
    ] = False,
    contrasts: Annotated[
        bool,
        typer.Option(
            "--contrasts", help="Whether events, sides and time in their order are preferred to others."
        ),
    ] = False,
    audit: Annotated[
        str | None,
        typer.Option(
            help="What this evaluator notices of motions spoiled on purpose; named as for --evaluator."
        ),
    ] = None,
    moments: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines of motion, start, end, text to hold lines of lamp caption --moments against."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of these.")] = False,
    signature: Annotated[
        bool, typer.Option("--signature", help="Only the line that says how these would be measured.")
    ] = False,
    repetitions: Annotated[int, typer.Option(min=1, help="Loadings, generations, draws.")] = 20,
    protocol: Annotated[list[str] | None, typer.Option(help=f"{_PROTOCOL_HELP}; repeatable.")] = None,
    dissimilar: Annotated[
        Path | None, typer.Option(help="Ids, one per line, for retrieval's protocol of that name.")
    ] = None,
    evaluator: Annotated[
        list[str] | None,
        typer.Option(help="guo:PATH, mardm-clip:PATH, lamp, or an evaluator's folder; repeatable."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--bertscore-encoder", help="Folder, hub name, or lamp.")
    ] = None,
    layer: Annotated[int | None, typer.Option("--bertscore-layer", min=0, help="Of the encoder.")] = None,
    preset: Annotated[
        str | None, typer.Option("--bertscore-preset", help="field: roberta-large, layer 17, rescaled.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many clips or pairs.")] = None,
    candidates: Annotated[
        int | None, typer.Option(min=1, max=100, help="Draws per generated motion, as in lamp generate.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0.0, help="Of generated motions, the paper's alpha plus one; else the model's own."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100, help="Decoding rounds of generated motions.")] = 10,
    temperature: Annotated[float, typer.Option(min=0.0, help="Of generated motions.")] = 1.0,
    top_fraction: Annotated[
        float, typer.Option(max=1.0, help="Share of the codes that generated motions are drawn from (top-k).")
    ] = 0.1,
    rerank: Annotated[
        int,
        typer.Option(
            min=0, help="Retrieval again with so many of each query ordered by the matching head too."
        ),
    ] = 0,
    raw: Annotated[
        bool, typer.Option("--raw", help="Leave feet and bones of generated motions as they were made.")
    ] = False,
    precision: Annotated[str, typer.Option(help="Of generator and BERTScore: fp32 or bf16.")] = "fp32",
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of joint files whose line gives none; else 20.")
    ] = None,
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; drawn and printed when not given.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also to .csv, .md, .json or .jsonl.")] = None,
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
    wanted = tuple(m for m in METRICS if everything or context.params[m.replace("-", "_")])
    given = {name for name in context.params if _is_given(context, name)}
    if moments is not None:
        if others := sorted(given - WITH_MOMENTS):
            raise UsageError(
                f"--{_OPTIONS.get(others[0], others[0])}: with --moments nothing else is measured"
            )
        run_moments(moments, motions or [], pairs, output, force, as_json)
        return
    if audit is not None:
        if others := sorted(given - WITH_AUDIT):
            raise UsageError(f"--{_OPTIONS.get(others[0], others[0])}: with --audit nothing else is measured")
        drawn = secrets.randbelow(2**31) if seed is None else seed
        request = AuditRequest(audit, model, device, data, split, limit, repetitions, drawn)
        run_audit(request, output, force, as_json)
        return
    if not wanted:
        raise UsageError(f"no figure asked for; expected some of --{', --'.join(METRICS)}, or --all")
    reading = reading_option(fps, body_models, joint_map)
    check_precision(precision)
    _check_files(output, plot, baseline, fail_on_regression)
    earlier = None if baseline is None else read_report(baseline)
    skipped = Skipped()
    with ExitStack() as stack:
        source = score_source(motions or [], recursive, pairs, data, wanted, stack, skipped)
        if source.files:
            wanted = _of_motions(wanted, everything)
        elif everything:
            wanted = _of_spans(wanted, source.lines)
        listed = () if dissimilar is None else tuple(dissimilar.read_text(encoding="utf-8").split())
        drawn = secrets.randbelow(2**31) if seed is None else seed
        options = ScoreOptions(wanted, repetitions, drawn, tuple(protocol or ()), listed, rerank=rerank)
        _refuse_idle(given, source, options)
        bertscore_options = encoder, layer, preset
        models = partial(_models, model, device, tuple(evaluator or ()), bertscore_options, precision)
        reader = _Reader(reading, skipped, stack.enter_context(motion_notes()))
        if source.files:
            report, name = _score_files(source.files, reader, options, models, signature)
        else:
            from ..inference.generate import GenerateOptions
            from ..model.sampling import SamplingOptions
            from ..scoring.scored_motions import named_split

            if not source.lines:
                sampling = SamplingOptions(steps, guidance, temperature, top_fraction)
                generation = GenerateOptions(0, 1, sampling, candidates, precision, clean_up=not raw)
                options = replace(options, generation=generation)
            networks = models(captioner=options.wants(BERTSCORE, CAPTIONS))
            lines = source.lines[:limit]
            clips = None if lines and data is None else named_split(data, split, None if lines else limit)
            told = seed is None and not signature
            report, name = _score_texts(lines, clips, reader, options, networks, told, signature)
    if signature:
        print(report.signature)
        skipped.finish()
        return
    if data is not None and not source.lines and stdin_is_waiting():
        note("lines on stdin are not read: with --data they are named by -")
    note_report(report)
    if not report.measurements:
        raise UsageError("nothing could be measured")
    compared = [] if earlier is None else changes(report.measurements, earlier, wanted)
    files = OutputFiles(force)
    if output is not None:
        write = partial(
            write_report,
            measurements=report.measurements,
            model=name,
            compared=compared,
            signature=report.signature,
        )
        files.write_one(output, write)
    if plot is not None:
        files.write_one(
            plot, partial(draw_report, report=report, model=name, earlier=earlier, baseline=baseline)
        )
    print_report(report, name, compared, as_json)
    if fail_on_regression and (worse := regressions(compared)):
        count = f"{len(worse)} figure" if len(worse) == 1 else f"{len(worse)} figures"
        note(f"lamp: {count} got worse than {baseline}, or cannot be compared with it:")
        # Those that are gone have been named already.
        for change in worse:
            if change.verdict is not Verdict.GONE:
                note(f"  {sentence(change)}")
        raise typer.Exit(1)
    skipped.finish()


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _check_files(output: Path | None, plot: Path | None, baseline: Path | None, fail: bool) -> None:
    """A wrong name must be told before hours of measuring."""
    for path, option, allowed in ((output, "--output", SUFFIXES), (plot, "--plot", PICTURES)):
        if path is not None:
            require_suffix(path, option, allowed)
            require_writable(path.parent, option)
    if fail and baseline is None:
        raise UsageError("--fail-on-regression: needs --baseline FILE to compare with")


def _of_motions(wanted: tuple[str, ...], everything: bool) -> tuple[str, ...]:
    """The metrics that motion files without sentences have."""
    texts = [metric for metric in wanted if metric not in OF_MOTIONS]
    if texts and not everything:
        hint = "expected --pairs FILE, --data DIR, or lines of `lamp generate` on stdin"
        raise UsageError(f"--{texts[0]}: motion files have no texts; {hint}")
    return tuple(metric for metric in wanted if metric in OF_MOTIONS)


def _of_spans(wanted: tuple[str, ...], lines: Sequence[Line]) -> tuple[str, ...]:
    """The metrics of ``--all`` that lines can have: not all are of motions of several parts or edited."""
    told = {SEQUENCES: any(line.parts for line in lines), EDITS: any(line.span for line in lines)}
    return tuple(metric for metric in wanted if told.get(metric, True))


def _refuse_idle(given: Collection[str], source: ScoreSource, options: ScoreOptions) -> None:
    """Raise ``UsageError`` for an option that would change nothing in this call."""
    from_data = not source.files and not source.lines
    generated = from_data and options.wants(*OF_GENERATED)
    judged = options.wants(*MATCHING, MULTIMODALITY, CAPTIONS, SEQUENCES)
    reads = options.wants(BERTSCORE, CAPTIONS) or (options.wants(RETRIEVAL) and options.reads_sentences())
    chosen = options.named_protocols(RETRIEVAL) or PROTOCOLS[RETRIEVAL]
    rules: list[tuple[tuple[str, ...], bool, str]] = [
        (
            ("recursive",),
            any(f.origin == "folder" for f in source.files),
            "belongs to folders",
        ),
        (
            ("output", "plot", "baseline", "fail_on_regression", "as_json"),
            "signature" not in given,
            "--signature measures nothing",
        ),
        (("split",), "data" in given, "belongs to --data DIR, which is not given"),
        (
            ("data",),
            from_data or options.wants(BERTSCORE, PHYSICS, SEQUENCES, *MATCHING),
            "no true motion is needed",
        ),
        (("limit",), not source.files, "every motion file that is named is measured"),
        (("fps",), not from_data, "a data set has the rate of its skeleton"),
        (("body_models", "joint_map"), not from_data, "a data set holds joints"),
        (_OF_SAMPLING, generated, "nothing is generated in this call"),
        (("rerank",), options.wants(RETRIEVAL), "belongs to --retrieval"),
        (("raw",), generated and options.wants(BERTSCORE, PHYSICS), "belongs to --bertscore and --physics"),
        (("precision",), generated or reads, "nothing is generated or read by BERTScore's encoder"),
        (("repetitions",), judged, "no figure that was asked for is drawn"),
        (
            ("evaluator",),
            judged or options.wants(RETRIEVAL, CONTRASTS),
            "no figure that was asked for needs one",
        ),
        (("encoder", "layer", "preset"), reads, "no figure that was asked for reads sentences"),
        (("dissimilar",), options.wants(RETRIEVAL) and "dissimilar" in chosen, "belongs to --retrieval"),
        (("force",), bool({"output", "plot"} & set(given)), "belongs to --output and --plot"),
    ]
    for names, applies, reason in rules:
        for name in names:
            if name in given and not applies:
                raise UsageError(f"--{_OPTIONS.get(name, name)}: {reason}")
    for metric in OF_SPANS:
        if from_data and options.wants(metric):
            raise UsageError(f"--{metric}: belongs to lines that tell spans; generated motions have none")
    for protocol in options.protocols:
        metrics = [metric for metric, names in PROTOCOLS.items() if protocol in names]
        if not options.wants(*metrics):
            raise UsageError(f"--protocol {protocol}: belongs to --{' and --'.join(metrics)}")


def _models(
    model: str,
    device: str,
    evaluators: tuple[str, ...],
    bertscore: tuple[str | None, int | None, str | None],
    precision: str,
    captioner: bool,
) -> Models:
    """Networks by name, as the options give them; of ``bertscore`` the encoder, its layer and the preset."""
    from ..scoring.bertscore_encoders import bertscore_setting
    from ..scoring.evaluators import require_evaluators
    from ..scoring.models import ModelChoice, Models

    setting = bertscore_setting(*bertscore)
    require_evaluators(evaluators)
    return Models(ModelChoice(model, device_option(device), evaluators, *setting, captioner, precision))


def _score_files(
    files: Sequence[ScoredFile],
    reader: _Reader,
    options: ScoreOptions,
    load_models: Callable[..., Models],
    signature_only: bool,
) -> tuple[Report, str | None]:
    """Figures of motion files; the physical ones load no model and no torch."""
    from ..scoring.motion_quality import score_physics
    from ..scoring.signature import motions_signature

    found = _read_files(files, reader)
    if signature_only and options.metrics == (PHYSICS,):
        return Report(signature=motions_signature(len(list(found)), options)), None
    if options.metrics == (PHYSICS,):
        return score_physics(found), None

    from ..scoring.score import score_motions

    models = load_models(captioner=False)
    if signature_only:
        return Report(signature=motions_signature(len(list(found)), options, models)), None
    report = score_motions(found, models, options)
    return report, models.bundle.config.name


def _read_files(files: Sequence[ScoredFile], reader: _Reader) -> Iterator[Motion]:
    """Every motion; of several files those that cannot be read are named and left out."""
    from ..files.load import load_motions

    for file in files:
        try:
            for motion in load_motions(file.path, reader.reading.at(file.fps)):
                reader.show(motion)
                yield motion
        except (ValueError, OSError) as error:
            if len(files) == 1:
                raise
            reader.skipped.add(error, counts=file.origin != "folder")


def _score_texts(
    lines: Sequence[Line],
    split: Split | None,
    reader: _Reader,
    options: ScoreOptions,
    models: Models,
    tell_seed: bool,
    signature_only: bool,
) -> tuple[Report, str | None]:
    """Figures of motions with their sentences; with ``signature_only`` none."""
    from ..scoring.score import generation_of, score_pairs, score_split
    from ..scoring.scored_motions import read_examples
    from ..scoring.signature import pairs_signature, split_signature

    examples = []
    if lines:
        leave_out = reader.skipped.add if len(lines) > 1 else None
        examples = read_examples(lines, split, reader.reading, leave_out, reader.show)
    if tell_seed:
        note(f"seed {options.seed}")
    if lines:
        if signature_only:
            return Report(signature=pairs_signature(examples, models, options)), None
        return score_pairs(examples, models, options, split, progress), models.name
    assert split is not None
    if signature_only:
        how = generation_of(models, options)
        return Report(signature=split_signature(split, models, options, how)), None
    return score_split(split, models, options, progress), models.name
