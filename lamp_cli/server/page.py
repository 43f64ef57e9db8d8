"""What the page at ``/`` asks for: motions of sentences, changes of them, searches and files.

Motions are kept here by a number that the page is given; the oldest are forgotten. Their joints come to the
page as the viewer's pages have them.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from motionmcp.errors import ProtocolError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bundle.bundle import Bundle
from ..files.reading import Reading
from ..inference.direct import along
from ..inference.edit import EditOptions, edit
from ..inference.familiarity import remarks_on
from ..inference.generate import (
    GenerateOptions,
    Prompt,
    check_prompt,
    frames_of_seconds,
    frames_range,
    generate,
)
from ..inference.retrieve import Hit, joints_of_hit, search_index
from ..motion.gap import Gap
from ..motion.motion import Motion
from ..render.viewer import packed_motion
from ..storage import safe_stem
from .library import Library
from .worker import AbandonedError, TooManyWaitingError, Worker

FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/viewer.js": ("viewer.js", "text/javascript; charset=utf-8"),
}
# What the browser may load and do: everything is of this server.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
MEDIA = {
    "npy": "application/octet-stream",
    "bvh": "text/plain; charset=utf-8",
    "glb": "model/gltf-binary",
    "mp4": "video/mp4",
}
MOST_KEPT = 200
LONGEST_TEXT = 400
# Around a pose that is set, so many seconds on each side are drawn to lead to it.
POSE_REACH = 0.6

Result = TypeVar("Result")


# Metres; no stage is larger.
Metres = Annotated[float, Field(ge=-1000, le=1000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AskedPart(_Asked):
    """A sentence, and its length in seconds where one is given."""

    text: str = Field(max_length=LONGEST_TEXT)
    seconds: float | None = Field(None, gt=0, le=60)


class AskedMotions(_Asked):
    """Sentences of one motion, and how it is drawn."""

    parts: list[AskedPart] = Field(min_length=1, max_length=12)
    samples: int = Field(1, ge=1, le=8)
    candidates: int | None = Field(None, ge=1, le=64)
    seed: int | None = Field(None, ge=0, lt=2**53)


class AskedSpan(_Asked):
    """A span of a motion in frames, end exclusive: drawn anew, or kept while the rest is."""

    motion: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    what: Literal["redraw", "keep"] = "redraw"
    text: str = Field("", max_length=LONGEST_TEXT)
    samples: int = Field(1, ge=1, le=8)
    seed: int | None = Field(None, ge=0, lt=2**53)


class AskedPose(_Asked):
    """A pose at a frame of a motion: joints in metres from where the motion begins."""

    motion: str
    frame: int = Field(ge=0)
    joints: list[tuple[Metres, Metres, Metres]]
    text: str = Field("", max_length=LONGEST_TEXT)
    seed: int | None = Field(None, ge=0, lt=2**53)


class AskedPath(_Asked):
    """A path for a motion: x and z in metres."""

    motion: str
    points: list[tuple[Metres, Metres]] = Field(min_length=2, max_length=2000)


class AskedSearch(_Asked):
    """What to look for in the library: a sentence, or a motion like which."""

    text: str = Field("", max_length=LONGEST_TEXT)
    motion: str | None = None
    top: int = Field(4, ge=1, le=12)


@dataclass(frozen=True)
class _Shown:
    """A motion that the page has, and the seed that it was drawn from."""

    motion: Motion
    seed: int | None = None


class PageBackend:
    """Motions of a page: made, changed, found and written by one worker."""

    def __init__(self, bundle: Bundle, worker: Worker, library: Library | None) -> None:
        self._bundle = bundle
        self._worker = worker
        self._library = library
        self._kept: OrderedDict[str, _Shown] = OrderedDict()

    def about(self) -> dict[str, Any]:
        """What the page says of the model and offers."""
        config = self._bundle.config.model.generator
        return {
            "model": self._bundle.config.name,
            "fps": self._bundle.config.fps,
            "longest": frames_range(self._bundle)[1] / self._bundle.config.fps,
            "candidates": 1 if config is None else config.candidates,
            "library": None if self._library is None else self._library.size,
            "formats": list(MEDIA),
        }

    def make(self, asked: AskedMotions) -> dict[str, Any]:
        """Motions of sentences."""
        fps = self._bundle.config.fps
        parts = [
            Prompt(part.text, None if part.seconds is None else frames_of_seconds(part.seconds, fps))
            for part in asked.parts
        ]
        prompt = replace(parts[0], then=tuple(parts[1:]))
        check_prompt(self._bundle, prompt)
        seed = _seed(asked.seed)
        options = GenerateOptions(seed, asked.samples, candidates=asked.candidates)
        made = [_Shown(motion, seed) for motion in generate(self._bundle, [prompt], options)]
        return self._answer(made, [part.text for part in parts])

    def span(self, asked: AskedSpan) -> dict[str, Any]:
        """A motion with a span drawn anew, or all but it."""
        motion = self._motion(asked.motion)
        end = min(asked.end, len(motion))
        if asked.start >= end:
            raise ValueError(
                f"frames {asked.start} to {asked.end}: expected a span of a motion of {len(motion)}"
            )
        seed = _seed(asked.seed)
        gaps = [(asked.start, end)] if asked.what == "redraw" else [(end, len(motion)), (0, asked.start)]
        options = EditOptions(seed, asked.samples)
        drawn = [motion] * asked.samples
        for first, last in gaps:
            if last > first:
                drawn = self._redrawn(drawn, Gap(first, last, last - first), asked.text, options)
        if all(each is motion for each in drawn):
            raise ValueError("the span is the whole motion; expected one that leaves something to draw")
        return self._answer([_Shown(_named(each, motion), seed) for each in drawn], [asked.text])

    def pose(self, asked: AskedPose) -> dict[str, Any]:
        """A motion that goes through a pose."""
        motion = self._motion(asked.motion)
        if asked.frame >= len(motion) or len(asked.joints) != motion.skeleton.joints:
            raise ValueError(
                f"frame {asked.frame}, {len(asked.joints)} joints: expected a frame below {len(motion)} and "
                f"{motion.skeleton.joints} joints"
            )
        joints = motion.joints.copy()
        joints[asked.frame] = np.array(asked.joints) + motion.joints[0, 0] * [1.0, 0.0, 1.0]
        reach = round(POSE_REACH * motion.fps)
        first, last = max(asked.frame - reach, 0), min(asked.frame + reach + 1, len(motion))
        seed = _seed(asked.seed)
        posed = replace(motion, joints=joints, features=None, poses=None)
        gap = Gap(first, last, last - first, (asked.frame,))
        [found] = self._redrawn([posed], gap, asked.text, EditOptions(seed))
        return self._answer([_Shown(_named(found, motion), seed)], [asked.text])

    def path(self, asked: AskedPath) -> dict[str, Any]:
        """A motion along a path."""
        motion = self._motion(asked.motion)
        found = along(motion, np.array(asked.points))
        return self._answer([_Shown(found, self._kept[asked.motion].seed)], [])

    def search(self, asked: AskedSearch) -> dict[str, Any]:
        """Moments of the library."""
        if self._library is None:
            raise ValueError("no library; expected one given by --library")
        query = asked.text if asked.motion is None else self._motion(asked.motion)
        if isinstance(query, str) and not query.strip():
            raise ValueError("the query is empty; expected a sentence")
        index = self._library.index()
        if not index.windows:
            raise ValueError("the library holds no motion any more that can be searched")
        hits = search_index(self._bundle, index, query, asked.top)
        found = self._answer([_Shown(self._motion_of_hit(hit, index.reading)) for hit in hits], [asked.text])
        for clip, hit in zip(found["motions"], hits, strict=True):
            clip["found"] = {"score": round(hit.score, 3), "start": hit.start, "end": hit.end}
        return found

    def file(self, number: str, suffix: str) -> tuple[str, bytes]:
        """The name and the content of a motion's file; drawn too, for ``mp4``."""
        motion = self._motion(number)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"motion.{suffix}"
            motion.render(path) if suffix == "mp4" else motion.save(path)
            return f"{safe_stem(motion.text or 'motion')}.{suffix}", path.read_bytes()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Work in its turn; raises ``ProtocolError`` for what cannot be done."""
        try:
            return await self._worker.run(work)
        except ValueError as error:
            raise ProtocolError("invalid_request", str(error)) from None
        except TooManyWaitingError as error:
            raise ProtocolError("resource_exhausted", str(error)) from None
        except AbandonedError:
            raise ProtocolError("model_unavailable", "the server is being stopped") from None

    def _redrawn(self, motions: Sequence[Motion], gap: Gap, text: str, options: EditOptions) -> list[Motion]:
        """Each motion with a gap drawn: so many samples of one that is the same, one of each other."""
        if all(motion is motions[0] for motion in motions):
            return list(edit(self._bundle, motions[0], gap, text, options))
        alone = replace(options, samples=1)
        return [
            next(iter(edit(self._bundle, motion, gap, text, replace(alone, seed=options.seed + number))))
            for number, motion in enumerate(motions)
        ]

    def _motion_of_hit(self, hit: Hit, reading: Reading) -> Motion:
        joints = joints_of_hit(self._bundle, hit, reading)
        name = f"{hit.path.stem} {hit.take}".strip().replace("_", " ")
        return Motion(joints, self._bundle.skeleton, self._bundle.skeleton.fps, hit.motion, text=name)

    def _motion(self, number: str) -> Motion:
        if number not in self._kept:
            raise ValueError("this motion is no longer kept by the server; make it again")
        self._kept.move_to_end(number)
        return self._kept[number].motion

    def _answer(self, shown: Sequence[_Shown], texts: Sequence[str]) -> dict[str, Any]:
        known = [text for text in texts if text.strip()]
        remarks = remarks_on(self._bundle, known, generating=True)
        notes = [note for text, remark in remarks.items() for note in remark.sentences(text, "the motion is")]
        return {"motions": [self._record(each) for each in shown], "notes": notes}

    def _record(self, shown: _Shown) -> dict[str, Any]:
        number, motion = secrets.token_hex(8), shown.motion
        self._kept[number] = shown
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return {
            "id": number,
            "seed": shown.seed,
            "fps": motion.fps,
            "spans": [{"text": part.text, "start": part.start, "end": part.end} for part in motion.parts],
            "notes": list(motion.notes),
            **packed_motion(motion.joints, motion.fps, motion.text),
        }


def add_page(app: FastAPI, backend: PageBackend) -> None:
    """Add the page, its files and what it asks for to an app."""
    for path, (name, media) in FILES.items():
        app.add_api_route(path, partial(_file, name, media), include_in_schema=False)
    app.add_api_route("/page/about", lambda: backend.about(), include_in_schema=False)
    actions: dict[str, tuple[type[BaseModel], Callable[[Any], dict[str, Any]]]] = {
        "make": (AskedMotions, backend.make),
        "span": (AskedSpan, backend.span),
        "pose": (AskedPose, backend.pose),
        "path": (AskedPath, backend.path),
        "search": (AskedSearch, backend.search),
    }
    for name, (shape, act) in actions.items():
        app.add_route(f"/page/{name}", _answering(backend, shape, act), ["POST"], include_in_schema=False)
    app.add_route("/page/motions/{name}", partial(_download, backend), ["GET"], include_in_schema=False)


def _file(name: str, media: str) -> Response:
    room = "lamp_cli.render" if name == "viewer.js" else __package__
    content = files(room).joinpath(name).read_bytes()
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media, headers=headers)


def _answering(
    backend: PageBackend, shape: type[BaseModel], act: Callable[[Any], dict[str, Any]]
) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            asked = shape.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "request"
            raise ProtocolError("schema_validation", f"{where}: {first['msg']}") from None
        return JSONResponse(await backend.run(lambda: act(asked)))

    return answer


async def _download(backend: PageBackend, request: Request) -> Response:
    number, _, suffix = request.path_params["name"].rpartition(".")
    if suffix not in MEDIA:
        raise ProtocolError("invalid_request", f"{suffix!r}: expected one of {', '.join(MEDIA)}")
    name, content = await backend.run(lambda: backend.file(number, suffix))
    shown = name.encode("ascii", "ignore").decode() or f"motion.{suffix}"
    return Response(
        content,
        media_type=MEDIA[suffix],
        headers={"Content-Disposition": f'attachment; filename="{shown}"'},
    )


def _named(found: Motion, before: Motion) -> Motion:
    """An edited motion under the sentence that it had, and what was asked for."""
    return replace(found, text=", ".join(filter(None, (before.text, found.text))))


def _seed(asked: int | None) -> int:
    return secrets.randbelow(2**31) if asked is None else asked
