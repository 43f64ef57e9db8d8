"""``lamp score --moments``: lines of captions with times against lines of references."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import lamp

TOLD = [
    {"motion": "takes/one.npy", "start": 0.0, "end": 4.0, "text": "a person walks forward"},
    {"motion": "takes/one.npy", "start": 4.0, "end": 8.0, "text": "the person sits down on a chair"},
    {"motion": "takes/two.npy", "start": 0.0, "end": 5.0, "text": "someone waves with the left hand"},
]


def lines(records: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def said(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As ``lamp caption --moments`` prints them, from another folder."""
    return [
        {
            "motion": f"elsewhere/{Path(r['motion']).name}",
            "start": r["start"],
            "end": r["end"],
            "caption": r["text"],
            "score": -0.5,
            "model": "lamp-mini",
        }
        for r in records
    ]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    file = tmp_path / "reference.jsonl"
    file.write_text(lines(TOLD), encoding="utf-8")
    return file


def test_what_people_said_at_its_time_has_the_best_figures(reference: Path, tmp_path: Path) -> None:
    done = lamp("score", "--moments", reference, stdin=lines(said(TOLD)))
    found = {row["metric"]: row for row in done.rows}
    assert found["SODA (METEOR) F1"]["value"] == pytest.approx(1.0, abs=0.01)
    assert found["CIDEr-D at tIoU 0.9"]["value"] == pytest.approx(10.0)
    one = found["CIDEr-D, mean over tIoU"]
    assert (one["evaluator"], one["subject"], one["pool"]) == ("captions by lamp-mini", "captioned", 3)
    assert found["SODA (METEOR) recall"]["pool"] == 2 and "moments#" in one["signature"]
    file = tmp_path / "said.jsonl"
    file.write_text(lines(said(TOLD)), encoding="utf-8")
    again = lamp("score", "--moments", reference, "--pairs", file, "--output", tmp_path / "out.md")
    assert again.rows == done.rows and "SODA" in (tmp_path / "out.md").read_text(encoding="utf-8")


def test_a_take_that_is_not_captioned_and_one_without_references_are_told(reference: Path) -> None:
    records = [*said(TOLD[:1]), {"motion": "third.npy", "start": 0.0, "end": 1.0, "caption": "x"}]
    done = lamp("score", "--moments", reference, stdin=lines(records))
    found = {row["metric"]: row["value"] for row in done.rows}
    # Of the first take one of two moments, of the second none.
    assert found["SODA (METEOR) recall"] == pytest.approx((0.5 + 0.0) / 2, abs=0.01)
    assert "takes without references, left out: 1" in done.stderr
    assert "takes of which nothing was predicted: 1" in done.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--fid"], "", "--fid: with --moments nothing else is measured"),
        (["clip.npy"], "", "expected lines of `lamp caption --moments` on stdin"),
        ([], lines([{"motion": "takes/one.npy", "caption": "x"}]), "expected 'start' and 'end' in seconds"),
        (
            [],
            lines([{"motion": "a", "start": 2, "end": 1, "caption": "x"}]),
            "expected an end after its start",
        ),
        (
            [],
            lines([{"motion": "a", "start": 0, "end": 1}]),
            "stdin, line 1: expected 'motion' and 'caption'",
        ),
        ([], lines([{"motion": "a", "start": 0, "end": 1, "caption": "x"}]), "no moment was predicted"),
    ],
)
def test_bad_lines_are_one_sentence(
    reference: Path, words: list[str], stdin: str, message: str, tmp_path: Path
) -> None:
    done = lamp("score", "--moments", reference, *words, stdin=stdin, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
