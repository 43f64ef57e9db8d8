"""MMCP over a socket, read by the SDK's own client and checked by its own models of the wire."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from motionmcp import client
from motionmcp.backbone import ModelSpec
from motionmcp.trajectory import fk_positions

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.model.sampling import SamplingOptions
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.retarget import reference_offsets
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.server.backbone import LampBackbone
from lamp_cli.server.worker import Worker
from tests.server.server_thread import serving

# One draw a motion in two rounds: tests need no good ones.
QUICK = {"seed": 7, "model_options": {"candidates": 1, "steps": 2}}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("lamp-mini", "cpu")


@pytest.fixture(scope="module")
def url(bundle: Bundle) -> Iterator[str]:
    with serving(bundle) as address:
        yield address


def text(prompt: str, frames: int, **known: Any) -> dict[str, Any]:
    return {"type": "text", "prompt": prompt, "duration_frames": frames, **known}


def request(url: str, *segments: dict[str, Any], **known: Any) -> dict[str, Any]:
    model = client.pick_model(client.get_capabilities(url))
    found = {"protocol_version": "1.4", "model": model["id"], "skeleton": model["canonical_skeleton"]}
    found["segments"] = list(segments) or [text("a person walks forward", 40)]
    return {**found, "options": QUICK, **known}


def answered(url: str, *segments: dict[str, Any], **known: Any) -> dict[str, Any]:
    return client.generate(url, request(url, *segments, **known))


def notes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return document["extensions"]["MMCP_motion"].get("notes", [])


def joints_of(document: dict[str, Any], sample: int = 0) -> np.ndarray:
    """Places (T, N, 3) of an answer's joints, by the client's parser and plain forward kinematics."""
    found = client.parse_gltf_samples(document)[sample]
    nodes = document["nodes"]
    parents = {child: node["name"] for node in nodes for child in node.get("children", [])}
    world: dict[str, np.ndarray] = {}
    places: dict[str, np.ndarray] = {}
    for number, node in enumerate(nodes):
        name, local = node["name"], found["local_rot_mats"][:, number]
        above = parents.get(number)
        world[name] = local if above is None else world[above] @ local
        offset = np.array(node["translation"])
        root = found["posed_joints"][:, number]
        places[name] = root if above is None else places[above] + world[above] @ offset
    return np.stack([places[node["name"]] for node in nodes], axis=1)


def test_capabilities_are_what_the_protocol_knows(url: str) -> None:
    assert client.probe_server(url).status == "online"
    assert client.retarget_state(url) == "ready"
    model = client.pick_model(client.get_capabilities(url), wanted="LAMP-mini")
    spec = ModelSpec.model_validate(model)
    assert (spec.fps, len(spec.canonical_skeleton.joints), spec.native_clip_seconds) == (20.0, 22, 9.8)
    assert spec.supported_segments == ["text", "unconditioned"]
    assert spec.supported_constraints == ["pose_keyframe", "root_path"]
    assert set(spec.predicted_contact_joints) <= {joint.name for joint in spec.canonical_skeleton.joints}
    rest = [np.array(joint.rest_translation) for joint in spec.canonical_skeleton.joints]
    assert np.allclose(rest[1:], reference_offsets()[1:], atol=1e-6)


def test_an_answer_is_the_motion_of_lamp_generate(url: str, bundle: Bundle) -> None:
    made = next(
        generate(
            bundle,
            [Prompt("a person walks forward", 40)],
            GenerateOptions(7, sampling=SamplingOptions(2), candidates=1),
        )
    )
    document = answered(url)
    found = joints_of(document)
    expected = joint_rotations(made.joints, HUMANML3D, 20.0, offsets=reference_offsets()).joints()
    assert found.shape == (40, 22, 3)
    assert np.linalg.norm(found - expected, axis=-1).max() < 0.001
    assert np.linalg.norm(found - made.joints, axis=-1).mean() < 0.02
    assert document["extensions"]["MMCP_motion"]["samples"][0]["trajectory"]["model"]
    contacts = client.parse_gltf(document)["foot_contacts"]
    feet = [joint_number(document, name) for name in ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase")]
    assert np.array_equal(contacts[:, feet], made.features[:, -4:] > 0.5)


def joint_number(document: dict[str, Any], name: str) -> int:
    return [node["name"] for node in document["nodes"]].index(name)


def test_a_seed_gives_the_same_samples_and_they_differ(url: str) -> None:
    options = {**QUICK, "num_samples": 2}
    first, again = (answered(url, options=options) for _ in range(2))
    assert first["buffers"] == again["buffers"]
    assert np.ptp(joints_of(first) - joints_of(first, 1)).item() > 0.05
    alone = joints_of(answered(url))
    assert np.allclose(alone, joints_of(first), atol=2e-4)
    other = answered(url, options={**QUICK, "seed": 8})
    assert other["buffers"] != first["buffers"]
    drawn = answered(url, options={"model_options": QUICK["model_options"]})
    [said] = [note for note in notes(drawn) if note["code"] == "seed"]
    assert answered(url, options={**QUICK, "seed": said["seed"]})["buffers"] == drawn["buffers"]


def test_prompts_follow_each_other_at_the_rate_asked_for(url: str) -> None:
    segments = [text("a person walks forward", 75), text("a person sits down", 76)]
    document = answered(url, *segments, timing={"fps": 30.0})
    found = client.parse_gltf(document)
    assert (found["num_frames"], found["fps"]) == (151, 30.0)
    hips = joints_of(document)[:, 0]
    steps = np.linalg.norm(np.diff(hips, axis=0), axis=-1)
    assert steps.max() < 0.15
    assert hips[-1, 1] < 0.75 * hips[:75, 1].mean()
    seeded = answered(url, segments[0], {**segments[1], "seed": 99}, timing={"fps": 30.0})
    apart = np.linalg.norm(joints_of(seeded) - joints_of(document), axis=-1).max(1)
    # The decoder reads both sides of the seam, and where feet are held depends on it: in some frames much.
    assert 4 * np.median(apart[:30]) < 0.04 < np.median(apart[90:])


def test_gaps_without_a_prompt_are_filled_by_the_model_alone(url: str) -> None:
    gap = {"type": "unconditioned", "duration_frames": 20}
    document = answered(url, gap, text("a person jumps", 40), {**gap, "duration_frames": 1})
    assert client.parse_gltf(document)["num_frames"] == 61
    assert client.parse_gltf(answered(url, gap))["num_frames"] == 20
    left_out = answered(url, {**gap, "duration_frames": 1}, text("a person jumps", 40))
    assert [note["segment"] for note in notes(left_out) if note["code"] == "segment_left_out"] == [0]


def test_a_segment_longer_than_a_clip_is_cut_and_says_where(url: str) -> None:
    document = answered(url, text("a person walks forward", 300))
    [sample] = document["extensions"]["MMCP_motion"]["samples"]
    assert sample["num_frames"] == 300
    assert sample["chunk_boundaries"] == [148]


def test_what_is_guessed_or_not_used_is_said(url: str) -> None:
    document = answered(url, text("the stock market crashed", 20), options={**QUICK, "diffusion_steps": 50})
    codes = {note["code"]: note for note in notes(document)}
    assert codes["unfamiliar_prompt"]["prompt"] == "the stock market crashed"
    assert codes["unfamiliar_prompt"]["severity"] == "warning"
    assert codes["option_not_used"]["option"] == "diffusion_steps"


def mixamo(prefix: str = "mixamorig:") -> dict[str, Any]:
    """A rig with a root on the floor, Mixamo's names, arms held out low, and fingers."""
    joints = [joint("Root", None, (0, 0, 0))]
    rest = {
        "Hips": ("Root", (0, 100, 0)),
        "Spine": ("Hips", (0, 10, 0)),
        "Spine1": ("Spine", (0, 12, 0)),
        "Spine2": ("Spine1", (0, 13, 0)),
        "Neck": ("Spine2", (0, 15, 0)),
        "Head": ("Neck", (0, 10, 2)),
    }
    for side, sign in (("Left", 1), ("Right", -1)):
        rest |= {
            f"{side}UpLeg": ("Hips", (9 * sign, -5, 0)),
            f"{side}Leg": (f"{side}UpLeg", (0, -44, 0)),
            f"{side}Foot": (f"{side}Leg", (0, -42, 0)),
            f"{side}ToeBase": (f"{side}Foot", (0, -9, 14)),
            f"{side}Shoulder": ("Spine2", (6 * sign, 9, 0)),
            f"{side}Arm": (f"{side}Shoulder", (12 * sign, 0, 0)),
            f"{side}ForeArm": (f"{side}Arm", (18 * sign, -20, 0)),
            f"{side}Hand": (f"{side}ForeArm", (17 * sign, -19, 0)),
            f"{side}HandIndex1": (f"{side}Hand", (5 * sign, -5, 1)),
        }
    for name, (parent, offset) in rest.items():
        above = parent if parent == "Root" else prefix + parent
        joints.append(joint(prefix + name, above, offset))
    return {"joints": joints}


def joint(name: str, parent: str | None, offset: tuple[float, ...]) -> dict[str, Any]:
    metres = [x / 100 for x in offset]
    return {"name": name, "parent": parent, "rest_translation": metres, "rest_rotation": [0, 0, 0, 1]}


def test_a_posted_skeleton_gets_the_motion(url: str) -> None:
    skeleton = mixamo()
    document = answered(url, text("a person walks forward", 60), skeleton=skeleton)
    names = [node["name"] for node in document["nodes"]]
    assert names == [each["name"] for each in skeleton["joints"]]
    found, own = joints_of(document), joints_of(answered(url, text("a person walks forward", 60)))
    hips, scale = names.index("mixamorig:Hips"), 1.0 / 0.955
    assert np.allclose(found[:, hips], scale * own[:, 0], atol=0.02)
    for theirs, ours in (("LeftForeArm", 18), ("RightHand", 21), ("LeftLeg", 4), ("Head", 15)):
        at = names.index(f"mixamorig:{theirs}")
        assert (
            np.linalg.norm(found[:, at] - found[:, hips] - scale * (own[:, ours] - own[:, 0]), axis=-1).max()
            < 0.16
        )
    soles = found[:, [names.index(f"mixamorig:{side}ToeBase") for side in ("Left", "Right")], 1]
    assert -0.01 < soles.min() < 0.03
    block = document["extensions"]["MMCP_motion"]
    assert block["canonical_to_request"]["LeftArm"] == "mixamorig:LeftArm"
    assert set(block["samples"][0]["foot_contacts"]) == {
        f"mixamorig:{side}{part}" for side in ("Left", "Right") for part in ("Foot", "ToeBase")
    }


def test_a_rig_without_toes_is_served(url: str) -> None:
    skeleton = mixamo()
    skeleton["joints"] = [each for each in skeleton["joints"] if "Toe" not in each["name"]]
    found = joints_of(answered(url, text("a person walks forward", 20), skeleton=skeleton))
    feet = [n for n, each in enumerate(skeleton["joints"]) if each["name"].endswith("Foot")]
    assert 0.0 < found[:, feet, 1].min() < 0.15


@pytest.mark.parametrize(
    "known, code, said",
    [
        ({"model": "other"}, "unknown_model", "other"),
        ({"protocol_version": "2.0"}, "version_unsupported", "2.0"),
        ({"segments": [text("", 20)]}, "schema_validation", "schema"),
        ({"segments": [text("   ", 20)]}, "invalid_request", "the prompt is empty"),
        ({"segments": [text("a" * 500, 20)]}, "invalid_options", "prompt length 500"),
        ({"segments": [text("a person walks", 2000)]}, "invalid_options", "exceeds"),
        ({"segments": [{"type": "pose", "prompt": "a bow"}]}, "unsupported_segment", "pose"),
        ({"segments": [], "duration_frames": 20}, "schema_validation", "schema"),
        (
            {
                "constraints": [
                    {"type": "effector_target", "joint": "Head", "frames": [1], "positions": [[0, 1, 0]]}
                ]
            },
            "unsupported_constraint",
            "effector_target",
        ),
        ({"options": {"num_samples": 17}}, "schema_validation", "schema"),
        ({"options": {"model_options": {"candidates": 1000}}}, "invalid_options", "above the maximum"),
        ({"options": {"model_options": {"speed": 2}}}, "invalid_options", "no option 'speed'"),
        ({"options": {"guidance": {"type": "regular", "weight": [-1]}}}, "invalid_options", "0 or more"),
        ({"options": {"loop": True}}, "invalid_options", "loop"),
        ({"timing": {"fps": 1000.0}}, "invalid_options", "timing.fps: expected 1 to 240"),
        ({"skeleton": {"joints": [joint("Hips", None, (0, 1, 0))]}}, "invalid_skeleton", "left hip"),
    ],
)
def test_what_cannot_be_served_is_said_in_the_envelope(
    url: str, known: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(client.MmcpError) as error:
        answered(url, **known)
    assert error.value.code == code
    assert said in str(error.value)


def test_broken_rest_poses_are_refused(url: str) -> None:
    for name, offset, turn in (
        ("lies", (0, 0, 100), [0.7, 0, 0, 0.7]),
        ("none", (0, 100, 0), [0, 0, 0, 0]),
        ("vast", (0, 1e307, 0), [0, 0, 0, 1]),
    ):
        skeleton = mixamo()
        skeleton["joints"][1] |= {"rest_translation": [x / 100 for x in offset], "rest_rotation": turn}
        with pytest.raises(client.MmcpError) as error:
            answered(url, skeleton=skeleton)
        assert error.value.code == "invalid_skeleton", name


def test_a_batch_answers_each_request_for_itself(url: str) -> None:
    bodies = [request(url, text("a person jumps", 20)), request(url, text("   ", 20))]
    with urlopen(
        f"{url}/generate", data=json.dumps({"protocol_version": "1.4", "requests": bodies}).encode()
    ) as found:
        first, second = json.load(found)["results"]
    assert client.parse_gltf(first["gltf"])["num_frames"] == 20
    assert second["error"]["code"] == "invalid_request"


def test_eight_clients_at_once_each_get_their_own(url: str) -> None:
    bodies = [request(url, text("a person walks", 4 * number)) for number in range(1, 9)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda body: client.generate(url, body), bodies))
    assert [client.parse_gltf(document)["num_frames"] for document in together] == list(range(4, 36, 4))
    assert client.generate(url, bodies[3])["buffers"] == together[3]["buffers"]


def test_work_of_clients_that_left_is_dropped(url: str) -> None:
    slow = {**QUICK, "num_samples": 16, "model_options": {"candidates": 8}}
    body = json.dumps(request(url, text("a person walks", 400), options=slow)).encode()
    host, port = url.removeprefix("http://").split(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(3)]
    for each in clients:
        head = f"POST /generate HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        each.sendall(head.encode() + body)
    wait_until(url, 3)
    for each in clients:
        each.close()
    wait_until(url, 0)
    assert client.parse_gltf(answered(url, text("a person walks", 8)))["num_frames"] == 8


def wait_until(url: str, unfinished: int) -> None:
    """Until so many requests wait or are served; the motions of the test above would take minutes."""
    for _ in range(600):
        with urlopen(f"{url}/health") as found:
            if json.load(found)["unfinished"] == unfinished:
                return
        time.sleep(0.05)
    raise AssertionError(f"never {unfinished} requests")


def test_bundles_of_other_joints_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="kit's joints; expected a bundle of humanml3d's"):
        LampBackbone(replace(bundle, skeleton=KIT), Worker())


def test_the_offered_skeleton_stands_on_the_floor(url: str) -> None:
    joints = client.pick_model(client.get_capabilities(url))["canonical_skeleton"]["joints"]
    still = np.zeros((1, 1, len(joints), 4))
    still[..., 3] = 1.0
    root = np.array(joints[0]["rest_translation"]).reshape(1, 1, 3)
    places, _ = fk_positions(joints, [each["name"] for each in joints], still, root)
    assert places[..., 1].min() == pytest.approx(0.0, abs=1e-6)
    assert places[0, 0, :, 1].max() > 1.4
