"""``lamp check``: whether motions do what sentences say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import AsJson, UsageError, clause_records, emit, motion_notes
from .inputs import (
    BodyModels,
    JointMap,
    LineFps,
    MotionInput,
    Recursive,
    Skipped,
    motion_inputs,
    read_records,
    reading_option,
    stdin_lines,
    with_parts,
)

if TYPE_CHECKING:
    from ..checking.sentence import Checked, CheckedClause


def check_command(
    text: Annotated[
        str | None, typer.Argument(help="The sentence; - reads lines with motion and text from stdin.")
    ] = None,
    motions: Annotated[list[str] | None, typer.Argument(help="Motion files or folders of them.")] = None,
    recursive: Recursive = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a verdict is no.")] = False,
    actions: Annotated[
        bool, typer.Option("--actions", help="List the actions and how often their checks agree with takes.")
    ] = False,
    fps: LineFps = None,
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    as_json: AsJson = False,
) -> None:
    """Say whether each motion does what a sentence says, clause by clause: yes, no, or unknown."""
    if actions:
        _list_actions(as_json)
        return
    names = motions or []
    if text is not None and text.strip() == "":
        raise UsageError("an empty sentence; expected what the motion should show")
    if text != "-" and not (text and names):
        raise UsageError('expected a sentence and motion files, or - for lines with "motion" and "text"')
    if text == "-" and names:
        raise UsageError(f"{names[0]}: with - the motions are those of the lines on stdin, expected no file")
    if text == "-" and sys.stdin.isatty():
        raise UsageError("no lines on stdin; expected JSON lines with motion and text, as of lamp generate")
    reading, skipped = reading_option(fps, body_models, joint_map), Skipped()
    inputs: Iterable[tuple[MotionInput, str]] = (
        _asked(skipped) if text == "-" else ((item, str(text)) for item in motion_inputs(names, recursive))
    )

    from ..checking.sentence import check

    verdicts: Counter[str] = Counter()
    with ExitStack() as stack:
        show_notes = stack.enter_context(motion_notes())
        for item, sentence in inputs:
            try:
                for entry, motion in item.read(reading):
                    show_notes(motion)
                    checked = check(replace(with_parts(motion, item.record), text=sentence), sentence)
                    verdicts[checked.verdict] += 1
                    record = _record(item, entry, sentence, checked)
                    emit(record, _lines(record, checked), as_json)
            except (ValueError, OSError) as error:
                skipped.add_input(item, error)
    if not verdicts:
        skipped.finish()
        raise UsageError("no motion; expected files that hold one, found none")
    skipped.finish()
    if strict and verdicts["no"]:
        raise typer.Exit(1)


def _asked(skipped: Skipped) -> Iterator[tuple[MotionInput, str]]:
    """The motions and sentences of lines on stdin; a line without either is named and left out."""
    for number, record in enumerate(read_records(stdin_lines(), "motion", "stdin", skipped), 1):
        text = record.get("text")
        if isinstance(text, str) and text.strip():
            yield MotionInput(Path(record["motion"]), record), text.strip()
        else:
            where = f"stdin, motion {number} ({record['motion']})"
            skipped.add(UsageError(f"{where}: expected a 'text', found {text!r}"))


def _record(item: MotionInput, entry: str, text: str, checked: Checked) -> dict[str, Any]:
    return {
        **item.record,
        "motion": item.name,
        **({"take": entry} if entry else {}),
        "text": text,
        "verdict": checked.verdict,
        "clauses": clause_records(checked.clauses),
    }


def _lines(record: dict[str, Any], checked: Checked) -> str:
    """For people: verdict, file and sentence, then a line of each clause."""
    name = f"{record['motion']}:{record['take']}" if "take" in record else record["motion"]
    return "\n".join([f"{checked.verdict}\t{name}\t{record['text']}", *map(_line, checked.clauses)])


def _line(clause: CheckedClause) -> str:
    when = "" if clause.second is None else f" at {clause.second:.1f} s"
    shown = [f"{clause.measured}{when}"] if clause.measured else []
    why = [clause.reason] if clause.reason else []
    where = "" if clause.part is None else f"part {clause.part}, "
    return f"  {where}{clause.asked}: {'; '.join([clause.verdict, *shown, *why])}"


def _list_actions(as_json: bool) -> None:
    from ..checking.agreement import EVIDENCE

    for one in EVIDENCE.values():
        verdicts = ", ".join(one.verdicts)
        record = {**asdict(one), "answered": one.answered, "verdicts": one.verdicts, "source": one.source}
        emit(
            record,
            f"{one.action:26s} {f'{verdicts} (by {one.source})':33s} real takes {one.real}/{one.real_takes}, "
            f"made-up clips {one.made}/{one.made_clips}, false alarms {one.false_alarms}/{one.other_takes}, "
            f"sides {one.sides}/{one.side_takes}, counts {one.counts}/{one.count_takes}",
            as_json,
        )
