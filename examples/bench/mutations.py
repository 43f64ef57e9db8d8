"""Damaged motion files: ``python -m examples.bench.mutations [--count 2000] [--seed 0] [READER ...]``.

Reads files that were changed by chance (bytes, numbers and lines replaced, doubled or cut out). A reader
either gives a motion of finite joints or says in one sentence what is wrong, within two
seconds and without taking gigabytes. Prints one JSON line per reader; exit code 1 when one did anything else.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import resource
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lamp_cli.files.load import load_takes
from lamp_cli.files.smpl import save_poses
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of

MOST_SECONDS = 2.0
MOST_BYTES = 2 << 30
# What finds the places where a file is brittle: huge, tiny, wrong and missing numbers.
NUMBERS = b"nan inf -inf 1e400 1e308 -1 0 99999999999999999999 0x10 1e-400 .. - 2147483648 1,5".split()


def samples(folder: Path) -> dict[str, tuple[Path, tuple[Path, ...]]]:
    """A sound file for each reader, and those that it reads beside it."""
    joints = synthetic_clip_of("walk", np.random.default_rng(0)).joints[:60].astype(np.float32)
    motion = Motion(joints, HUMANML3D, 20.0)
    motion.save(folder / "take.bvh")
    motion.save(folder / "take.glb")
    np.save(folder / "joints.npy", joints)
    np.savez(folder / "joints.npz", first=joints, second=joints[:50])
    np.save(folder / "features.npy", joints_to_features(joints, HUMANML3D))
    save_poses(folder / "amass.npz", motion)
    (folder / "asf").mkdir()
    (folder / "asf" / "02.asf").write_text(_asf(joints[0]))
    (folder / "asf" / "02_01.amc").write_text(_amc(joints))
    names = ("take.bvh", "take.glb", "joints.npy", "joints.npz", "features.npy", "amass.npz")
    found: dict[str, tuple[Path, tuple[Path, ...]]] = {name: (folder / name, ()) for name in names}
    asf, amc = folder / "asf" / "02.asf", folder / "asf" / "02_01.amc"
    return found | {"amc": (amc, (asf,)), "asf": (asf, (amc,))}


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The bytes with one to four changes; of most archives an entry is changed within a sound archive."""
    if content.startswith(b"PK") and rng.random() < 0.7:
        return _with_mutated_entry(content, rng)
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(CHANGES)(content, rng)
    return content


def _with_mutated_entry(content: bytes, rng: random.Random) -> bytes:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            new.writestr(name, mutated(old.read(name), rng) if name == chosen else old.read(name))
    return changed.getvalue()


def _bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[_place(changed, rng)] = rng.randrange(256)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    begin = _place(content, rng)
    return content[:begin] if rng.random() < 0.3 else content[:begin] + content[begin + rng.randint(1, 200) :]


def _double(content: bytes, rng: random.Random) -> bytes:
    begin = _place(content, rng)
    part = content[begin : begin + rng.randint(1, 400)]
    return content[:begin] + part * rng.randint(2, 5) + content[begin:]


def _number(content: bytes, rng: random.Random) -> bytes:
    begin = _place(content, rng)
    return content[:begin] + re.sub(rb"-?\d[\d.e+-]*", rng.choice(NUMBERS), content[begin:], count=1)


def _line(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first] if rng.random() < 0.5 else b""
    return b"\n".join(lines)


def _place(content: bytes | bytearray, rng: random.Random) -> int:
    """Mostly near the beginning, where a file says what it holds."""
    size = max(1, len(content))
    return rng.randrange(min(size, 2000)) if rng.random() < 0.7 else rng.randrange(size)


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bytes,
    _cut,
    _double,
    _number,
    _number,
    _line,
)


def read(path: Path) -> str:
    """What comes of a file, ``motion`` or ``refused``; raises what no reader may raise."""
    outcome = "refused"
    try:
        for _, take in load_takes(path):
            if isinstance(take, Motion):
                if not np.isfinite(take.joints).all():
                    raise AssertionError("joints that are not finite")
                outcome = "motion"
            elif len(str(take).splitlines()) != 1:
                raise AssertionError(f"more than a sentence: {take}")
    except ValueError as error:
        if str(path.parent) not in str(error) or len(str(error).splitlines()) != 1:
            raise AssertionError(f"no sentence that names the file: {error}") from error
    return outcome


def attack(reader: str, count: int, seed: int) -> dict[str, object]:
    """What ``count`` damaged files of one reader came to; ``wrong`` lists what went wrong, with its number.

    The files of two seeds have nothing in common.
    """
    outcomes = {"motion": 0, "refused": 0}
    wrong: list[str] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        source, others = samples(Path(name))[reader]
        folder = Path(name) / "damaged"
        folder.mkdir()
        for other in others:
            (folder / other.name).write_bytes(other.read_bytes())
        content = source.read_bytes()
        for number in range(count):
            (folder / source.name).write_bytes(mutated(content, random.Random(f"{seed} {number}")))
            begun = time.process_time()
            try:
                # An ASF file is read with its motion.
                path = folder / (others[0].name if source.suffix == ".asf" else source.name)
                outcomes[read(path)] += 1
            except BaseException as error:
                wrong.append(f"{number}: {type(error).__name__}: {str(error)[:200]}")
            seconds = time.process_time() - begun
            slowest = max(slowest, seconds)
            if seconds > MOST_SECONDS:
                wrong.append(f"{number}: {seconds:.1f} s")
    return {
        "reader": reader,
        "files": count,
        **outcomes,
        "slowest seconds": round(slowest, 3),
        "wrong": wrong,
    }


def main() -> None:
    """Attack the readers that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("readers", nargs="*")
    arguments = parser.parse_args()
    # A warning of NumPy's would be a number that nobody looked at.
    warnings.simplefilter("error")
    # NumPy leaves a broken archive to the collector.
    warnings.simplefilter("ignore", ResourceWarning)
    resource.setrlimit(resource.RLIMIT_AS, (4 * MOST_BYTES, 4 * MOST_BYTES))
    with tempfile.TemporaryDirectory() as name:
        readers = arguments.readers or list(samples(Path(name)))
    reports = [attack(reader, arguments.count, arguments.seed) for reader in readers]
    for report in reports:
        print(json.dumps(report))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak bytes": peak}))
    sys.exit(any(report["wrong"] for report in reports) or peak > MOST_BYTES)


def _bones() -> dict[str, tuple[str, int]]:
    """Bones of CMU's skeleton: parent, and the joint of ours where each ends."""
    bones = {"lowerback": ("root", 6), "upperback": ("lowerback", 9), "thorax": ("upperback", 12)}
    bones["upperneck"] = ("thorax", 15)
    for side, first in (("l", 1), ("r", 2)):
        leg = ("root", *(f"{side}{bone}" for bone in ("hipjoint", "femur", "tibia", "foot")))
        arm = ("thorax", *(f"{side}{bone}" for bone in ("clavicle", "humerus", "radius")))
        for chain, joint in ((leg, first), (arm, first + 15)):
            for number, bone in enumerate(chain[1:]):
                step = 3 if chain is leg else 2
                bones[bone] = (chain[number], joint + step * number)
    return bones


def _asf(pose: np.ndarray) -> str:
    bones = _bones()
    ends = {"root": 0, **{bone: joint for bone, (_, joint) in bones.items()}}
    text = ":units\nlength 1.0\nangle deg\n:root\norder TX TY TZ RX RY RZ\naxis XYZ\nposition 0 0 0\n"
    text += "orientation 0 0 0\n:bonedata\n"
    for bone, (parent, joint) in bones.items():
        offset = pose[joint] - pose[ends[parent]]
        length = float(np.linalg.norm(offset))
        x, y, z = offset / length
        text += f"begin\nid 1\nname {bone}\ndirection {x:.6f} {y:.6f} {z:.6f}\nlength {length:.6f}\n"
        text += "axis 0 0 0 XYZ\ndof rx ry rz\nlimits (-180 180)\n(-180 180)\n(-180 180)\nend\n"
    return text + ":hierarchy\nbegin\n" + "".join(f"{p} {b}\n" for b, (p, _) in bones.items()) + "end\n"


def _amc(joints: np.ndarray) -> str:
    text = ":FULLY-SPECIFIED\n:DEGREES\n"
    for frame, pose in enumerate(joints, 1):
        text += f"{frame}\nroot {' '.join(f'{v:.5f}' for v in pose[0])} 0 0 0\n"
        text += "".join(f"{bone} {frame * 0.1:.3f} 0 0\n" for bone in _bones())
    return text


if __name__ == "__main__":
    main()
