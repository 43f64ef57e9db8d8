"""``lamp score`` as people call it: pipes, manifests, data sets, files, baselines, and mistakes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.bundle.trained_evaluator import TrainedEvaluatorConfig, save_evaluator
from lamp_cli.cli.app import main
from lamp_cli.data.examples import write_example
from lamp_cli.data.statistics import Statistics, save_statistics
from lamp_cli.data.word_tokens import WordList
from lamp_cli.inference.precision import has_bf16
from lamp_cli.metrics.measurement import Measurement
from lamp_cli.model.evaluator import MatchingEvaluator
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.scoring.figures import FIGURES, METRICS, OF_SPANS
from lamp_cli.scoring.report import read_report, table, write_report
from tests.command_line import calling, imported_by, lamp
from tests.conftest import wandering
from tests.inference.test_caption import with_captioner
from tests.inference.test_retrieve import tiny_bundle
from tests.model.test_evaluator import SMALL, VOCABULARY

KEYS = ["metric", "value", "interval", "protocol", "evaluator", "pool", "repetitions", "seed", "subject"]
VERBS = ("walks", "runs", "jumps", "kicks", "waves", "sits")
WAYS = ("slowly", "quickly", "left", "right", "twice", "back")


def write_data(folder: Path, count: int, split: str = "test") -> Path:
    for n in range(count):
        texts = [f"a person {VERBS[n % 6]} {WAYS[n // 6 % 6]}", f"someone {VERBS[n % 6]}"]
        write_example(f"c{n:03d}", wandering(HUMANML3D, 45 + n, n), texts[: 1 + n % 2], HUMANML3D, folder)
    save_statistics(folder, Statistics(np.zeros(263, np.float32), np.ones(263, np.float32)))
    (folder / f"{split}.txt").write_text("".join(f"c{n:03d}\n" for n in range(count)))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, one that cannot caption, a data set of 36 clips, and a manifest of four of them."""
    root = tmp_path_factory.mktemp("score")
    save_bundle(root / "tiny", with_captioner())
    save_bundle(root / "mute", tiny_bundle())
    write_data(root / "data", 36)
    with (root / "pairs.jsonl").open("w") as file:
        for n in range(4):
            pair = {"text": f"a person {VERBS[n]} slowly", "motion": f"data/new_joints/c{n:03d}.npy"}
            file.write(json.dumps({**pair, "ground_truth": f"data/new_joint_vecs/c{n:03d}.npy"}) + "\n")
    write_example("k", wandering(KIT, 60), ["he walks"], KIT, root / "kit")
    save_statistics(root / "kit", Statistics(np.zeros(251, np.float32), np.ones(251, np.float32)))
    (root / "kit/test.txt").write_text("k\n")
    (root / "bad.npy").write_bytes(b"nothing")
    (root / "empty.jsonl").write_text("\n")
    (root / "list.json").write_text("[3]")
    return root


def rest(work: Path) -> list[str]:
    return ["--model", str(work / "tiny"), "--seed", "1"]


def unsigned(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Rows without the signature, which names every network of the call."""
    return [{key: value for key, value in row.items() if key != "signature"} for row in rows]


ENCODER = ["--bertscore-encoder", "lamp"]
ONE = ["--candidates", "1"]


# Where motions come from


def test_generated_motions_are_scored_down_the_pipe(work: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "p.txt"
    prompts.write_text("a person jumps\nsomeone kicks\nsomeone kicks high\n")
    words = ["generate", "--prompts", prompts, "--model", work / "tiny", "--seed", "1", "--frames", "40"]
    words += ["--candidates", "16"]
    made = lamp(*words, "--format", "npy", "--features", "--output", tmp_path)
    words = ["score", "--bertscore", "--physics", *rest(work), *ENCODER]
    done = lamp(*words, stdin=made.stdout)
    assert list(done.rows[0]) == [*KEYS, "model", "signature"]
    found = {(r["metric"], r["subject"]): r for r in done.rows}
    for part in ("precision", "recall", "F1"):
        for subject in ("generated", "shuffled"):
            row = found["LaMP-BertScore " + part, subject]
            assert (row["pool"], row["seed"], row["model"]) == (3, 1, "tiny")
            assert row["evaluator"] == "captions by tiny; lamp:tiny text transformer, layer 2"
    assert found["penetration (cm)", "generated"]["pool"] == 3
    assert "no ground-truth row" in done.stderr
    assert lamp(*words, "-", stdin=made.stdout).stdout == done.stdout
    assert lamp(*words, "--pairs", "-", stdin=made.stdout).stdout == done.stdout
    # The joints that were delivered are measured, not the network's features that they were cleaned up from.
    delivered = [json.loads(line) for line in made.stdout.splitlines()]
    keys = ("text", "motion", "candidates", "fps")
    bare = "".join(json.dumps({key: row[key] for key in keys}) + "\n" for row in delivered)
    assert all(Path(row["features"]).exists() for row in delivered)
    assert lamp(*words, stdin=bare).stdout == done.stdout
    assert {r["protocol"].rpartition(", ")[2] for r in done.rows} == {"best of 16 by check and LaMP"}
    # A caption that came down the pipe is taken, and no captioner is needed.
    described = lamp("caption", "--model", work / "tiny", stdin=made.stdout)
    words = ["score", "--bertscore", "--seed", "1", "--bertscore-encoder", "lamp"]
    given = lamp(*words, "--model", work / "tiny", stdin=described.stdout)
    assert [r["value"] for r in given.rows] == [r["value"] for r in done.rows[:6]]
    assert given.rows[0]["evaluator"].startswith("given captions; ")


def test_a_manifest_names_true_motions(work: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", "--bertscore", "--fid", "--mm-dist", *rest(work)]
    done = lamp(*words, *ENCODER)
    found = {(r["metric"], r["subject"]): r for r in done.rows}
    assert {s for m, s in found if m == "LaMP-BertScore F1"} == {"given", "ground-truth", "shuffled"}
    assert found["MM-Dist", "given"]["protocol"] == "given pairs, mean query token"
    assert found["MM-Dist", "given"]["evaluator"].startswith("lamp:tiny (")
    # The joints and the features are of the same clips.
    apart = found["MM-Dist", "given"]["value"] - found["MM-Dist", "ground-truth"]["value"]
    assert abs(apart) < 0.01
    assert not done.stderr.count("ground-truth")
    assert "not measured: FID: needs at least 32 clips, found 4" in done.stderr
    few = lamp("score", "--pairs", work / "pairs.jsonl", "--mm-dist", "--limit", "3", *rest(work))
    assert [r["pool"] for r in few.rows] == [3, 3]


def test_true_motions_are_found_by_their_sentences(work: Path) -> None:
    line = {"text": "a person walks slowly", "motion": str(work / "data/new_joints/c003.npy")}
    other = {"text": "said nowhere", "motion": str(work / "data/new_joints/c004.npy")}
    lines = "".join(json.dumps(x) + "\n" for x in (line, other))
    words = ["score", "-", "--data", work / "data", "--physics", "--mm-dist"]
    rows = lamp(*words, *rest(work), stdin=lines).rows
    found = {(r["metric"], r["subject"]): r for r in rows}
    assert found["bone drift (cm)", "given"]["pool"] == 2
    assert found["bone drift (cm)", "ground-truth"]["pool"] == 1
    assert found["MM-Dist", "given"]["pool"] == 2


def test_a_data_set_is_measured_by_everything(work: Path, tmp_path: Path) -> None:
    words = ["score", "--data", work / "data", "--all", "--repetitions", "2", *rest(work), *ENCODER, *ONE]
    done = lamp(*words, "--output", tmp_path / "a.jsonl")
    rows = done.rows
    refused = {"diversity": "Diversity", "multimodality": "MultiModality"}
    assert {FIGURES[r["metric"]].metric for r in rows} == set(METRICS) - set(refused) - set(OF_SPANS)
    for name in [*refused.values(), "retrieval: protocol dissimilar"]:
        assert f"not measured: {name}" in done.stderr
    keys = [(r["metric"], r["protocol"], r["evaluator"], r["subject"]) for r in rows]
    assert len(set(keys)) == len(keys)
    found = {(r["metric"], r["subject"], r["protocol"]): r for r in rows}
    top = found["R-precision top 3", "ground-truth", "guo, best query token"]
    assert (top["pool"], top["repetitions"]) == (32, 2)
    judge = found["R-precision top 3", "ground-truth", "guo, mean query token"]["evaluator"]
    assert re.fullmatch(r"lamp:tiny \([0-9a-f]{8}\)", judge)
    assert found["text-to-motion R@1", "retrieved", "small-batches, first caption"]["pool"] == 32
    assert found["BLEU-4", "captioned", "tokens, tm2t"]["pool"] == 36
    assert found["MPJPE (mm)", "reconstructed", "mean over clips, encoded and decoded"]["pool"] == 36
    assert [m.row() for m in read_report(tmp_path / "a.jsonl")] == [{k: r[k] for k in KEYS} for r in rows]
    alone = lamp("score", "--data", work / "data", "--r-precision", "--repetitions", "2", *rest(work), *ONE)
    assert unsigned(alone.rows) == unsigned(r for r in rows if r["metric"].startswith("R-precision"))


def test_lines_that_tell_spans_are_measured_by_them(work: Path, tmp_path: Path) -> None:
    for name, joints in (("made", wandering(HUMANML3D, 120)), ("source", wandering(HUMANML3D, 120, 1))):
        np.save(tmp_path / f"{name}.npy", joints)
    parts = [{"text": f"part {n}", "first_frame": 60 * n, "frames": 60} for n in range(2)]
    span = {"first_frame": 20, "frames": 90, "kept": [30]}
    made = {"text": "a", "motion": str(tmp_path / "made.npy"), "fps": 20}
    line = json.dumps({**made, "parts": parts, "span": span, "source": str(tmp_path / "source.npy")})
    words = ["score", "--pairs", "-", *rest(work)]
    rows = lamp(*words, "--sequences", "--edits", stdin=line).rows
    found = {r["metric"]: r["value"] for r in rows}
    assert found["peak jerk (km/s³)"] > 0.0 and found["largest deviation outside the span (cm)"] > 0.0
    assert found["keyframes hit at 50 cm (%)"] in (0.0, 100.0)
    assert lamp(*words, "--edits", stdin=json.dumps(made)).returncode == 2
    # All of the figures that lines can have; those without spans have none of these.
    assert "sequences" not in lamp(*words, "--all", *ENCODER, stdin=json.dumps(made)).stderr
    refused = lamp("score", "--edits", "--data", work / "data", *rest(work))
    assert refused.stderr.endswith("--edits: belongs to lines that tell spans; generated motions have none\n")


def test_the_sample_evaluation_set_is_the_default(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamp_cli.cli.score_source._is_piped", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lamp_cli.data.samples.EVALUATION_CLIPS", 3)
    rows = lamp("score", "--physics", *rest(work), *ONE).rows
    assert {(r["subject"], r["pool"]) for r in rows} == {("generated", 3), ("ground-truth", 3)}


def test_retrieval_is_measured_again_with_the_best_re_ranked_in_both_directions(
    work: Path, tmp_path: Path
) -> None:
    bundle = tiny_bundle()
    # An untrained head finds all pairs alike.
    bundle.lamp.matching_head.weight.data *= 1e4
    save_bundle(tmp_path / "tiny", bundle)
    words = ["score", "--data", work / "data", "--retrieval", "--protocol", "small-batches", "--seed", "1"]
    rows = lamp(*words, "--rerank", "32", *rest(tmp_path)).rows
    found = {(r["metric"], r["protocol"]): r["value"] for r in rows}
    plain, again = (
        "small-batches, first caption",
        "small-batches, first caption, best 32 re-ranked by matching",
    )
    metrics = {metric for metric, _ in found}
    assert (
        found.keys() == {(metric, how) for metric in metrics for how in (plain, again)} and len(metrics) == 12
    )
    for direction in ("text-to-motion", "motion-to-text"):
        one, other = ([found[m, how] for m in metrics if m.startswith(direction)] for how in (plain, again))
        assert one != other


def test_a_bundle_brings_its_own_judge(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "tiny", tmp_path / "judged")
    card = TrainedEvaluatorConfig("mine", "humanml3d", SMALL)
    torch.manual_seed(0)
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    network = MatchingEvaluator(SMALL)
    save_evaluator(tmp_path / "judged/evaluator", card, network, WordList(VOCABULARY), statistics)
    words = ["score", "--data", work / "data", "--mm-dist", "--retrieval", "--protocol", "all", "--seed", "1"]
    words += ["--repetitions", "2", *ONE, "--model", tmp_path / "judged"]
    rows = lamp(*words).rows
    by_metric = {(FIGURES[r["metric"]].metric, r["evaluator"], r["protocol"]) for r in rows}
    [mine] = {r["evaluator"] for r in rows if r["metric"] == "MM-Dist"}
    assert mine.startswith("mine (")
    [own] = {r["evaluator"] for r in rows if r["metric"] == "text-to-motion MedR"}
    assert own.startswith("lamp:tiny (")
    assert by_metric == {("mm-dist", mine, "guo"), ("retrieval", own, "all, first caption")}
    judged = lamp(*words, "--evaluator", "lamp", "--evaluator", tmp_path / "judged", "--rerank", "2")
    both = judged.rows
    assert f"not measured: retrieval re-ranked: evaluator {mine} has no matching head" in judged.stderr
    judges = [(FIGURES[r["metric"]].metric, r["evaluator"]) for r in both]
    assert set(judges) == {(m, e) for m in ("mm-dist", "retrieval") for e in (mine, own)}
    assert unsigned(r for r in both if r["evaluator"] == mine and r["metric"] == "MM-Dist") == unsigned(
        r for r in rows if r["metric"] == "MM-Dist"
    )


def test_two_evaluators_of_one_name_are_two(work: Path, tmp_path: Path) -> None:
    for number in range(2):
        torch.manual_seed(number)
        card = TrainedEvaluatorConfig("mine", "humanml3d", SMALL)
        statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
        save_evaluator(
            tmp_path / f"e{number}", card, MatchingEvaluator(SMALL), WordList(VOCABULARY), statistics
        )
    shutil.copytree(tmp_path / "e0", tmp_path / "copy")
    words = ["score", "--pairs", work / "pairs.jsonl", "--mm-dist", *rest(work)]

    def rows(*names: str) -> list[dict]:  # type: ignore[type-arg]
        return lamp(*words, *(w for name in names for w in ("--evaluator", str(tmp_path / name)))).rows

    first, second = rows("e0"), rows("e1")
    assert first[0]["evaluator"] != second[0]["evaluator"] and first[0]["evaluator"].startswith("mine (")
    assert unsigned(rows("e0", "e1", "copy")) == unsigned([*first, *second])


def test_stdin_that_nobody_writes_to_is_not_waited_for(work: Path) -> None:
    code = "from lamp_cli.cli.score_source import _is_piped; print(_is_piped())"

    def piped(**stdin: object) -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **stdin).stdout  # type: ignore[call-overload, no-any-return]

    assert piped(stdin=subprocess.DEVNULL) == "False\n"
    assert piped(input="") == "True\n"


def test_lines_that_a_data_set_leaves_unread_are_noted(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", "--data", work / "data", "--limit", "2", "--reconstruction", *rest(work)]
    reading, writing = os.pipe()
    os.write(writing, b'{"text": "a", "motion": "b"}')
    os.close(writing)

    def said(stdin: int | str) -> str:
        with open(stdin) as file, monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
            patch.setattr(sys, "stdin", file)
            main(list(map(str, words)))
        assert not end.value.code
        return capsys.readouterr().err

    assert "lines on stdin are not read" in said(reading)
    assert "stdin" not in said(os.devnull)


def test_files_are_measured_without_torch(work: Path) -> None:
    files = [work / f"data/new_joints/c00{n}.npy" for n in range(3)]
    code = calling("score", "--physics", *files)
    heavy, done = imported_by(code, "torch", "transformers", "matplotlib", "rich")
    assert not heavy
    rows = done.rows
    assert [r["metric"] for r in rows] == [
        *(
            "foot skate (cm/frame at 20 fps)",
            "penetration (cm)",
            "floating (cm)",
            "jitter (m/s³)",
            "bone drift (cm)",
            "root-relative jitter (m/s³)",
            "skating ratio by GMD (window of 0.25 s)",
            "skating ratio by Kimodo",
            "sliding by MBench (cm/frame at 20 fps)",
            "toe penetration by MBench (cm)",
            "PFC (at 30 fps)",
        )
    ]
    assert {(r["pool"], r["subject"], r["evaluator"]) for r in rows} == {(3, "given", None)}
    assert len(done.stderr.splitlines()) == 3 and done.stderr.count("20 frames per second assumed") == 3


def test_files_go_through_the_tokenizer(work: Path) -> None:
    file = work / "data/new_joints/c000.npy"
    rows = lamp("score", file, file, "--all", "--model", work / "tiny").rows
    assert {FIGURES[r["metric"]].metric for r in rows} == {"physics", "reconstruction"}
    assert {r["subject"] for r in rows} == {"given", "reconstructed"}
    fast = {r["metric"]: r["value"] for r in lamp("score", file, "--physics", "--fps", "40").rows}
    slow = {r["metric"]: r["value"] for r in lamp("score", file, "--physics").rows}
    assert fast["jitter (m/s³)"] == pytest.approx(8 * slow["jitter (m/s³)"])


# What is printed


def test_a_signature_says_how_figures_are_measured_and_is_told_without_them(work: Path) -> None:
    words = [
        "score",
        "--data",
        work / "data",
        "--mm-dist",
        "--physics",
        "--repetitions",
        "2",
        *rest(work),
        *ONE,
    ]
    [signature] = {row["signature"] for row in lamp(*words).rows}
    parts = dict(part.split(":", 1) for part in signature.split("|"))
    assert re.fullmatch(r"data/test#[0-9a-f]{8}", parts["data"]) and parts["clips"] == "36"
    assert re.fullmatch(r"lamp:tiny#[0-9a-f]{8}", parts["evaluator"])
    assert re.fullmatch(r"tiny#[0-9a-f]{8}", parts["model"])
    assert (parts["draws"], parts["repetitions"], parts["seed"]) == ("1", "2", "1")
    assert lamp(*words, "--signature").stdout == signature + "\n"
    assert f"signature: {signature}" in lamp(*words, terminal=True).stdout
    more = lamp(*words, "--captions", "--signature").stdout.strip()
    with_captions = dict(part.split(":", 1) for part in more.split("|"))
    # The model has one name, whether its captioner is at work or not; that has its own.
    assert with_captions["model"] == parts["model"] and "captioner" not in parts
    assert re.fullmatch(r"tiny#[0-9a-f]{8}", with_captions["captioner"])
    files = ["score", "--physics", work / "data/new_joints/c000.npy"]
    [alone] = {row["signature"] for row in lamp(*files).rows}
    assert lamp(*files, "--signature").stdout == alone + "\n" and alone.endswith("data:motions|clips:1")
    pairs = ["score", "--pairs", work / "pairs.jsonl", "--mm-dist", *rest(work)]
    [given] = {row["signature"] for row in lamp(*pairs).rows}
    assert lamp(*pairs, "--signature").stdout == given + "\n" and "|draws:" not in given
    assert lamp(*pairs, "--limit", "1", "--signature").stdout != given + "\n"


def test_people_get_a_table_and_pipes_get_lines(work: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", "--bertscore", *rest(work), *ENCODER]
    shown = lamp(*words, terminal=True).stdout
    assert "LaMP-BertScore F1" in shown and "ground-truth" in shown and "shuffled" in shown
    assert "captions by tiny" in shown and "1 repetition" in shown and "{" not in shown
    assert len(lamp(*words, "--json", terminal=True).rows) == 9


@pytest.mark.parametrize("suffix", ["csv", "md", "json", "jsonl"])
def test_files_hold_every_figure(suffix: str, tmp_path: Path) -> None:
    figures = [
        Measurement("FID | x_y & z", 0.25, 0.5, "guo", "me", 32, 20, 1, "generated"),
        Measurement("FID | x_y & z", 0.125, None, "guo", "me", 32, 20, 1, "ground-truth"),
        Measurement("jitter (m/s³)", 1234.5, None, "guo", None, 3, 1, None, "ground-truth"),
    ]
    path = tmp_path / f"a.{suffix}"
    write_report(path, figures, "mini", signature="lamp:0|seed:1")
    text = path.read_text(encoding="utf-8")
    assert "lamp:0|seed:1" in text
    if suffix.startswith("json"):
        assert read_report(path) == figures
    elif suffix == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [r["value"] for r in rows] == ["0.25", "0.125", "1234.5"]
        assert rows[0]["interval"] == "0.5" and rows[2]["evaluator"] == "" and rows[0]["model"] == "mini"
    else:
        lines = text.splitlines()
        assert lines[2] == ("| FID \\| x_y & z | 0.250 ± 0.500 | 0.125 | generated | guo | me | 32 | 20 |")
        assert lines[3] == "| jitter (m/s³) |  | 1234 | controls only | guo | none | 3 | 1 |"
    assert table(figures).head[:3] == ("figure", "value", "ground-truth")


def test_a_picture_is_drawn_of_it(work: Path, tmp_path: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", *rest(work)]
    earlier = tmp_path / "a.jsonl"
    earlier.write_text(lamp(*words, "--mm-dist").stdout)
    for name, more in (
        ("compared", ["--mm-dist", "--baseline", earlier]),
        ("only recalls", ["--retrieval"]),
        ("one number", ["--mm-dist"]),
    ):
        path = tmp_path / f"{name}.svg"
        assert lamp(*words, *more, "--plot", path).returncode == 0
        assert path.read_text(encoding="utf-8").count("<svg") == 1
    before = path.read_bytes()
    done = lamp(*words, "--physics", "--plot", path)
    assert f"{path}: exists; written to {path.with_stem('one number_2')}" in done.stderr
    assert path.read_bytes() == before and path.with_stem("one number_2").exists()
    assert lamp(*words, "--physics", "--plot", path, "--force").returncode == 0
    assert path.read_bytes() != before


def test_a_closed_pipe_ends_printing_and_not_the_work(work: Path, tmp_path: Path) -> None:
    words = ["score", str(work / "data/new_joints/c000.npy"), "--physics"]
    words += ["--output", str(tmp_path / "a.md"), "--plot", str(tmp_path / "a.png")]
    running = subprocess.Popen(
        [sys.executable, "-m", "lamp_cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert running.stdout is not None and running.stderr is not None
    # `| head -1` reads no further; the files are written all the same.
    running.stdout.close()
    said = running.stderr.read()
    assert running.wait(timeout=120) == 0, said
    assert b"Traceback" not in said
    assert "floating (cm)" in (tmp_path / "a.md").read_text() and (tmp_path / "a.png").stat().st_size


# Baselines


def test_a_baseline_marks_what_moved(work: Path, tmp_path: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", "--physics", "--mm-dist", *rest(work)]
    rows = lamp(*words).rows
    same = tmp_path / "same.jsonl"
    same.write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = lamp(*words, "--baseline", same, "--fail-on-regression")
    assert {r["verdict"] for r in done.rows} == {"within its interval"}
    for r in rows:
        if (r["metric"], r["subject"]) == ("MM-Dist", "given"):
            r["value"] -= 0.5
        if (r["metric"], r["subject"]) == ("jitter (m/s³)", "given"):
            r["value"] *= 3
        if (r["metric"], r["subject"]) == ("jitter (m/s³)", "ground-truth"):
            r["value"] *= 3
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(rows))
    done = lamp(*words, "--baseline", earlier)
    verdicts = {(r["metric"], r["subject"]): r["verdict"] for r in done.rows}
    assert verdicts["MM-Dist", "given"] == "worse"
    assert verdicts["jitter (m/s³)", "given"] == "better"
    assert verdicts["jitter (m/s³)", "ground-truth"] == "moved"
    assert [r["difference"] for r in done.rows if r["verdict"] == "worse"] == [pytest.approx(0.5)]
    failed = lamp(*words, "--baseline", earlier, "--fail-on-regression", terminal=True)
    assert failed.returncode == 1
    assert "lamp: 1 figure got worse than" in failed.stderr and "WORSE" in failed.stdout
    assert "  worse: MM-Dist of given (given pairs, mean query token; evaluator: lamp:tiny (" in failed.stderr
    # What was not asked for this time is not gone; what was asked for and is not there is.
    fewer = ["score", "--pairs", work / "pairs.jsonl", "--physics", *rest(work), "--fail-on-regression"]
    assert lamp(*fewer, "--baseline", earlier).returncode == 0
    earlier.write_text(json.dumps([*rows, {**rows[0], "subject": "another"}]))
    gone = lamp(*fewer, "--baseline", earlier)
    assert gone.returncode == 1 and gone.stderr.count("gone since the baseline") == 1
    # A name that lamp does not know, of another version perhaps, is gone too and not passed over.
    earlier.write_text(json.dumps([*rows, {**rows[0], "metric": "foot skate (cm/frame)"}]))
    gone = lamp(*fewer, "--baseline", earlier)
    assert gone.returncode == 1 and "gone since the baseline: foot skate (cm/frame) of" in gone.stderr


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no figure asked for; expected some of --bertscore, --fid"),
        (["--bertscore"], "stdin: no pair of text and motion; the input is empty"),
        (["--fid", "@empty.jsonl"], "--fid: motion files have no texts; expected --pairs FILE"),
        (["--physics", "@bad.npy"], "bad.npy: not a .npy or .npz file"),
        (["--physics", "@absent.npy"], "absent.npy: no such file"),
        (["--physics", "@bad.npy", "--pairs", "@pairs.jsonl"], "motion files and --pairs: expected one"),
        (["--physics", "@bad.npy", "--data", "@data"], "motion files and --data: expected one"),
        (["--physics", "--pairs", "@empty.jsonl"], "the input is empty"),
        (["--physics", "--pairs", "@absent.jsonl"], "absent.jsonl: no such file"),
        (["--physics", "--pairs", "@bad.npy"], "expected a 'text' for every line"),
        (["--physics", "--pairs", "@pairs.jsonl", "--split", "val"], "--split: belongs to --data DIR"),
        (["--physics", "--data", "@data", "--split", "val"], "val.txt: missing"),
        (["--physics", "--data", "@tiny"], "no data set here"),
        (["--fid", "--data", "@kit"], "kit: kit motions (21 joints); tiny was trained on humanml3d"),
        (["--retrieval", "--data", "@kit"], "reads humanml3d, these motions are kit"),
        (["--reconstruction", "@kit/new_joints/k.npy"], "k.npy: kit motions (21 joints)"),
        (["--fid", "--data", "@data", "--evaluator", "nobody"], "evaluator nobody: expected guo:PATH"),
        (["--physics", "--data", "@data", "--protocol", "mine"], "protocol 'mine'"),
        (["--physics", "--data", "@data", "--output", "a.doc"], "--output a.doc: expected a name that"),
        (
            ["--physics", "--data", "@data", "--plot", "a.doc"],
            "--plot a.doc: expected a name that ends in .png",
        ),
        (["--physics", "--data", "@data", "--fail-on-regression"], "needs --baseline FILE"),
        (["--physics", "--data", "@data", "--baseline", "@bad.npy"], "bad.npy: not JSON"),
        (["--physics", "--data", "@data", "--baseline", "@list.json"], "list.json: no figures in it"),
        (["--bertscore", "--data", "@data", "--bertscore-preset", "x"], "preset 'x': expected field"),
        (["--physics", "--data", "@data", "--device", "tpu"], "--device tpu"),
    ],
)
def test_mistakes_get_one_sentence(work: Path, words: list[str], message: str) -> None:
    named = [str(work / w[1:]) if w.startswith("@") else w for w in words]
    done = lamp("score", *named, "--model", work / "tiny", "--seed", "0")
    assert (done.returncode, done.stdout) == (2, "")
    *notes, told = done.stderr.splitlines()
    assert message in told and told.startswith("lamp: ")
    # What a reader of motions assumed may stand before.
    assert all("frames per second assumed" in line for line in notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--physics", "@data/new_joints", "--limit", "1"], "--limit: every motion file"),
        (["--physics", "@data/new_joints/c000.npy", "--recursive"], "--recursive: belongs to folders"),
        (["--physics", "@data/new_joints/c000.npy", "--guidance", "9"], "--guidance: nothing is generated"),
        (["--mm-dist", "--pairs", "@pairs.jsonl", "--guidance", "9"], "--guidance: nothing is generated"),
        (
            ["--mm-dist", "--pairs", "@pairs.jsonl", "--candidates", "16"],
            "--candidates: nothing is generated",
        ),
        (
            ["--mm-dist", "--pairs", "@pairs.jsonl", "--precision", "fp32"],
            "--precision: nothing is generated",
        ),
        (["--mm-dist", "--pairs", "@pairs.jsonl", "--raw"], "--raw: belongs to"),
        (["--retrieval", "--pairs", "@pairs.jsonl", "--data", "@data"], "--data: no true motion is needed"),
        (["--retrieval", "--data", "@data", "--steps", "3"], "--steps: nothing is generated"),
        (["--retrieval", "--data", "@data", "--top-fraction", "1"], "--top-fraction: nothing is generated"),
        (["--fid", "--data", "@data", "--rerank", "3"], "--rerank: belongs to --retrieval"),
        (["--fid", "--data", "@data", "--top-fraction", "0"], "top_fraction: expected a share above 0"),
        (["--retrieval", "--data", "@data", "--repetitions", "3"], "--repetitions: no figure"),
        (["--mm-dist", "--data", "@data", "--fps", "30"], "--fps: a data set has the rate"),
        (["--mm-dist", "--data", "@data", "--raw"], "--raw: belongs to --bertscore and --physics"),
        (["--physics", "--pairs", "@pairs.jsonl", "--evaluator", "lamp"], "--evaluator: no figure"),
        (["--mm-dist", "--pairs", "@pairs.jsonl", "--bertscore-encoder", "lamp"], "--bertscore-encoder: no"),
        (["--physics", "--pairs", "@pairs.jsonl", "--bertscore-preset", "field"], "--bertscore-preset: no"),
        (
            ["--mm-dist", "--pairs", "@pairs.jsonl", "--protocol", "raw"],
            "--protocol raw: belongs to --captions",
        ),
        (
            ["--retrieval", "--pairs", "@pairs.jsonl", "--protocol", "all", "--dissimilar", "@data/test.txt"],
            "--dissimilar: belongs to --retrieval",
        ),
        (["--physics", "--pairs", "@pairs.jsonl", "--force"], "--force: belongs to --output and --plot"),
    ],
)
def test_options_that_would_change_nothing_are_refused(work: Path, words: list[str], message: str) -> None:
    named = [str(work / w[1:]) if w.startswith("@") else w for w in words]
    done = lamp("score", *named, "--model", work / "tiny", "--seed", "0")
    assert (done.returncode, done.stdout) == (2, "") and f"lamp: {message}" in done.stderr


def test_folders_are_measured_and_bad_files_left_out(work: Path, tmp_path: Path) -> None:
    for n in range(2):
        shutil.copy(work / f"data/new_joints/c00{n}.npy", tmp_path)
    (tmp_path / "deeper").mkdir()
    shutil.copy(work / "data/new_joints/c002.npy", tmp_path / "deeper")
    words = ["score", "--physics"]
    assert {r["pool"] for r in lamp(*words, tmp_path).rows} == {2}
    assert {r["pool"] for r in lamp(*words, tmp_path, "--recursive").rows} == {3}
    # What a folder brings may be no motion; what was named, or came down a pipe, makes the exit code 1.
    shutil.copy(work / "bad.npy", tmp_path)
    assert {r["pool"] for r in lamp(*words, tmp_path).rows} == {2}
    twice = lamp(*words, tmp_path / "c000.npy", tmp_path)
    assert {r["pool"] for r in twice.rows} == {
        2
    } and "files that are named again count once: 1" in twice.stderr
    names = [str(tmp_path / name) for name in ("c000.npy", "bad.npy", "c001.npy")]
    for done in (
        lamp(*words, *names),
        lamp(*words, stdin="\n".join(names)),
        lamp(*words, "-", stdin="\n".join(names)),
    ):
        assert done.returncode == 1 and "bad.npy: not a .npy or .npz file" in done.stderr
        assert {json.loads(line)["pool"] for line in done.stdout.splitlines()} == {2}
    lines = [json.dumps({"text": "a", "motion": name}) for name in names]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    done = lamp(*words, "--pairs", tmp_path / "pairs.jsonl", *rest(work))
    assert done.returncode == 1 and "left out: " in done.stderr
    assert {json.loads(line)["pool"] for line in done.stdout.splitlines()} == {2}


def test_pairs_are_measured_at_their_rate(work: Path, tmp_path: Path) -> None:
    file = str(work / "data/new_joints/c000.npy")

    def jitter(*words: str | Path, **line: float) -> float:
        (tmp_path / "p.jsonl").write_text(json.dumps({"text": "a", "motion": file, **line}))
        rows = lamp("score", "--physics", "--pairs", tmp_path / "p.jsonl", *words, "--seed", "1").rows
        return next(r["value"] for r in rows if r["metric"].startswith("jitter"))  # type: ignore[no-any-return]

    assert jitter("--fps", "40") == jitter(fps=40) == jitter("--fps", "60", fps=40) == 8 * jitter()


def test_bertscores_encoder_reads_in_the_precision_that_is_asked_for(work: Path) -> None:
    words = ["score", "--bertscore", "--pairs", work / "pairs.jsonl", *rest(work), *ENCODER]
    done = lamp(*words, "--precision", "bf16")
    if has_bf16(torch.device("cpu")):
        assert done.rows and all(r["evaluator"].endswith(", layer 2, bf16") for r in done.rows)
    else:
        assert done.returncode == 2 and "precision bf16: this cpu has no instructions" in done.stderr
    assert all(r["evaluator"].endswith(", layer 2") for r in lamp(*words).rows)


def test_a_wrong_evaluator_is_told_before_anything_is_loaded(work: Path) -> None:
    words = ["--bertscore", "--fid", "--data", work / "data", "--seed", "0"]
    for wrong, told in (("nobody", "evaluator nobody: expected guo:PATH"), (f"guo:{work}", "no finest.tar")):
        done = lamp("score", *words, "--evaluator", wrong, "--model", work / "no model either")
        assert done.returncode == 2 and told in done.stderr


def test_a_figure_that_cannot_be_measured_leaves_the_others(work: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", "--seed", "0"]
    done = lamp(*words, "--bertscore", "--r-precision", "--physics", *ENCODER, "--model", work / "mute")
    assert {FIGURES[r["metric"]].metric for r in done.rows} == {"physics"}
    assert "LaMP-BertScore: tiny has no captioner; `lamp pretrain --stage captioner`" in done.stderr
    assert "R-precision: needs batches of 32 pairs, found 4" in done.stderr
    nothing = lamp(*words, "--r-precision", "--model", work / "mute")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr.splitlines()[-1] == "lamp: nothing could be measured"


def test_a_drawn_seed_is_told(work: Path) -> None:
    words = ["score", "--pairs", work / "pairs.jsonl", "--mm-dist", "--model", work / "tiny"]
    done = lamp(*words)
    assert f"seed {done.rows[0]['seed']}" in done.stderr.splitlines()
