"""What MMCP asks for in our own terms, and our motions in its terms.

Source: MMCP 1.4 (package ``motionmcp-sdk``), whose server has checked a request's shape, limits and joints
before it comes here. Lengths are frames at the request's rate there, at the bundle's own rate here.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from motionmcp.backbone import MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.schemas import GenerateRequest, ModelOption, Options, UnconditionedSegment

from ..bundle.bundle import Bundle
from ..inference.familiarity import remarks_on
from ..inference.generate import GenerateOptions, Prompt, frames_range
from ..model.sampling import SamplingOptions
from ..motion.motion import Motion
from ..motion.retarget import Rig, retargeted
from ..motion.skeleton import HUMANML3D
from .constraints import Constraints, RigMotion, constrained, constraints_of, path_error
from .skeletons import joint_by_our_name

# The dials that the protocol has no word for, with the defaults of ``lamp generate``.
DIALS = (
    ModelOption(
        name="candidates",
        type="integer",
        title="Candidates",
        description="Draws per motion, of which the one nearest to its sentence is kept; more are slower.",
        minimum=1,
        maximum=64,
    ),
    ModelOption(
        name="steps",
        type="integer",
        title="Decoding rounds",
        description="In how many rounds a motion's codes are decoded; diffusion_steps has no meaning here.",
        default=SamplingOptions.steps,
        minimum=1,
        maximum=100,
    ),
    ModelOption(
        name="temperature",
        type="number",
        title="Temperature",
        description="0 takes the likeliest codes; above 1 draws are wilder.",
        default=SamplingOptions.temperature,
        minimum=0,
        maximum=10,
    ),
    ModelOption(
        name="top_fraction",
        type="number",
        title="Top fraction",
        description="Share of the codes, the likeliest, that is drawn from.",
        default=SamplingOptions.top_fraction,
        minimum=0.002,
        maximum=1,
    ),
)
GUIDANCE_TYPES = ("nocfg", "regular", "separated")
# Rates that programs for animation have, and how much is answered at once: samples x frames x joints.
LEAST_FPS, MOST_FPS = 1.0, 240.0
MOST_ROTATIONS = 2_000_000
# Seconds; the SDK finds no trajectory of what is shorter, and logs that as a failure.
SHORTEST_WAY = 0.15


@dataclass(frozen=True)
class AskedMotion:
    """A request in our own terms.

    prompt: its segments.
    options: seed, samples and dials.
    frames: how many the answer has, at ``fps``.
    fps: frames per second of the answer.
    notes: what the client should know of the answer, as the protocol has it.
    seams: frames of the answer at which a segment longer than the model's clips was cut.
    constraints: poses and places of the answer.
    """

    prompt: Prompt
    options: GenerateOptions
    frames: int
    fps: float
    notes: tuple[dict[str, Any], ...]
    seams: tuple[int, ...]
    constraints: Constraints


def asked_motion(bundle: Bundle, request: GenerateRequest, rig: Rig) -> AskedMotion:
    """The request's segments and options; raises ``ProtocolError`` for what the bundle does not do."""
    fps = request.fps(bundle.config.fps)
    _check_size(request, fps)
    parts, seams, too_short = _parts(bundle, request, fps)
    options = request.options or Options()
    notes = [*_remarks(bundle, parts), *_not_used(request), *too_short]
    if options.seed is None:
        options = options.model_copy(update={"seed": secrets.randbelow(2**31)})
    notes.append(_note("seed", f"seed {options.seed}", seed=options.seed))
    prompt = replace(parts[0], then=tuple(parts[1:]))
    constraints = constraints_of(request, rig, fps)
    return AskedMotion(
        prompt, _generate_options(options), request.total_frames, fps, tuple(notes), tuple(seams), constraints
    )


def motion_result(
    motions: Iterable[Motion], asked: AskedMotion, rig: Rig, request: GenerateRequest
) -> MotionResult:
    """The samples of a request on its skeleton."""
    moved = [_on_rig(motion, asked, rig) for motion in motions]
    names = joint_by_our_name(rig, request.skeleton)
    own = [joint.name for joint in request.skeleton.joints]
    same = all(ours == theirs for ours, theirs in names.items())
    return MotionResult(
        # The protocol puts w last.
        rotations=np.roll(np.stack([each.turns for each in moved]), -1, axis=-1).astype(np.float32),
        root_translations=np.stack([each.places for each in moved]).astype(np.float32),
        joint_names=own,
        foot_contacts=_contacts(moved, rig, own),
        chunk_boundaries=[list(asked.seams)] * len(moved) if asked.seams else None,
        canonical_to_request=None if same else names,
        trajectories=[None] * len(moved) if asked.frames - 1 < SHORTEST_WAY * asked.fps else None,
        notes=[*asked.notes, *_path_error(moved, asked, rig)],
    )


def predicted_contacts() -> dict[str, int]:
    """Our feet's joints, and which column of the contacts is each one's."""
    return {HUMANML3D.joint_names[joint]: column for column, joint in enumerate(HUMANML3D.feet)}


def _check_size(request: GenerateRequest, fps: float) -> None:
    if not LEAST_FPS <= fps <= MOST_FPS:
        raise ProtocolError(
            "invalid_options", f"timing.fps: expected {LEAST_FPS:g} to {MOST_FPS:g}, found {fps:g}"
        )
    samples = 1 if request.options is None else request.options.num_samples
    frames, joints = request.total_frames, len(request.skeleton.joints)
    if samples * frames * joints > MOST_ROTATIONS:
        raise ProtocolError(
            "invalid_options",
            f"{samples} samples of {frames} frames of {joints} joints: expected at most {MOST_ROTATIONS:,} "
            "rotations in one answer",
        )


def _parts(
    bundle: Bundle, request: GenerateRequest, fps: float
) -> tuple[list[Prompt], list[int], list[dict[str, Any]]]:
    """A prompt for each segment, or several for one longer than the model's clips; and where it is cut.

    Parts but the last are whole tokens long: a part ends at the token nearest to its segment's end. One to
    which that leaves no token is left out, which a note says.
    """
    step, longest = frames_range(bundle)
    # A later part has a token of the one before it as context.
    most = longest // step - GenerateOptions.context_tokens
    ratio = bundle.config.fps / fps
    parts: list[Prompt] = []
    seams: list[int] = []
    left_out = []
    # In frames of the answer, whose last frame is at its last moment; in tokens.
    end, token = 0, 0
    whole = math.ceil((request.total_frames - 1) * ratio - 1e-6) + 1
    # Constraints alone are met by whatever the model does.
    segments = request.segments or [
        UnconditionedSegment(type="unconditioned", duration_frames=request.total_frames)
    ]
    for number, segment in enumerate(segments, start=1):
        end += segment.duration_frames
        last = number == len(segments)
        stop = max(1, math.ceil(whole / step)) if last else round(end * ratio / step)
        pieces = -(-(stop - token) // most)
        if not pieces:
            short = f"segment {number} is shorter than {step / bundle.config.fps:g} s, a token of this model"
            left_out.append(_note("segment_left_out", f"{short}; left out", "warning", segment=number - 1))
        for piece in range(pieces):
            count = (stop - token) // (pieces - piece)
            if piece:
                seams.append(round(token * step / ratio))
            token += count
            unconditioned = segment.type == "unconditioned"
            text = "" if unconditioned else segment.prompt
            parts.append(Prompt(text, count * step, seed=segment.seed, unconditioned=unconditioned))
    return parts, seams, left_out


def _generate_options(options: Options) -> GenerateOptions:
    dials = options.model_options or {}
    guidance = None
    if options.guidance is not None:
        # The second weight of two is that of the constraints, which are met whatever it is.
        guidance = options.guidance.weight[0] if options.guidance.weight else 1.0
        if not 0 <= guidance < math.inf:
            raise ProtocolError(
                "invalid_options", f"options.guidance: expected a weight of 0 or more, found {guidance:g}"
            )
    assert options.seed is not None
    return GenerateOptions(
        options.seed,
        options.num_samples,
        SamplingOptions(
            int(dials.get("steps", SamplingOptions.steps)),
            guidance,
            float(dials.get("temperature", SamplingOptions.temperature)),
            float(dials.get("top_fraction", SamplingOptions.top_fraction)),
        ),
        None if "candidates" not in dials else int(dials["candidates"]),
        clean_up=options.post_processing,
    )


def _remarks(bundle: Bundle, parts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Notes on sentences that the model can only guess at, or reads a part of."""
    texts = [part.text for part in parts if part.text]
    remarks = remarks_on(bundle, texts, generating=True)
    return [
        _note("unfamiliar_prompt" if remark.reason else "prompt_cut", sentence, "warning", prompt=text)
        for text, remark in remarks.items()
        for sentence in remark.sentences(text, "the motion is")
    ]


def _not_used(request: GenerateRequest) -> list[dict[str, Any]]:
    """Notes on options that were sent and have no meaning for this model."""
    if request.options is None:
        return []
    sent = request.options.model_fields_set
    words = {
        "diffusion_steps": "this model decodes in rounds: model_options.steps says how many",
        "transition_frames": "segments go on from each other without a blend",
    }
    if request.options.guidance is not None and request.options.guidance.type == "separated":
        words["guidance"] = "constraints are met whatever their weight is; that of the text is used"
    return [
        _note("option_not_used", f"{name}: {why}", option=name) for name, why in words.items() if name in sent
    ]


def _note(code: str, message: str, severity: str = "info", **details: Any) -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": message, **details}


def _path_error(moved: Sequence[RigMotion], asked: AskedMotion, rig: Rig) -> list[dict[str, Any]]:
    """A note of how far the root is from its path, sway included."""
    path = asked.constraints.path
    if path is None:
        return []
    metres = np.stack([path_error(each, path, rig, asked.fps) for each in moved])
    mean, most = float(metres.mean()), float(metres.max())
    said = f"the root is {100 * mean:.1f} cm from the path's places on average, {100 * most:.1f} cm at most"
    return [_note("root_path_error", said, mean_metres=round(mean, 4), most_metres=round(most, 4))]


def _on_rig(motion: Motion, asked: AskedMotion, rig: Rig) -> RigMotion:
    """The motion on its rig, as long as was asked for."""
    if asked.constraints:
        return constrained(motion, asked.constraints, rig, asked.frames, asked.fps)
    assert motion.features is not None
    contacts = motion.features[:, -4:]
    turns, places = retargeted(motion, contacts if asked.options.clean_up else None, rig, asked.fps)
    kept = np.minimum(np.arange(asked.frames), len(turns) - 1)
    nearest = np.rint(np.arange(asked.frames) / asked.fps * motion.fps).astype(int)
    return RigMotion(turns[kept], places[kept], contacts[np.minimum(nearest, len(contacts) - 1)] > 0.5)


def _contacts(moved: Sequence[RigMotion], rig: Rig, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Which of the skeleton's feet rest (B, T), by the name of the joint."""
    return {
        names[rig.known[ours]]: np.stack([each.resting[:, column] for each in moved])
        for ours, column in predicted_contacts().items()
        if ours in rig.known
    }
