"""``lamp score --moments``: captions with times against reference captions with times."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

from ..scoring.figures import Report
from ..scoring.moments import moments_signature, score_moments, stories_of
from ..scoring.report import write_report
from .common import UsageError
from .files import OutputFiles
from .inputs import Skipped, read_option, read_records, stdin_lines
from .score_print import note_report, print_report, require_output

# What may stand beside --moments.
WITH_MOMENTS = frozenset("moments motions pairs output force as_json".split())


def run_moments(
    references: Path,
    names: Collection[str],
    predictions: Path | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure the lines of ``predictions`` or stdin against those of ``references`` and print the figures."""
    if [name for name in names if name != "-"]:
        raise UsageError("--moments: expected lines of `lamp caption --moments` on stdin or as --pairs FILE")
    require_output(output, force)
    skipped = Skipped()
    told = list(read_option(references, "motion"))
    if predictions is None or str(predictions) == "-":
        said, source = list(read_records(stdin_lines(), "motion", "stdin", skipped)), "stdin"
    else:
        said, source = list(read_option(predictions, "motion")), str(predictions)
    stories, remarks = stories_of(said, told, (source, str(references)))
    report = Report(signature=moments_signature(stories))
    for remark in remarks:
        report.note(remark)
    models = sorted({str(record["model"]) for record in said if record.get("model")})
    model = "+".join(models) or None
    score_moments(stories, f"captions by {model}" if model else "given captions", report)
    note_report(report)
    if not report.measurements:
        skipped.finish()
        raise UsageError("nothing could be measured")
    if output is not None:
        write = partial(write_report, measurements=report.measurements, model=model)
        write = partial(write, signature=report.signature)
        OutputFiles(force).write_one(output, write)
    print_report(report, model, [], as_json)
    skipped.finish()
