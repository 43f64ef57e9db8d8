"""Figures on sentences: LaMP-BertScore of generated motions, and the field's figures on captions.

Source: LaMP section 4 (LaMP-BertScore: caption the motion, compare with its text); TM2T and MotionGPT
(captioning). The captioner judges its own family, so LaMP-BertScore always stands beside the captions
of true motions and beside shuffled texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..data.captions import Caption
from ..data.word_tokens import tokens_of
from ..inference.caption import CaptionOptions
from ..inference.caption import caption as caption_motions
from ..metrics.bertscore import BertScoreConfig, bert_score
from ..metrics.captioning import CAPTION_PROTOCOLS, caption_figures
from ..metrics.captions import references
from ..metrics.matching import DIRECTIONS, POOL, mm_dist
from ..metrics.measurement import GENERATED, GROUND_TRUTH, SHUFFLED, Measurement, mean_and_interval
from ..motion.clip_length import LONGEST_CLIP
from ..motion.motion import Motion
from ..motion.skeleton import HUMANML3D
from .embedded import Embedded, embedded, evaluator_protocol, joined, r_precision_of
from .evaluators import Evaluator
from .faithfulness import Faithfulness
from .figures import BERTSCORE, CAPTIONED, CAPTIONS, Figure, MotionOrigin, Repeated, Report, ScoreOptions
from .models import Models
from .scored_motions import Example

LAMP_BERTSCORE = "LaMP-BertScore"
# Who introduced ranking in which direction.
_RANKED_BY: dict[str, str] = {"text-to-motion": "MotionGPT", "motion-to-text": "TM2T"}
GIVEN_CAPTIONS = "given captions"


class MotionCaptions:
    """Captions of motions by the bundle's captioner, each made once; those that came with one are taken."""

    def __init__(self, models: Models, figure: str):
        self._models = models
        self._figure = figure
        # By whether the motion is a true one, and the number of its example.
        self._made: dict[tuple[bool, int], str] = {}

    def of_motions(self, batch: Sequence[Example], true: bool = False) -> list[str]:
        """A caption for the motion of every example; ``true`` where those are true motions.

        Raises ``FigureNotAllowed`` when one must be made and the bundle has no captioner.
        """
        given = [e.given_caption for e in batch if e.given_caption is not None]
        return given if given else self._captions([((true, e.number), e.motion) for e in batch])

    def of_truths(self, batch: Sequence[Example]) -> list[str]:
        """A caption for every true motion of the examples."""
        return self._captions([((True, e.number), e.truth) for e in batch if e.truth is not None])

    @property
    def possible(self) -> bool:
        """Whether there is a captioner."""
        return self._models.captions

    @property
    def name(self) -> str:
        """Whose captions those that are made are."""
        config = self._models.config
        consensus = 0 if config.model.captioner is None else config.model.captioner.consensus
        return f"captions by {config.name}" + (f", consensus of {consensus}" if consensus else "")

    def _captions(self, motions: Sequence[tuple[tuple[bool, int], Motion]]) -> list[str]:
        new = {key: motion for key, motion in motions if key not in self._made}
        if new:
            bundle = self._models.captioning_bundle(self._figure)
            moments = caption_motions(bundle, list(new.values()), CaptionOptions())
            self._made.update(zip(new, (several[0].text for several in moments), strict=True))
        return [self._made[key] for key, _ in motions]


class LampBertScore:
    """Gathers texts and captions batch by batch; measures at the end."""

    def __init__(self, captions: MotionCaptions, origin: MotionOrigin):
        self._captions = captions
        self._origin = origin
        self._texts: list[str] = []
        self._predictions: list[str] = []
        self._given = False
        self._truth: list[tuple[str, str]] = []

    def add(self, batch: Sequence[Example], report: Report) -> None:
        """Caption the motions of a batch and, where there are some, its true motions.

        Raises ``FigureNotAllowed`` when a motion needs a captioner and there is none.
        """
        self._predictions += self._captions.of_motions(batch)
        self._given |= any(e.given_caption is not None for e in batch)
        self._texts += [e.caption.text for e in batch]
        true = [e for e in batch if e.truth is not None]
        if true and not self._captions.possible:
            report.note(f"{LAMP_BERTSCORE}: true motions are there, but no captioner to describe them")
            return
        texts = (e.caption.text for e in true)
        self._truth += zip(self._captions.of_truths(true), texts, strict=True)

    def measurements(self, models: Models, options: ScoreOptions, report: Report) -> list[Measurement]:
        """Precision, recall and F1 with both controls; intervals are over sentences.

        The idf comes from the texts that are compared with, the same for the first and the shuffled row.
        """
        captioner = GIVEN_CAPTIONS if self._given else self._captions.name
        rows = [(self._origin.subject, captioner, self._predictions, self._texts)]
        if self._truth:
            true_captions, texts = ([pair[n] for pair in self._truth] for n in (0, 1))
            rows.append((GROUND_TRUTH, self._captions.name, true_captions, texts))
        else:
            report.note(f"{LAMP_BERTSCORE}: no ground-truth row, because no true motion was described")
        if len(set(self._texts)) > 1:
            rows.append(
                (SHUFFLED, captioner, self._predictions, shuffled(self._texts, options.stream(BERTSCORE)))
            )
        else:
            report.note(f"{LAMP_BERTSCORE}: no row of shuffled texts, because there is only one text")
        protocol = self._origin.labelled(bertscore_protocol(models.bertscore))
        found = []
        for subject, captioner, predictions, texts in rows:
            score = bert_score(predictions, [[text] for text in texts], models.encoder, models.bertscore)
            for name, values in score.parts().items():
                judge = f"{captioner}; {models.encoder.name}"
                figure = Figure(f"{LAMP_BERTSCORE} {name}", protocol, judge, len(predictions), subject)
                found.append(figure.measured(*mean_and_interval(values), options.seed))
        return found


def shuffled(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Every text at another's place, drawn by chance; none meets an equal one unless most are equal.

    Raises ``ValueError`` for fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"expected at least 2 texts to shuffle, found {len(texts)}")
    distinct, counts = np.unique(np.array(texts, dtype=object), return_counts=True)
    rank = {text: int(place) for text, place in zip(distinct, rng.permutation(len(distinct)), strict=True)}
    # Equal sentences stand together: a step as long as the largest group leaves every group.
    order = sorted(range(len(texts)), key=lambda number: rank[texts[number]])
    step = min(int(counts.max()), len(texts) - 1)
    result = [""] * len(texts)
    for place, number in enumerate(order):
        result[number] = texts[order[(place + step) % len(order)]]
    return result


def bertscore_protocol(config: BertScoreConfig) -> str:
    """How BERTScore weighs and scales."""
    weights = "idf" if config.idf else "no idf"
    return f"{weights}, {'rescaled' if config.baseline else 'not rescaled'}, mean over sentences"


def score_captions(
    batches: Iterable[list[Example]],
    captions: MotionCaptions,
    models: Models,
    evaluators: Sequence[Evaluator],
    options: ScoreOptions,
    origin: MotionOrigin | None,
    report: Report,
) -> None:
    """BLEU, ROUGE-L, CIDEr-D and BERTScore of captions by each protocol; R-precision, MM-Dist; what they say
    falsely or leave out, of motions whose joints the checks read.

    ``origin`` is where the motions come from, None for true ones. Raises ``FigureNotAllowed`` when the bundle
    has no captioner.
    """
    predictions: list[str] = []
    allowed: list[tuple[Caption, ...]] = []
    pairs: list[list[Embedded]] = [[] for _ in evaluators]
    captioner, faithful = captions.name, Faithfulness()
    for batch in batches:
        said = captions.of_motions(batch, true=origin is None)
        for example, text in zip(batch, said, strict=True):
            if example.motion.skeleton.name == HUMANML3D.name:
                faithful.add(example.motion, text, [c.text for c in example.references or example.captions])
        if batch[0].given_caption is not None:
            captioner = GIVEN_CAPTIONS
        predictions += said
        allowed += [example.references or example.captions for example in batch]
        features = [example.motion.to_features()[:LONGEST_CLIP] for example in batch]
        for evaluator, parts in zip(evaluators, pairs, strict=True):
            parts.append(embedded(evaluator, [Caption(text) for text in said], features))
    origin = origin or MotionOrigin(GENERATED)
    report.measurements += text_figures(predictions, allowed, captioner, origin, models, options)
    faithful.report(captioner, options.seed, report)
    if len(predictions) < 2:
        report.refuse("CIDEr-D", "its document frequencies need at least 2 clips, found 1")
    for evaluator, parts in zip(evaluators, pairs, strict=True):
        _match(joined(parts), evaluator, captioner, origin, options, report)


def text_figures(
    predictions: Sequence[str],
    captions: Sequence[Sequence[Caption]],
    captioner: str,
    origin: MotionOrigin,
    models: Models,
    options: ScoreOptions,
) -> list[Measurement]:
    """All figures on words by the protocols asked for; predictions are scored as they were made.

    ``captions`` are those that each prediction is compared with; ``captioner`` says who made the predictions.
    BERTScore reads whole sentences: it is the same for protocols of the same references.
    """
    named = options.named_protocols(CAPTIONS)
    chosen = [protocol for protocol in CAPTION_PROTOCOLS if not named or protocol.name in named]
    pool, seed, found = len(predictions), options.seed, []
    compared = {
        kind: [
            references([c.text for c in several], [_tokens(c) for c in several], kind) for several in captions
        ]
        for kind in dict.fromkeys(protocol.references for protocol in chosen)
    }
    for protocol in chosen:
        how = origin.labelled(protocol.label)
        for name, value in caption_figures(predictions, compared[protocol.references], protocol).items():
            found.append(Figure(name, how, captioner, pool, CAPTIONED).measured(value, seed=seed))
    for kind, several in compared.items():
        score = bert_score(predictions, several, models.encoder, models.bertscore)
        how = origin.labelled(f"{kind}, {bertscore_protocol(models.bertscore)}")
        for name, values in score.parts().items():
            judge = f"{captioner}; {models.encoder.name}"
            figure = Figure(f"BERTScore {name}", how, judge, pool, CAPTIONED)
            found.append(figure.measured(*mean_and_interval(values), seed))
    return found


def _match(
    pairs: Embedded,
    evaluator: Evaluator,
    captioner: str,
    origin: MotionOrigin,
    options: ScoreOptions,
    report: Report,
) -> None:
    """R-precision in both directions and MM-Dist of captions against their motions."""
    values, judge, base = Repeated(), f"{evaluator.name}; {captioner}", origin.labelled("guo")
    with report.refusing():
        for direction in DIRECTIONS:
            protocol = evaluator_protocol(base, evaluator, matched=True)
            ranked = f"{protocol}, {direction} ({_RANKED_BY[direction]})"
            for stream in options.stream(CAPTIONS).spawn(options.repetitions if len(pairs) > POOL else 1):
                for k, value in r_precision_of(pairs, stream, direction).items():
                    values.add(Figure(f"caption R-precision top {k}", ranked, judge, POOL, CAPTIONED), value)
    dist = mm_dist(pairs.texts, pairs.motions)
    protocol = evaluator_protocol(base, evaluator)
    values.add(Figure("caption MM-Dist", protocol, judge, len(pairs), CAPTIONED), dist)
    report.measurements += values.measurements(options.seed)


def _tokens(caption: Caption) -> tuple[str, ...]:
    """``word/POS`` tokens; a sentence without letters keeps what it has."""
    return tokens_of(caption) or tuple(f"{word}/OTHER" for word in caption.text.split())
