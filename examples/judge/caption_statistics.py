"""How made-up sentences compare with people's: ``python -m examples.judge.caption_statistics FILE``.

FILE holds people's captions (``.jsonl`` or one per line). Length, vocabulary, and the share of one
side's words and word pairs that the other side knows, weighed by how often they are said.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamp_cli.data.sentences import read_sentences
from lamp_cli.synthetic.corpus import synthetic_clips

SHOWN = 25


@dataclass(frozen=True)
class Statistics:
    """Counts of words and of pairs of neighbours, and the number of words of each sentence (N,)."""

    words: Counter[str]
    pairs: Counter[tuple[str, str]]
    lengths: np.ndarray


def statistics_of(sentences: Iterable[str]) -> Statistics:
    """Count lower-case words of letters; raises ``ValueError`` when there is no sentence."""
    rows = [re.findall(r"[a-z]+", sentence.lower()) for sentence in sentences]
    if not rows:
        raise ValueError("no sentences to count")
    words = Counter(word for row in rows for word in row)
    pairs = Counter(pair for row in rows for pair in itertools.pairwise(row))
    return Statistics(words, pairs, np.array([len(row) for row in rows]))


def known_share(said: Counter, known: Counter) -> float:
    """The share of what is said (each as often as it is said) that is known, in percent."""
    return 100 * sum(n for key, n in said.items() if key in known) / max(sum(said.values()), 1)


def table(synthetic: Statistics, human: Statistics) -> list[str]:
    """Lines for people, both sides beside each other."""
    sides = (synthetic, human)
    rows: list[tuple[str, Sequence[float]]] = [
        ("sentences", [len(s.lengths) for s in sides]),
        ("words per sentence, mean", [float(s.lengths.mean()) for s in sides]),
        *[
            (f"words per sentence, {q}th percentile", [float(np.percentile(s.lengths, q)) for s in sides])
            for q in (5, 50, 95)
        ],
        ("different words", [len(s.words) for s in sides]),
        (
            "said words the other side knows, %",
            _known(synthetic.words, human.words),
        ),
        (
            "said pairs the other side knows, %",
            _known(synthetic.pairs, human.pairs),
        ),
    ]
    lines = [f"{'':42s} {'synthetic':>10s} {'people':>10s}"]
    lines += [f"{name:42s} {values[0]:10.1f} {values[1]:10.1f}" for name, values in rows]
    for name, here, there in (("people", human, synthetic), ("synthetic", synthetic, human)):
        only = [word for word, _ in here.words.most_common() if word not in there.words][:SHOWN]
        lines.append(f"most frequent words of {name} alone: {' '.join(only)}")
    return lines


def _known(first: Counter, second: Counter) -> list[float]:
    return [known_share(first, second), known_share(second, first)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path, help="people's captions")
    parser.add_argument("--clips", type=int, default=1500, help="synthetic clips to draw")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clips = synthetic_clips(options.clips, options.seed)
    synthetic = statistics_of(caption for clip in clips for caption in clip.captions)
    print("\n".join(table(synthetic, statistics_of(read_sentences(options.captions)))))


if __name__ == "__main__":
    main()
