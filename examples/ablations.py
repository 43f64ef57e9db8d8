"""Every row of the paper's ablation tables on one data set: trains, scores, prints one table.

    python examples/ablations.py --data HumanML3D --output ablations --evaluator guo:checkpoints/t2m
        --clip openai/clip-vit-base-patch32 -- --size paper

What follows `--` goes to every `lamp pretrain` (`--size`, `--config`, `--set`, `--device`, ...). Rows: each
of LaMP's four objectives off (table 5); what of a sentence the generator is told (table 6; the row of CLIP
where --clip says which); causal or bidirectional attention. All rows share the motion tokenizer of the first
one, and those that change the generator alone its LaMP too; what they change is trained from the beginning.
Without --evaluator one of Guo et al.'s design is trained on the data. A killed call goes on where it was.
Source: LaMP, ICLR 2025, section 4.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

METRICS = ("FID", "R-precision top 1", "R-precision top 2", "R-precision top 3", "MM-Dist")
CORE = ("tokenizer", "lamp", "generator")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    title: what is printed.
    folder: of its bundle, within the output.
    options: of `lamp pretrain`, what is another than in the first row.
    stages: what is trained for it.
    """

    title: str
    folder: str
    options: tuple[str, ...]
    stages: tuple[str, ...] = ("generator",)


FULL = Row("all objectives, query tokens, causal (the paper's)", "full", ("--condition", "query"), CORE)
OBJECTIVES = {
    "contrastive": "without motion-text contrastive (MTC)",
    "matching": "without motion-text matching (MTM)",
    "text_generation": "without motion-grounded text generation (MGT)",
    "motion_generation": "without text-grounded motion generation (TGM)",
}


def rows(clip: str | None) -> list[Row]:
    """The rows in the order of the tables, the full model first; ``clip`` is CLIP's folder or hub name."""
    query = FULL.options
    found = [FULL]
    for name, title in OBJECTIVES.items():
        options = (*query, "--without", name)
        found.append(Row(title, f"without-{name}", options, ("lamp", "generator")))
    found.append(Row("LaMP's text feature, no query tokens", "no-query", ("--condition", "no_query")))
    if clip is not None:
        found.append(Row("CLIP's text feature", "clip", ("--condition", f"clip:{clip}")))
    found.append(Row("every word of LaMP's text side (ours)", "words", ("--condition", "words")))
    found.append(Row("bidirectional attention", "bidirectional", (*query, "--bidirectional")))
    return found


def lamp(*words: str | Path) -> None:
    """One command of `lamp`; ends this program when it fails, with the line that it has written."""
    done = subprocess.run([sys.executable, "-m", "lamp_cli", *map(str, words)], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(done.returncode)


def train(row: Row, data: Path, output: Path, more: list[str]) -> Path:
    """The bundle of a row, trained on what it shares with the full model."""
    stages = [word for name in row.stages for word in ("--stage", name)]
    start: list[str | Path] = [] if row is FULL else ["--start-from", output / FULL.folder]
    anew = [] if row is FULL else [word for name in row.stages for word in ("--anew", name)]
    folder = output / row.folder
    lamp("pretrain", "--data", data, "--output", folder, *start, *stages, *anew, *row.options, *more)
    return folder


def score(
    folder: Path, data: Path, evaluator: str, repetitions: int, seed: int
) -> dict[tuple[str, str], dict]:
    """The figures of a bundle by metric and subject."""
    file = folder / "scores.jsonl"
    wanted = ("--fid", "--r-precision", "--mm-dist", "--evaluator", evaluator, "--candidates", "1")
    drawn = ("--repetitions", str(repetitions), "--seed", str(seed))
    lamp("score", "--data", data, "--model", folder, *wanted, *drawn, "--output", file, "--force")
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(line["metric"], line["subject"]): line for line in reversed(found)}


def table(figures: dict[str, dict[tuple[str, str], dict]]) -> str:
    """A table in Markdown of every row's figures, true motions first, and how they were measured."""
    first = next(iter(figures.values()))
    lines = ["| | FID | R@1 | R@2 | R@3 | MM-Dist |", "|---|---|---|---|---|---|"]
    lines.append(_line("true motions", first, "ground-truth"))
    lines += [_line(title, found, "generated") for title, found in figures.items()]
    how = next(line for (_, subject), line in first.items() if subject == "generated")
    told = f"Protocol: {how['protocol']}; evaluator: {how['evaluator']}; {how['repetitions']} repetitions"
    values = "mean" if how["interval"] is None else "mean and 95 % interval"
    return "\n".join([*lines, "", f"{told}; {values} of repeated scoring of one training each."])


def _line(title: str, found: dict[tuple[str, str], dict], subject: str) -> str:
    cells = []
    for metric in METRICS:
        line = found.get((metric, subject))
        interval = "" if line is None or line["interval"] is None else f" ± {line['interval']:.3f}"
        cells.append("-" if line is None else f"{line['value']:.3f}{interval}")
    return f"| {title} | {' | '.join(cells)} |"


def main(words: list[str]) -> None:
    """Train and score every row, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set in the HumanML3D layout")
    parser.add_argument("--output", type=Path, required=True, help="folder of all bundles")
    parser.add_argument("--evaluator", help="as `lamp score` takes it; one is trained when not given")
    parser.add_argument("--clip", help="CLIP's folder or hub name; its row is left out when not given")
    parser.add_argument("--repetitions", type=int, default=20, help="of scoring")
    parser.add_argument("--seed", type=int, default=0, help="of training and scoring")
    cut = words.index("--") if "--" in words else len(words)
    given, more = parser.parse_args(words[:cut]), [*words[cut + 1 :], "--seed"]
    more.append(str(given.seed))
    evaluator = given.evaluator
    if evaluator is None:
        evaluator = str(given.output / "evaluator")
        lamp("pretrain", "--data", given.data, "--output", evaluator, "--stage", "evaluator", *more)
    figures = {}
    for row in rows(given.clip):
        print(f"{row.title}: {given.output / row.folder}", file=sys.stderr)
        folder = train(row, given.data, given.output, more)
        figures[row.title] = score(folder, given.data, evaluator, given.repetitions, given.seed)
    print(table(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
