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
from ..inference.caption import caption
from ..metrics.bertscore import BertScore, BertScoreConfig, bert_score
from ..metrics.bleu import LengthRule, corpus_bleu
from ..metrics.captions import ReferenceProtocol, plain_words, references, whitespace_words
from ..metrics.cider import cider_d
from ..metrics.matching import DIRECTIONS, POOL, mm_dist
from ..metrics.measurement import GENERATED, GROUND_TRUTH, SHUFFLED, Measurement, mean_and_interval
from ..metrics.rouge import Convention, rouge_l
from ..motion.clip_length import LONGEST_CLIP
from ..motion.motion import Motion
from .evaluators import Evaluator
from .figures import BERTSCORE, CAPTIONED, CAPTIONS, Figure, Repeated, Report, ScoreOptions
from .matching import Embedded, Names, embedded, joined, r_precision_of
from .models import CAPTIONING, Models
from .sources import Described, Example

LAMP_BERTSCORE = "LaMP-BertScore"
# Who introduced ranking in which direction.
_RANKED_BY: dict[str, str] = {"text-to-motion": "MotionGPT", "motion-to-text": "TM2T"}
_LENGTH_RULES: tuple[LengthRule, ...] = ("closest", "shortest")
_CONVENTIONS: tuple[Convention, ...] = ("rouge-score", "coco")


class Describer:
    """Captions of motions by the bundle's captioner; those that came with a motion are taken as they are."""

    def __init__(self, models: Models, figure: str):
        self._models = models
        self._figure = figure
        self._truths: dict[str, str] = {}
        self.given = False

    def sentences(self, motions: Sequence[Motion], given: Sequence[str | None]) -> list[str]:
        """A caption for every motion; raises ``FigureNotAllowed`` when one is needed and none can be made."""
        missing = [motion for motion, text in zip(motions, given, strict=True) if text is None]
        self.given |= len(missing) < len(motions)
        made = iter(self._captions(missing))
        return [next(made) if text is None else text for text in given]

    def of_truth(self, ids: Sequence[str], motions: Sequence[Motion]) -> list[str]:
        """Captions of true motions, each made once."""
        new = [(i, motion) for i, motion in zip(ids, motions, strict=True) if i not in self._truths]
        made = self._captions([motion for _, motion in new])
        self._truths.update(zip((i for i, _ in new), made, strict=True))
        return [self._truths[i] for i in ids]

    @property
    def possible(self) -> bool:
        """Whether there is a captioner."""
        return self._models.captions

    @property
    def name(self) -> str:
        """Whose captions these are."""
        return "given captions" if self.given else f"captions by {self._models.bundle.config.name}"

    def _captions(self, motions: Sequence[Motion]) -> list[str]:
        if not motions:
            return []
        bundle = self._models.describing(self._figure)
        return [moments[0].text for moments in caption(bundle, motions, CAPTIONING)]


class LampBertScore:
    """Gathers texts and captions batch by batch; measures at the end."""

    def __init__(self, describer: Describer):
        self._describer = describer
        self._texts: list[str] = []
        self._generated: list[str] = []
        self._truth: list[tuple[str, str]] = []

    def add(self, batch: Sequence[Example], report: Report) -> None:
        """Caption the motions of a batch and, where there are some, its true motions.

        Raises ``FigureNotAllowed`` when a generated motion needs a captioner and there is none.
        """
        self._generated += self._describer.sentences(
            [e.generated for e in batch], [e.described for e in batch]
        )
        self._texts += [e.caption.text for e in batch]
        true = [(e, e.truth) for e in batch if e.truth is not None]
        if true and not self._describer.possible:
            report.note(f"{LAMP_BERTSCORE}: true motions are there, but no captioner to describe them")
            return
        found = self._describer.of_truth([e.id for e, _ in true], [motion for _, motion in true])
        self._truth += [(text, e.caption.text) for text, (e, _) in zip(found, true, strict=True)]

    def measurements(self, models: Models, options: ScoreOptions, report: Report) -> list[Measurement]:
        """Precision, recall and F1 with both controls; intervals are over sentences.

        The idf comes from the texts that are compared with, the same for the first and the shuffled row.
        """
        rng = options.stream(BERTSCORE)
        rows = [(GENERATED, self._generated, self._texts)]
        if self._truth:
            described, said = ([pair[n] for pair in self._truth] for n in (0, 1))
            rows.append((GROUND_TRUTH, described, said))
        else:
            report.note(f"{LAMP_BERTSCORE}: no ground-truth row, because no true motion was described")
        if len(set(self._texts)) > 1:
            rows.append((SHUFFLED, self._generated, shuffled(self._texts, rng)))
        else:
            report.note(f"{LAMP_BERTSCORE}: no row of shuffled texts, because there is only one text")
        found = []
        for subject, candidates, texts in rows:
            score = bert_score(candidates, [[text] for text in texts], models.encoder, models.bertscore)
            evaluator = f"{self._describer.name}; {models.encoder.name}"
            protocol = options.labelled(bertscore_protocol(models.bertscore))
            found += [
                Measurement(
                    f"{LAMP_BERTSCORE} {name}",
                    *mean_and_interval(values),
                    protocol,
                    evaluator,
                    len(candidates),
                    1,
                    options.seed,
                    subject,
                )
                for name, values in _parts(score).items()
            ]
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
    batches: Iterable[list[Described]],
    describer: Describer,
    models: Models,
    evaluators: Sequence[Evaluator],
    options: ScoreOptions,
    report: Report,
) -> None:
    """BLEU, ROUGE-L, CIDEr-D and BERTScore of captions by each reference protocol; R-precision, MM-Dist.

    Raises ``FigureNotAllowed`` when the bundle has no captioner.
    """
    predictions: list[str] = []
    allowed: list[tuple[Caption, ...]] = []
    pairs: list[list[Embedded]] = [[] for _ in evaluators]
    for batch in batches:
        if any(item.described for item in batch):
            said = describer.sentences([i.motion for i in batch], [i.described for i in batch])
        else:
            said = describer.of_truth([i.id for i in batch], [i.motion for i in batch])
        predictions += said
        allowed += [item.references for item in batch]
        features = [item.motion.to_features()[:LONGEST_CLIP] for item in batch]
        for evaluator, parts in zip(evaluators, pairs, strict=True):
            parts.append(embedded(evaluator, [Caption(text) for text in said], features))
    protocols: tuple[ReferenceProtocol, ...] = ("tokens", "raw")
    named = options.named_protocols(CAPTIONS)
    for protocol in protocols:
        if not named or protocol in named:
            report.measurements += text_figures(
                predictions, allowed, protocol, describer.name, models, options
            )
    if len(predictions) < 2:
        report.refuse("CIDEr-D", "its document frequencies need at least 2 clips, found 1")
    for evaluator, parts in zip(evaluators, pairs, strict=True):
        _match(joined(parts), evaluator, describer.name, options, report)


def text_figures(
    predictions: Sequence[str],
    captions: Sequence[Sequence[Caption]],
    protocol: ReferenceProtocol,
    source: str,
    models: Models,
    options: ScoreOptions,
) -> list[Measurement]:
    """All figures on words by one reference protocol; predictions are scored as they were made.

    Under ``tokens`` words are what white space separates (TM2T); under ``raw`` case and punctuation are
    no part of them (MotionGPT), but for BERTScore, whose encoder reads the sentences. ``source`` says whose
    captions they are.
    """
    references_of = [references([c.text for c in cs], [_tokens(c) for c in cs], protocol) for cs in captions]
    cut = whitespace_words if protocol == "tokens" else plain_words
    words = [cut(text) for text in predictions]
    allowed = [[cut(text) for text in three] for three in references_of]
    found: list[tuple[str, float, str]] = []
    for rule in _LENGTH_RULES:
        bleu = corpus_bleu(words, allowed, rule)
        found += [(f"BLEU-{n}", bleu[n - 1], f"{protocol}, {rule} length") for n in (1, 4)]
    found += [("ROUGE-L", rouge_l(words, allowed, c), f"{protocol}, {c}") for c in _CONVENTIONS]
    if len(words) > 1:
        found.append(("CIDEr-D", cider_d(words, allowed), protocol))
    pool, seed = len(predictions), options.seed
    figures = [
        Measurement(name, value, None, how, source, pool, 1, seed, CAPTIONED) for name, value, how in found
    ]
    score = bert_score(
        predictions, [list(three) for three in references_of], models.encoder, models.bertscore
    )
    how, judge = f"{protocol}, {bertscore_protocol(models.bertscore)}", f"{source}; {models.encoder.name}"
    return figures + [
        Measurement(f"BERTScore {name}", *mean_and_interval(values), how, judge, pool, 1, seed, CAPTIONED)
        for name, values in _parts(score).items()
    ]


def _match(pairs: Embedded, evaluator: Evaluator, source: str, options: ScoreOptions, report: Report) -> None:
    """R-precision in both directions and MM-Dist of captions against their motions."""
    values = Repeated()
    judge = f"{evaluator.name}; {source}"
    names = Names("guo", options)
    with report.refusing():
        for direction in DIRECTIONS:
            name = f"{names.of(evaluator, 'r-precision')}, {direction} ({_RANKED_BY[direction]})"
            for stream in options.stream(CAPTIONS).spawn(options.repetitions):
                for k, value in r_precision_of(pairs, stream, direction).items():
                    values.add(Figure(f"caption R-precision top {k}", name, judge, POOL, CAPTIONED), value)
    dist = mm_dist(pairs.texts, pairs.motions)
    name = names.of(evaluator, "mm-dist")
    values.add(Figure("caption MM-Dist", name, judge, len(pairs), CAPTIONED), dist)
    report.measurements += values.measurements(options.seed)


def _tokens(caption: Caption) -> tuple[str, ...]:
    """``word/POS`` tokens; a sentence without letters keeps what it has."""
    return tokens_of(caption) or tuple(f"{word}/OTHER" for word in caption.text.split())


def _parts(score: BertScore) -> dict[str, np.ndarray]:
    return {"precision": score.precision, "recall": score.recall, "F1": score.f1}
