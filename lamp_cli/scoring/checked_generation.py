"""Motions that were drawn until the check of joints finds in them what their sentence says.

The check (room ``checking``) reads the sentence; a motion is drawn again until it says yes. Of a sentence
that it judges only in part, a draw is good when it says yes of every part that it judges. Stands above
``inference``, which knows no check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..bundle.bundle import Bundle
from ..checking.sentence import NO, UNKNOWN, YES, Checked, check
from ..data.batches import batched
from ..inference import BATCH_SIZE
from ..inference.generate import Draw, GenerateOptions, Prompt, check_prompt, draws_of, generate_draws
from ..inference.known_words import quoted
from ..motion.motion import Motion
from ..motion.skeleton import HUMANML3D

# How often a motion is drawn at most where nobody says how often.
MOST_DRAWS = 8
_ORDER = (NO, UNKNOWN, YES)


@dataclass(frozen=True)
class CheckedMotion:
    """A motion that was kept, and why.

    motion: the motion.
    draw: the draw that it is; with the seed it makes the motion again.
    checked: the verdict on it.
    draws: how many were drawn until it was kept.
    """

    motion: Motion
    draw: Draw
    checked: Checked
    draws: int

    @property
    def sentence(self) -> str:
        """What the check says, and after how many draws."""
        drawn = "1 draw" if self.draws == 1 else f"{self.draws} draws"
        missing = next((c for c in self.checked.clauses if c.verdict == self.checked.verdict != YES), None)
        why = "" if missing is None else f" ({missing.asked}: {missing.reason})"
        return f"check: {quoted(self.motion.text)}: {self.checked.verdict} after {drawn}{why}"


def generate_checked(
    bundle: Bundle, prompts: Sequence[Prompt], options: GenerateOptions, most: int = MOST_DRAWS
) -> Iterator[CheckedMotion]:
    """A motion for every sample of every prompt, in order: the first draw whose check is good.

    Where none of ``most`` draws is, the best of them is kept, the first of equals. The first draw is what
    :func:`generate` makes; of the n draws of a sentence that it makes, the first is drawn again as number n,
    2n and so on, so no two draws are one. Raises ``ValueError`` as :func:`generate` does, for fewer than one
    draw, and for a bundle of another skeleton than the checks read.
    """
    if most < 1:
        raise ValueError(f"draws: expected at least 1, found {most}")
    if bundle.skeleton.name != HUMANML3D.name:
        raise ValueError(
            f"{bundle.config.name} makes {bundle.skeleton.name} motions; a check reads {HUMANML3D.name}"
        )
    for prompt in prompts:
        check_prompt(bundle, prompt, options.context_tokens)
    draws = draws_of(prompts, options.samples)
    of_sentence = Counter(draw.prompt.sentence for draw in draws)
    for batch in batched(draws, BATCH_SIZE):
        yield from _until_good(bundle, batch, of_sentence, options, most)


def _until_good(
    bundle: Bundle, draws: Sequence[Draw], of_sentence: Counter[str], options: GenerateOptions, most: int
) -> list[CheckedMotion]:
    kept: dict[int, CheckedMotion] = {}
    waiting = list(range(len(draws)))
    for number in range(most):
        again = [_again(draws[place], number, of_sentence) for place in waiting]
        for place, draw, motion in zip(waiting, again, generate_draws(bundle, again, options), strict=True):
            found = CheckedMotion(motion, draw, check(motion), number + 1)
            best = kept.get(place, found)
            best = found if _rank(found.checked) > _rank(best.checked) else best
            kept[place] = replace(best, draws=number + 1)
        waiting = [place for place in waiting if _undone(kept[place].checked)]
        if not waiting:
            break
    return [kept[place] for place in range(len(draws))]


def _again(draw: Draw, number: int, of_sentence: Counter[str]) -> Draw:
    return replace(draw, sample=draw.sample + number * of_sentence[draw.prompt.sentence])


def _rank(checked: Checked) -> tuple[int, int]:
    """The verdict, then how many clauses that another motion could do are not done."""
    return _ORDER.index(checked.verdict), -_undone(checked)


def _undone(checked: Checked) -> int:
    """In how many clauses another draw could do better, as far as is judged."""
    return sum(clause.judged and clause.verdict != YES for clause in checked.clauses)
