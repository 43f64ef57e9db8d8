"""The bundle as MMCP's server asks for it: what it can do, and motions for requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from motionmcp.backbone import Backbone, Limits, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.schemas import GenerateRequest

from ..bundle.bundle import Bundle
from ..files.bvh import written_name
from ..inference.generate import check_prompt, frames_range, generate
from ..motion.motion import Motion
from ..motion.skeleton import HUMANML3D
from .constraints import SUPPORTED
from .protocol import DIALS, GUIDANCE_TYPES, AskedMotion, asked_motion, motion_result, predicted_contacts
from .skeletons import offered_skeleton, rig_of
from .worker import AbandonedError, TooManyWaitingError, Worker

# A request may ask for so much; a minute of one sample takes as long on a processor of 2020.
MOST_SECONDS = 60.0
MOST_SAMPLES = 16
MOST_REQUEST_BYTES = 1_048_576
MOST_BATCHED = 8
LONGEST_PROMPT = 400


class LampBackbone(Backbone):
    """A bundle that makes motions of HumanML3D's joints, for MMCP's server; its work is done by a worker."""

    def __init__(self, bundle: Bundle, worker: Worker) -> None:
        """Raises ``ValueError`` for a bundle without a generator, or of KIT-ML's joints."""
        if bundle.skeleton is not HUMANML3D:
            raise ValueError(
                f"{bundle.config.name}: makes motions of {bundle.skeleton.name}'s joints; "
                f"expected a bundle of {HUMANML3D.name}'s"
            )
        frames_range(bundle)
        self.model_id = bundle.config.name
        self._bundle = bundle
        self._worker = worker
        self._spec = _spec(bundle)
        # Between two layers of the networks is where work that nobody waits for ends.
        assert bundle.text_to_motion is not None
        for network in (bundle.text_to_motion, bundle.tokenizer, bundle.lamp):
            for layer in network.modules():
                layer.register_forward_pre_hook(worker.check)

    def capabilities(self) -> ModelSpec:
        """What the bundle can do."""
        return self._spec

    async def generate(self, request: GenerateRequest) -> MotionResult:
        """Motions on the request's skeleton; raises ``ProtocolError`` for what cannot be served."""
        rig = rig_of(request.skeleton)
        try:
            return await self._worker.run(lambda: self._generate(request, rig))
        except TooManyWaitingError as error:
            raise ProtocolError("resource_exhausted", str(error)) from None
        except AbandonedError:
            raise ProtocolError("model_unavailable", "the server is being stopped") from None

    def _generate(self, request: GenerateRequest, rig: Any) -> MotionResult:
        try:
            asked = asked_motion(self._bundle, request, rig)
            check_prompt(self._bundle, asked.prompt)
            return motion_result(self._motions(asked), asked, rig, request)
        except ValueError as error:
            raise ProtocolError("invalid_request", str(error)) from None

    def _motions(self, asked: AskedMotion) -> Iterator[Motion]:
        """The samples; between two of them, whose constraints take seconds, work may end too."""
        for motion in generate(self._bundle, [asked.prompt], asked.options):
            self._worker.check()
            yield motion


def _spec(bundle: Bundle) -> ModelSpec:
    _, longest = frames_range(bundle)
    config = bundle.config.model.generator
    default = 1 if config is None else config.candidates
    dials = [dial.model_copy(update={"default": default}) if dial.default is None else dial for dial in DIALS]
    return ModelSpec(
        id=bundle.config.name,
        fps=bundle.config.fps,
        canonical_skeleton=offered_skeleton(),
        supports_retargeting=True,
        supports_segment_seed=True,
        model_options=dials,
        supported_segments=["text", "unconditioned"],
        supported_constraints=list(SUPPORTED),
        supported_guidance_types=list(GUIDANCE_TYPES),
        predicted_contact_joints=[written_name(name) for name in predicted_contacts()],
        native_clip_seconds=longest / bundle.config.fps,
        chunking="stitched",
        recommended_max_duration_seconds=MOST_SECONDS / 2,
        limits=Limits(
            max_duration_seconds=MOST_SECONDS,
            max_num_samples=MOST_SAMPLES,
            max_constraints_per_request=64,
            max_prompt_length=LONGEST_PROMPT,
            max_request_bytes=MOST_REQUEST_BYTES,
            max_batch_size=MOST_BATCHED,
        ),
    )
