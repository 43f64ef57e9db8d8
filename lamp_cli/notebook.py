"""The notebook's door: a trained model whose methods are the commands of the command line.

Each method takes what its command takes, with the same defaults, and gives the same result.
"""

from __future__ import annotations

import dataclasses
import secrets
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from .bundle.bundle import Bundle, add_captioner, load_bundle
from .data.timeline import read_timelines
from .files.load import motion_or_its_file
from .inference import BATCH_SIZE
from .inference.caption import CaptionOptions, Moment
from .inference.caption import caption as caption_motions
from .inference.edit import EditOptions, SpanOptions
from .inference.edit import edit as edit_motion
from .inference.familiarity import Remark, remarks_on
from .inference.generate import GenerateOptions, Prompt, frames_of_seconds
from .inference.generate import generate as generate_motions
from .inference.retrieve import Hit, find, rank_texts, warn_of
from .inference.timeline import prompt_of_timeline
from .model.decoding import DecodingOptions
from .model.sampling import SamplingOptions
from .motion.motion import Motion
from .scoring.checked_generation import MOST_DRAWS, generate_checked
from .scoring.figures import BERTSCORE, CAPTIONS, OF_MOTIONS, Report, ScoreOptions
from .scoring.models import ModelChoice, Models
from .scoring.score import score_motions, score_pairs
from .scoring.scored_motions import examples_of_pairs

if TYPE_CHECKING:
    import torch


Item = TypeVar("Item")
Several = list[Item] | tuple[Item, ...]
MotionOrFile = Motion | str | Path


class Model:
    """Networks that link motions and sentences."""

    def __init__(self, name: str | Path = "lamp-mini", device: str | torch.device = "auto"):
        """``name`` is a bundle: a folder, a name of the Hugging Face hub, or ``lamp-mini``.

        ``device`` is auto, cpu, cuda or mps. The captioner is loaded when it is first needed. Raises
        ``ValueError`` for a bundle that cannot be read or a device that is not there.
        """
        self.name = str(name)
        self.bundle = load_bundle(name, device)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.bundle.skeleton.name}, on {self.bundle.device})"

    @overload
    def generate(self, sentences: str, *, samples: None = None, **options: Any) -> Motion: ...

    @overload
    def generate(self, sentences: str, *, samples: int, **options: Any) -> list[Motion]: ...

    @overload
    def generate(
        self, sentences: Several[str], *, samples: None = None, sequence: Literal[True], **options: Any
    ) -> Motion: ...

    @overload
    def generate(
        self, sentences: Several[str], *, samples: int | None = None, **options: Any
    ) -> list[Motion]: ...

    @overload
    def generate(
        self, *, timeline: str | Path, samples: int | None = None, **options: Any
    ) -> list[Motion]: ...

    def generate(  # type: ignore[misc]  # the overloads leave the options to this signature
        self,
        sentences: str | Several[str] = (),
        *,
        samples: int | None = None,
        sequence: bool = False,
        timeline: str | Path | None = None,
        seed: int | None = None,
        seconds: float | Sequence[float] | None = None,
        frames: int | Sequence[int] | None = None,
        candidates: int | None = None,
        guidance: float | None = None,
        steps: int = 10,
        temperature: float = 1.0,
        top_fraction: float = 0.1,
        precision: str = "fp32",
        clean_up: bool = True,
        check: bool | int = False,
    ) -> Motion | list[Motion]:
        """The motion of a sentence; a list of them for a list of sentences or a number of ``samples``.

        samples: motions per sentence; a sentence's samples follow each other in the list.
        sequence: the sentences are parts of one motion, each of which goes on from the one before;
            ``motion.parts`` says which frames are whose.
        timeline: in place of sentences, a file of lines ``text # start # end`` in seconds; a motion for each
            of its timelines, which empty lines part.
        seed: all randomness is drawn from it; drawn itself when None, and named in ``motion.source``.
        seconds: length; None with ``frames`` None: predicted. A list has one for each sentence.
        frames: length at the model's rate, as ``seconds``.
        candidates: draws per motion, of which the best is kept. None: the model's own number.
        guidance: classifier-free guidance scale, the paper's alpha plus one; None for the model's own.
        steps: decoding rounds.
        temperature: 0 takes the likeliest codes.
        top_fraction: share of the codes, the likeliest, that is drawn from (top-k).
        precision: fp32, or bf16 where the device has it.
        clean_up: hold planted feet, bone lengths and the floor. The joints are then no longer those of the
            network's features, which are kept only without it.
        check: draw again until the joints do what the sentence says, as ``lamp.check`` finds it; a number is
            that of the most draws, True 8.

        ``motion.notes`` says of a sentence that it is unlike those that the model was trained on, or too
        long, and of a motion that was kept by the check what it found. Raises ``ValueError`` for an empty
        sentence or an option out of its range.
        """
        if seconds is not None and frames is not None:
            raise ValueError("seconds and frames both give the length; expected one of them")
        texts = _sentences(sentences)
        lengths: list[int | None] = list(_for_each(frames, texts))
        if seconds is not None:
            lengths = [frames_of_seconds(each, self.bundle.config.fps) for each in _for_each(seconds, texts)]
        prompts = [Prompt(text, length) for text, length in zip(texts, lengths, strict=True)]
        if timeline is not None:
            if texts or seconds or frames:
                raise ValueError("a timeline says what is done when; expected no sentences and no length")
            prompts = [prompt_of_timeline(self.bundle, each) for each in read_timelines(Path(timeline))]
            texts = [part.text for prompt in prompts for part in prompt.parts]
        elif sequence and prompts:
            prompts = [dataclasses.replace(prompts[0], then=tuple(prompts[1:]))]
        sampling = SamplingOptions(steps, guidance, temperature, top_fraction)
        chosen = secrets.randbelow(2**31) if seed is None else seed
        options = GenerateOptions(
            chosen, 1 if samples is None else samples, sampling, candidates, precision, clean_up=clean_up
        )
        if check is False:
            made = list(generate_motions(self.bundle, prompts, options))
        else:
            most = MOST_DRAWS if check is True else check
            kept = generate_checked(self.bundle, prompts, options, most)
            made = [dataclasses.replace(k.motion, notes=(*k.motion.notes, k.sentence)) for k in kept]
        remarks = remarks_on(self.bundle, texts, generating=True)
        motions = [_delivered(motion, remarks, clean_up) for motion in made]
        one = (sequence and timeline is None) or isinstance(sentences, str)
        return motions[0] if one and motions and samples is None else motions

    @overload
    def edit(
        self, motion: MotionOrFile, text: str = "", *, samples: None = None, **options: Any
    ) -> Motion: ...

    @overload
    def edit(self, motion: MotionOrFile, text: str = "", *, samples: int, **options: Any) -> list[Motion]: ...

    def edit(  # type: ignore[misc]  # the overloads leave the options to this signature
        self,
        motion: MotionOrFile,
        text: str = "",
        *,
        between: tuple[float, float] | None = None,
        before: float | None = None,
        after: float | None = None,
        keep: Sequence[float] = (),
        length: float | None = None,
        samples: int | None = None,
        seed: int | None = None,
        candidates: int | None = None,
        guidance: float | None = None,
        steps: int = 10,
        temperature: float = 1.0,
        top_fraction: float = 0.1,
        precision: str = "fp32",
    ) -> Motion | list[Motion]:
        """The motion, or a motion file's, with a span drawn anew; all other frames are bit by bit its own.

        text: what happens in the span; without it, it leads from one side to the other.
        between: begin and end of the span in seconds.
        before: in its place so many seconds before the motion.
        after: in its place so many seconds after the motion.
        keep: times of poses that are kept; without ``between`` all else is drawn.
        length: seconds that are drawn ``between``, if not as many as there were.
        samples: results; None gives one, a number a list.
        seed: all randomness is drawn from it; drawn itself when None, and named in ``source``.
        candidates: draws, of which the best is kept. None: the model's own number.
        guidance: classifier-free guidance scale; None for the model's own.
        steps: decoding rounds.
        temperature: 0 takes the likeliest codes.
        top_fraction: share of the codes, the likeliest, that is drawn from (top-k).
        precision: fp32, or bf16 where the device has it.

        ``parts`` of the result is the span. Raises ``ValueError`` for a span that the motion does not have
        or the model cannot draw, or an option out of its range.
        """
        [text] = _sentences(text)
        read = _motion(motion)
        if between is not None and (not isinstance(between, Sequence) or len(between) != 2):
            raise ValueError(f"{between!r}: expected two times to draw between, in seconds")
        gap = SpanOptions(between, before, after, tuple(keep), length).gap_of(read)
        sampling = SamplingOptions(steps, guidance, temperature, top_fraction)
        chosen = secrets.randbelow(2**31) if seed is None else seed
        options = EditOptions(chosen, 1 if samples is None else samples, sampling, candidates, precision)
        remarks = remarks_on(self.bundle, [text] if text.strip() else [], generating=True)
        said = tuple(note for each in remarks.values() for note in each.sentences(text, "the span is"))
        edits = edit_motion(self.bundle, read, gap, text, options)
        motions = [dataclasses.replace(made, notes=said) for made in edits]
        return motions[0] if samples is None else motions

    @overload
    def caption(self, motions: MotionOrFile, **options: Any) -> str: ...

    @overload
    def caption(self, motions: Several[MotionOrFile], **options: Any) -> list[str]: ...

    def caption(  # type: ignore[misc]  # the overloads leave the options to this signature
        self,
        motions: MotionOrFile | Several[MotionOrFile],
        *,
        beams: int | None = None,
        prompt: str = "",
        batch_size: int = BATCH_SIZE,
    ) -> str | list[str]:
        """What a motion, or a motion file, shows; a list of sentences for a list.

        beams: of a search; None: as the model captions, which may be by the consensus of drawn ones.
        prompt: what every caption begins with.
        batch_size: motions captioned at once.

        Raises ``ValueError`` for a motion that cannot be captioned or a model without a captioner.
        """
        options = CaptionOptions(DecodingOptions(beams), prompt, batch_size=batch_size)
        one = isinstance(motions, Motion | str | Path)
        found = caption_motions(self._with_captioner(), [_motion(m) for m in _listed(motions)], options)
        texts = [moments[0].text for moments in found]
        return texts[0] if one else texts

    def moments(self, motion: MotionOrFile, *, beams: int | None = None, prompt: str = "") -> list[Moment]:
        """What happens when in a long take: the captions of its pieces with their times in seconds."""
        options = CaptionOptions(DecodingOptions(beams), prompt, moments=True)
        return next(caption_motions(self._with_captioner(), [_motion(motion)], options))

    def retrieve(
        self, query: str | Motion, library: str | Path, *, top: int = 5, rerank: int = 0
    ) -> list[Hit]:
        """The moments of a folder of motion files that are nearest to a sentence or a motion, best first.

        top: how many.
        rerank: that many, at least ``top``, are ordered with the matching head, which is told a motion's
            sentence or caption; 0 for none.

        Each has ``motion`` (its file), ``start`` and ``end`` in seconds and ``score``, the cosine similarity.
        The index of the folder is brought up to date first. Raises ``ValueError`` for a folder without
        motions.
        """
        captions = rerank > 0 and self.bundle.config.model.captioner is not None
        bundle = self._with_captioner() if captions else self.bundle
        return find(bundle, query, library, top, rerank=rerank)

    @overload
    def similarity(self, motion: MotionOrFile, sentences: str) -> float: ...

    @overload
    def similarity(self, motion: MotionOrFile, sentences: Several[str]) -> list[float]: ...

    def similarity(self, motion: MotionOrFile, sentences: str | Several[str]) -> float | list[float]:
        """Cosine similarity, -1 to 1, of a motion with a sentence; a list for a list of sentences.

        Of a long motion its best window counts. Warns of a sentence unlike those of training, or too long.
        """
        texts = _sentences(sentences)
        warn_of(remarks_on(self.bundle, texts), "its similarity is")
        ranked = {each.text: each.score for each in rank_texts(self.bundle, _motion(motion), texts)}
        values = [ranked[text] for text in texts]
        return values[0] if isinstance(sentences, str) else values

    def score(
        self,
        motions: Sequence[tuple[str, MotionOrFile] | MotionOrFile],
        metrics: Sequence[str] = ("bertscore", "physics"),
        *,
        seed: int | None = None,
        repetitions: int = 20,
        protocols: Sequence[str] = (),
        evaluators: Sequence[str] = (),
        encoder: str | None = None,
        precision: str = "fp32",
    ) -> Report:
        """Figures of motions and how well they say their sentences, each with its protocol.

        motions: pairs of a sentence and a motion; a motion alone stands with its own text, or without one for
            physics and reconstruction.
        metrics: bertscore, fid, distribution, diversity, r-precision, mm-dist, multimodality, retrieval,
            captions, physics, reconstruction, sequences.
        seed: of what is drawn; drawn itself when None, and named in every figure.
        repetitions: draws.
        protocols: where a figure has several.
        evaluators: ``guo:PATH``, ``mardm-clip:PATH``, ``lamp``, or an evaluator's folder; the model's own
            when empty.
        encoder: of BERTScore: a folder, a hub name, or ``lamp``.
        precision: of the encoder: fp32, or bf16 where the device has it.

        Raises ``ValueError`` for a metric that is not known or needs sentences where there are none.
        """
        options = ScoreOptions(
            tuple(metrics), repetitions, secrets.randbelow(2**31) if seed is None else seed, tuple(protocols)
        )
        bundle = self.bundle
        captioned = options.wants(BERTSCORE, CAPTIONS) and bundle.config.model.captioner is not None
        choice = ModelChoice(
            self.name, bundle.device, tuple(evaluators), encoder, captioner=captioned, precision=precision
        )
        models = Models(choice, self._with_captioner() if captioned else bundle)
        read: dict[str, Motion] = {}
        pairs = []
        for item in motions:
            text, motion = item if isinstance(item, tuple) else ("", item)
            [text] = _sentences(text)
            if not isinstance(motion, Motion):
                # One file is one motion, however often it is named.
                if str(motion) not in read:
                    read[str(motion)] = motion_or_its_file(motion)
                motion = read[str(motion)]
            pairs.append((text or motion.text, motion))
        if not any(text for text, _ in pairs) and set(options.metrics) <= set(OF_MOTIONS):
            return score_motions([motion for _, motion in pairs], models, options)
        if missing := [number for number, (text, _) in enumerate(pairs, 1) if not text.strip()]:
            raise ValueError(f"motion {missing[0]}: expected a pair of a sentence and a motion")
        return score_pairs(examples_of_pairs(pairs), models, options)

    def _with_captioner(self) -> Bundle:
        if self.bundle.captioner is None:
            self.bundle = add_captioner(self.bundle, self.name)
        return self.bundle


def load(name: str | Path = "lamp-mini", device: str | torch.device = "auto") -> Model:
    """A trained model: a folder, a name of the Hugging Face hub, or ``lamp-mini``, which comes with lamp."""
    return Model(name, device)


def _delivered(motion: Motion, remarks: Mapping[str, Remark], cleaned_up: bool) -> Motion:
    """As a file of it would be read: its features are those of its joints or not there."""
    texts = [part.text for part in motion.parts] or [motion.text]
    said = [note for text in dict.fromkeys(texts) for note in remarks[text].sentences(text, "the motion is")]
    features = None if cleaned_up else motion.features
    return dataclasses.replace(motion, features=features, notes=(*motion.notes, *said))


def _for_each(value: Item | Sequence[Item], texts: Sequence[str]) -> Sequence[Item]:
    """The value for every sentence; a list has one for each, or ``ValueError`` is raised."""
    if not isinstance(value, list | tuple):
        return [cast(Item, value)] * len(texts)
    if len(value) != len(texts):
        raise ValueError(f"{len(value)} lengths for {len(texts)} sentences; expected one for each")
    return value


def _sentences(sentences: str | Several[str]) -> list[str]:
    """A sentence, or each of a list; raises ``TypeError`` for anything else, as a motion in their place."""
    if isinstance(sentences, str):
        return [sentences]
    if not isinstance(sentences, list | tuple) or not all(isinstance(one, str) for one in sentences):
        raise TypeError(f"expected a sentence or a list of them, found {type(sentences).__name__}")
    return list(sentences)


def _listed(motions: MotionOrFile | Several[MotionOrFile]) -> Several[MotionOrFile]:
    return [motions] if isinstance(motions, Motion | str | Path) else motions


def _motion(motion: MotionOrFile) -> Motion:
    """The motion itself, or that of a file; warns of what reading it assumed or repaired."""
    loaded = motion_or_its_file(motion)
    for sentence in () if loaded is motion else loaded.notes:
        warnings.warn(f"{loaded.source}: {sentence}", stacklevel=4)
    return loaded
