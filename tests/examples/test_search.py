"""The judges of search and of captions, and the tuning of a decoder: what they measure, and leave alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.judge import search
from examples.judge.captions import is_sentence
from lamp_cli.data.examples import FOLDERS, write_example
from lamp_cli.data.statistics import compute_statistics, save_statistics
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import numbered_clip, synthetic_clip_of

LABELS = {
    "walk": "a person walks forward",
    "clap": "a person claps the hands",
    "sit down": "a person sits down",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of each of three actions that pass for real ones, and a made-up one of two in a row."""
    folder = tmp_path_factory.mktemp("data")
    for name in (*FOLDERS, "truth"):
        (folder / name).mkdir()
    names = []
    for action, caption in LABELS.items():
        for n in range(2):
            names.append(f"{action.replace(' ', '_')}_{n}")
            joints = synthetic_clip_of(action, np.random.default_rng([4, n])).joints
            write_example(names[-1], joints, (caption,), HUMANML3D, folder)
    clips = (numbered_clip(5, number) for number in range(99))
    made = next(clip for clip in clips if clip.truth["action"] == "sequence")
    write_example("S000000", made.joints, made.captions, HUMANML3D, folder)
    (folder / "truth" / "S000000.json").write_text(json.dumps(made.truth))
    features = (np.load(folder / "new_joint_vecs" / f"{name}.npy") for name in names)
    save_statistics(folder, compute_statistics(features, HUMANML3D))
    for split in ("train", "val", "test"):
        (folder / f"{split}.txt").write_text("\n".join([*names, "S000000"]))
    return folder


def test_average_precision_is_the_mean_precision_at_the_hits() -> None:
    assert search.average_precision([True, False, True]) == pytest.approx((1 + 2 / 3) / 2)
    assert search.average_precision([True, True, False]) == 1.0
    assert search.average_precision([False, False]) == 0.0


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("a person waves with both hands", "someone waves both arms over the head"), "wave both hands"),
        (("a person waves with the right hand",), "wave right hand"),
        (("a person walks forward", "someone is walking"), "walk"),
        (("a person walks, turns around and walks back",), None),
        (("a person runs and then stops",), None),
        (("the person rises from sitting", "someone gets up from a seat"), "stand up"),
        (("a person claps", "a person walks"), None),
        ((), None),
    ],
)
def test_takes_are_labelled_by_what_all_their_captions_tell(captions, expected) -> None:
    assert search.action_told(captions) == expected


def test_sentences_of_two_actions_come_in_both_orders(data: Path) -> None:
    pairs = list(search.ordered_pairs(data, "test", 0))
    assert pairs and all(clip.id == "S000000" for clip, _, _ in pairs)
    for _, right, wrong in pairs:
        first, second = right.split(", then ", 1)
        assert wrong == f"{second}, then {first}"


def test_the_search_of_a_folder_is_printed_and_written(data: Path, tmp_path: Path, capsys) -> None:
    search.main(["--data", str(data), "--json", str(tmp_path / "found.json")])
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert (
        printed.startswith("6 real clips of the test split, 3 actions") and "order of two actions" in printed
    )
    assert found["search"].keys() == {"walk", "clap", "sit down", "mean"}
    assert found["search"]["walk"] > 0.9
    assert 0 <= found["order"] <= 1


# It is a label of MHAD's too, and among the sentences that this becomes.
JUMPS = "a person jumps in place several times"


@pytest.mark.parametrize(
    "caption", ["a person walks", "someone is walking", "he jumps", "a young man waves", JUMPS]
)
def test_a_sentence_says_who_does_what(caption: str) -> None:
    assert is_sentence(caption)


@pytest.mark.parametrize("caption", ["run/jog", "walk", "Oiduki", "walking forward", "the person", ""])
def test_a_label_is_no_sentence(caption: str) -> None:
    assert not is_sentence(caption)
