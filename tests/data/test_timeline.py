"""Timelines of sentences: STMC's format, overlaps, gaps, and what is no timeline."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from lamp_cli.data.timeline import Interval, read_timelines, single_track


def read(content: str, folder: Path) -> list[tuple[Interval, ...]]:
    (folder / "a.txt").write_text(content, encoding="utf-8")
    return read_timelines(folder / "a.txt")


def track(*intervals: tuple[str, float, float]) -> list[tuple[str, float, float]]:
    found = single_track([Interval(*each) for each in intervals], 1.0)
    return [(each.text, each.start, each.end) for each in found]


def test_lines_are_read_as_stmc_writes_them(tmp_path: Path) -> None:
    content = (
        "walking in a circle # 0.0 # 6.0 # legs\nraising both hands # 2.0 # 5.0 # right arm # left arm\n"
    )
    [timeline] = read(content, tmp_path)
    assert timeline == (
        Interval("walking in a circle", 0.0, 6.0, ("legs",)),
        Interval("raising both hands", 2.0, 5.0, ("right arm", "left arm")),
    )


def test_timelines_are_parted_by_empty_lines_ordered_and_begin_at_nought(tmp_path: Path) -> None:
    first, second = read("\nb # 5 # 6\na # 3 # 5\n\n\nc#1#2\r\n", tmp_path)
    assert first == (Interval("a", 0.0, 2.0), Interval("b", 2.0, 3.0))
    assert second == (Interval("c", 0.0, 1.0),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no line"),
        ("\n \n", "holds no line"),
        ("a person walks\n", "line 1: expected text # start # end in seconds, found 'a person walks'"),
        ("a # 0 # 1\nb # 1\n", "line 2: expected text # start # end"),
        ("a # 0 # one\n", "line 1: expected text # start # end"),
        ("a # 2 # 1\n", "line 1: expected a sentence and an end behind its start"),
        ("a # 1 # 1\n", "an end behind its start"),
        ("a # -1 # 1\n", "an end behind its start"),
        ("a # 0 # inf\n", "an end behind its start"),
        ("a # nan # 1\n", "an end behind its start"),
        (" # 0 # 1\n", "expected a sentence"),
    ],
)
def test_what_is_no_timeline_is_said_with_its_line(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"a.txt.*{said}"):
        read(content, tmp_path)


def test_intervals_that_touch_follow_each_other() -> None:
    assert track(("a", 0, 2), ("b", 2, 4)) == [("a", 0, 2), ("b", 2, 4)]


def test_what_overlaps_becomes_one_sentence() -> None:
    assert track(("a", 0, 6), ("b", 2, 5)) == [("a", 0, 2), ("a while b", 2, 5), ("a", 5, 6)]
    assert track(("a", 0, 4), ("b", 2, 6)) == [("a", 0, 2), ("a while b", 2, 4), ("b", 4, 6)]
    assert track(("a", 0, 4), ("b", 0, 4)) == [("a while b", 0, 4)]
    assert track(("a", 0, 4), ("a", 2, 6)) == [("a", 0, 6)]


def test_short_overlaps_are_shared_out() -> None:
    assert track(("a", 0, 3.4), ("b", 3, 6)) == [("a", 0, 3.2), ("b", 3.2, 6)]
    assert track(("a", 0, 6), ("b", 2, 2.5)) == [("a", 0, 6)]


def test_in_gaps_what_was_asked_goes_on() -> None:
    assert track(("a", 0, 2), ("b", 5, 7)) == [("a", 0, 5), ("b", 5, 7)]


def test_a_single_short_interval_stays() -> None:
    assert track(("a", 0, 0.5)) == [("a", 0, 0.5)]


def test_no_second_is_lost_or_done_twice() -> None:
    pieces = track(("a", 0, 3), ("b", 2.5, 6), ("c", 2.9, 3.1), ("d", 8, 8.2), ("e", 8.1, 12))
    assert pieces[0][1] == 0 and pieces[-1][2] == 12
    assert all(before[2] == after[1] for before, after in pairwise(pieces))
    assert all(end - start >= 1.0 for _, start, end in pieces)
