"""Random calls of every command: ``python -m examples.bench.invocations [--count 5000] [--seed 0]``.

Calls ``lamp`` with options, files and lines of stdin that were changed by chance: options left out, added
and given odd values, damaged motion files, bundles, indexes, data sets and folders of training. Each call has
a process of its own, forked from this one, which has imported what takes seconds; every tenth (``--whole``)
begins anew as the shell's do. Whatever is asked, a call ends within twenty seconds of the processor with exit
code 0, 1 or 2, says what was wrong without a traceback or a warning of Python's, writes nowhere but where it
was told to, leaves nothing temporary, asks no other machine for anything. ``lamp serve`` is told to end when
it serves. Prints the calls that did anything else, and a line of counts; exit code 1 when there were any.
Call N of a seed is the same whatever the count is, and ``--only N`` makes it alone. Names of commands limit
the calls to these.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

import lamp_cli
from lamp_cli.cli.app import COMMANDS, app

from .calls import OUT_OF_TIME, RAISED, Caller, Ended
from .mutations import mutated, samples
from .offline.sitecustomize import NETWORK

CONFIG = Path(__file__).parent.parent / "ablations_tiny.toml"
BAD_ENDS = {OUT_OF_TIME: "does not end", NETWORK: "asks for the network", RAISED: "raises"}
# What stderr never holds; the first one but where it was asked for.
BAD_SIGNS = ("Traceback", "internal error", "Warning:")
# Words by which people, not programs, are answered on stdout.
HELP = {"help", "--help", "-h", "--version", "-V", "--show-completion"}
IMPORTS = ("torch._dynamo", "matplotlib.pyplot", "transformers")
STAGES = ("tokenizer", "lamp", "generator", "language", "captioner")
TEXTS: tuple[str, ...] = ("", " ", "nan", "-1", "0", "1e400", "99999999999999999999", "a\nb", "-", "--")
TEXTS += ("é ü ß", "人が歩く")
TEXTS += ("../../x", "/dev/null", "/", ".", "x" * 300, "\udcff", "\x1b[31m", "[red]a[/]", "{", "%s", "a,b")
NUMBERS = ("-1", "0", "1", "2", "3", "7", "1.5", "nan", "inf", "1e9", "", "two")
SENTENCES = ("a person walks", "a person jumps then sits down", "he waves", "a man kicks twice", "xyzzy")
# Where a command writes: only within the folder of the call.
OUTPUTS = ("--output", "--index", "--copy-to", "--render", "--html", "--together", "--plot", "--log")
# What would only take long.
LONG: tuple[str, ...] = ("--samples", "--synthetic", "--recombine", "--candidates", "--workers")
LONG += ("--repetitions", "--steps")
LONG += ("--frames", "--seconds", "--beams", "--size", "--width", "--height", "--supersample", "--max-frames")
# Temporary files and folders of ours, of safetensors and of NumPy.
TEMPORARY = re.compile(r"\.lamp-(?!index$)|\.saving-|\.tmp|\..*-[a-z0-9_]{8}(\.\w+)?$")
# Folders that calls write to: each call has a copy of its own.
CHANGED = ("RUN", "STOPPED", "INDEX")
# Words of a call that need a bundle or a data set.
TRAINED = "BUNDLE|RUN|DATA|WEIGHTS|STOPPED|INDEX"
BASES: dict[str, tuple[str, ...]] = {
    "generate": (
        "generate SENTENCE --model BUNDLE --format npy --seconds 2 --output OUT",
        "generate --prompts PROMPTS --model BUNDLE --format npy,bvh --candidates 1 --output OUT",
        "generate --model BUNDLE --frames 40 --features --format npz < LINES",
        "generate SENTENCE --then SENTENCE --seconds 2 --model BUNDLE --format glb",
    ),
    "retrieve": (
        "retrieve SENTENCE --library CLIPS --model BUNDLE",
        "retrieve MOTION --library CLIPS --model BUNDLE -k 3",
        "retrieve MOTION --texts PROMPTS --model BUNDLE",
        "retrieve --library CLIPS --model BUNDLE --index OUT/index < LINES",
        "retrieve SENTENCE --library CLIPS --model BUNDLE --index INDEX",
    ),
    "caption": (
        "caption MOTION --model BUNDLE",
        "caption CLIPS --model BUNDLE --moments",
        "caption - --model BUNDLE < LINES",
    ),
    "render": (
        "render MOTION --format png --output OUT",
        "render MOTION MOTION --html OUT/page.html",
        "render - --format png --output OUT < LINES",
    ),
    "convert": (
        "convert MOTION OUT/made.bvh",
        "convert MOTION OUT/made.glb --clean",
        "convert CLIPS --format npz --output OUT",
        "convert - --format npy --output OUT < LINES",
    ),
    "check": ("check SENTENCE MOTION", "check SENTENCE CLIPS --strict", "check - < LINES", "check --actions"),
    "score": (
        "score --physics CLIPS",
        "score --physics MOTION MOTION --baseline BASELINE --fail-on-regression",
        "score --pairs PAIRS --physics",
        "score --bertscore --model BUNDLE < LINES",
        "score --data DATA --retrieval --model BUNDLE",
        "score --data DATA --fid --r-precision --evaluator lamp --model BUNDLE --candidates 1",
    ),
    "prepare": (
        "prepare CLIPS --captions CAPTIONS --output OUT/data",
        "prepare MOTION --output OUT/data",
        "prepare --synthetic 2 --output OUT/data",
        "prepare humanml3d --mocap CLIPS --texts DATA --output OUT/data",
    ),
    "pretrain": (
        "pretrain --data DATA --output OUT/model --config CONFIG TRAINING --stage tokenizer",
        "pretrain --data DATA --output RUN --config CONFIG TRAINING",
        "pretrain --data DATA --output STOPPED --config CONFIG TRAINING",
        "pretrain --data DATA --output OUT/model --start-from BUNDLE --config CONFIG TRAINING --stage lamp",
    ),
    "edit": (
        "edit MOTION SENTENCE --between 0.5 1.5 --model BUNDLE --format npy --output OUT",
        "edit MOTION SENTENCE --after 1 --model BUNDLE --output OUT",
    ),
    "info": ("info BUNDLE", "info RUN", "info STOPPED", "info lamp-mini --json"),
    "import": (
        "import --tokenizer WEIGHTS --mean MEAN --std STD --output OUT/model",
        "import --lamp WEIGHTS --tokenizer WEIGHTS --vocabulary VOCABULARY --mean MEAN --std STD",
    ),
    "serve": (
        "serve --port 0 --model BUNDLE",
        "serve --port 0 --model BUNDLE --library CLIPS",
        "serve --port TAKEN --model BUNDLE",
        "serve --host 127.0.0.2 --port 0 --model BUNDLE",
    ),
    "help": ("help SENTENCE", "help info", "info --help", "--version", "infp BUNDLE", "--debug info BUNDLE"),
}


@dataclass(frozen=True)
class Call:
    """A call: its words, what is on stdin, and whether anything was put in the place of what it should be."""

    words: list[str]
    stdin: bytes


class Playground:
    """A folder with sound files of every kind, and one folder that is emptied for every call."""

    def __init__(self, root: Path, trained: bool = True):
        """``trained`` tells whether there are a data set and a bundle too, which takes seconds."""
        self.sound, self.call, self.temporary = root / "sound", root / "call", root / "tmp"
        for folder in (self.sound, self.call, self.temporary):
            folder.mkdir()
        clips = self.sound / "clips"
        clips.mkdir()
        self._motions = [path for path, _ in samples(clips).values()]
        lines = [json.dumps({"text": text, "motion": "MOTION"}) for text in SENTENCES]
        captions = [{"motion": p.stem, "captions": ["a person walks", "he walks"]} for p in self._motions]
        texts = {
            "prompts.txt": "\n".join(SENTENCES),
            "captions.jsonl": "\n".join(map(json.dumps, captions)),
            "pairs.jsonl": "\n".join(lines).replace("MOTION", str(clips / "joints.npy")),
            "baseline.jsonl": '{"metric": "jitter (km/s3)", "value": 1.0, "protocol": "x"}\n',
        }
        for name, text in texts.items():
            (self.sound / name).write_text(text)
        (self.call / "here").mkdir()
        self.caller = Caller(root, self.call / "here")
        self._taken = socket.create_server(("127.0.0.1", 0))
        if trained:
            self._train()
        pairs = {"BUNDLE": "bundle", "RUN": "bundle", "DATA": "data", "CLIPS": "clips"}
        pairs |= {"STOPPED": "stopped", "INDEX": "index"}
        self._folders = {key: self.sound / name for key, name in pairs.items()}
        names = {"PROMPTS": "prompts.txt", "CAPTIONS": "captions.jsonl", "PAIRS": "pairs.jsonl"}
        names |= {"BASELINE": "baseline.jsonl", "WEIGHTS": "bundle/tokenizer.safetensors"}
        names |= {"MEAN": "data/Mean.npy", "STD": "data/Std.npy", "VOCABULARY": "bundle/vocab.txt"}
        self._files = {key: self.sound / name for key, name in names.items()} | {"CONFIG": CONFIG}
        self.before = self.state()

    def close(self) -> None:
        """Free the port that is taken."""
        self._taken.close()

    def _train(self) -> None:
        """A data set, a bundle, a training that was stopped in its third stage, and an index."""
        data, bundle = self.sound / "data", self.sound / "bundle"
        self._done("prepare", "--synthetic", "40", "--output", data)
        training = ["pretrain", "--data", str(data), "--config", str(CONFIG), *_training(), "--output"]
        self._done(*training, bundle)
        stopped = self.caller.forked([*training, str(self.sound / "stopped")], begin=_stop_in_generator)
        if stopped.code != 130:
            raise RuntimeError(f"no stopped training to call with: {stopped}")
        library = ("--library", self.sound / "clips", "--index", self.sound / "index")
        self._done("retrieve", "a person walks", *library, "--model", bundle)

    def _done(self, *words: str | Path) -> None:
        if (ended := self.caller.forked(list(map(str, words)))).code:
            raise RuntimeError(f"nothing to call with: {ended.err}")

    def state(self) -> dict[str, tuple[int, int]]:
        """Size and time of everything that no call may change."""
        found = (path for path in self.sound.rglob("*") if path.is_file() and ".lamp-index" not in path.parts)
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}

    def begin(self) -> None:
        """Empty the folder of the call."""
        shutil.rmtree(self.call)
        (self.call / "here").mkdir(parents=True)
        shutil.rmtree(self.sound / "clips" / ".lamp-index", ignore_errors=True)

    def place(self, name: str, rng: random.Random) -> list[str]:
        """What stands in a call for a word in capitals, now and then a damaged copy."""
        if name.startswith("OUT"):
            return [str(self.call / "out") + name.removeprefix("OUT")]
        if name == "SENTENCE":
            return [rng.choice(SENTENCES)]
        if name == "TRAINING":
            return _training()
        if name == "TAKEN":
            return [str(self._taken.getsockname()[1])]
        if name == "MOTION":
            return [str(self._damaged(rng.choice(self._motions), rng))]
        if name in self._files:
            return [str(self._damaged(self._files[name], rng))]
        return [str(self._folder(name, rng))]

    def lines(self, rng: random.Random) -> bytes:
        """Lines of stdin, most of them sound."""
        motion = str(rng.choice(self._motions))
        sentence, odd = rng.choice(SENTENCES), rng.choice(TEXTS)
        kinds: list[object] = [motion, sentence, {"motion": motion, "text": sentence}, {"query": sentence}]
        kinds += [{"text": sentence, "seconds": rng.choice([2, -1, "x", 1e308])}, [sentence, {"text": odd}]]
        kinds += [{"motion": motion, "fps": rng.choice([30, 0, "x"])}, {"motion": odd, "text": odd}]
        kinds += [odd, {"motion": 3}, {}]
        chosen = [rng.choice(kinds) for _ in range(rng.randint(0, 4))]
        text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in chosen)
        content = text.encode("utf-8", "surrogateescape")
        if rng.random() < 0.1:
            content = rng.choice(self._motions).read_bytes()
        return mutated(content, rng) if content and rng.random() < 0.4 else content

    def _damaged(self, path: Path, rng: random.Random) -> Path:
        if rng.random() < 0.5 or not path.exists():
            return path
        if rng.random() < 0.1:
            return path.with_name(path.name + ".missing")
        if rng.random() < 0.1:
            return rng.choice([path.parent, Path("/dev/null"), *self._motions, *self._files.values()])
        folder = self.call / f"damaged_{rng.randrange(10**6)}"
        folder.mkdir(exist_ok=True)
        copy = folder / rng.choice([path.name, path.name, f"a b\n{path.name}", f"é{path.name}", path.stem])
        content = path.read_bytes()
        copy.write_bytes(b"" if rng.random() < 0.05 else mutated(content, rng))
        return copy

    def _folder(self, name: str, rng: random.Random) -> Path:
        folder = self._folders[name]
        if (name not in CHANGED and rng.random() < 0.6) or not folder.exists():
            return folder
        copy = self.call / f"folder_{rng.randrange(10**6)}"
        shutil.copytree(folder, copy, copy_function=os.link)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        for path in rng.sample(files, k=min(len(files), rng.choice([0, 1, 1, 2]))):
            content = path.read_bytes()
            path.unlink()
            if rng.random() < 0.8:
                cut = rng.random() < 0.3
                path.write_bytes(content[: len(content) // 2] if cut else mutated(content, rng))
        # What is not replaced is a link to a sound file, which a call must not write to. Weights are never
        # written in place, and would take long to copy.
        for path in copy.rglob("*"):
            if path.is_file() and path.stat().st_nlink > 1 and path.suffix != ".safetensors":
                content = path.read_bytes()
                path.unlink()
                path.write_bytes(content)
        return copy


def _training() -> list[str]:
    words = ["--text-encoder", "none"]
    for stage in STAGES:
        words += ["--steps", f"{stage}=2", "--batch-size", f"{stage}=2", "--validate-every", f"{stage}=1"]
    return words


def _stop_in_generator() -> None:
    """Let the training in this process be told to stop by its display, in its third stage."""
    display: Any = importlib.import_module("lamp_cli.cli.pretrain")._Display
    show = display.__call__

    def show_and_stop(self: Any, stage: str, *figures: Any) -> None:
        show(self, stage, *figures)
        if stage == "generator":
            os.kill(os.getpid(), signal.SIGTERM)

    display.__call__ = show_and_stop


def options_of(command: str) -> list[tuple[str, bool]]:
    """The options of a command, and whether each takes a value."""
    if command not in COMMANDS:
        return [("--help", False), ("--version", False), ("--debug", False)]
    group: Any = typer.main.get_command(app)
    found = group.get_command(typer.Context(group), command)
    every = [each for each in found.params if each.param_type_name == "option"]
    return [(name, not each.is_flag) for each in every for name in (*each.opts, *each.secondary_opts)]


def call_of(rng: random.Random, command: str, playground: Playground) -> Call:
    """A call that began as a sound one."""
    base, _, stdin = rng.choice(BASES[command]).partition(" < ")
    words: list[str] = []
    for word in base.split():
        plain = word.upper() == word and word.strip("-/") and not word.startswith("-") and word[0].isalpha()
        words += playground.place(word, rng) if plain or word.startswith("OUT") else [word]
    lines = playground.lines(rng) if stdin or rng.random() < 0.1 else b""
    if command == "generate":
        # Every line of a motion file is a sentence.
        lines = lines[:600]
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        # Of a call of one word there may be none left.
        words = rng.choice(CHANGES)(words, rng, command, playground) if words else words
    return Call(words, lines)


def _left_out(words: list[str], rng: random.Random, command: str, playground: Playground) -> list[str]:
    place = rng.randrange(len(words))
    return words[:place] + words[place + 1 :]


def _twice(words: list[str], rng: random.Random, command: str, playground: Playground) -> list[str]:
    place = rng.randrange(len(words))
    return words[: place + 1] + words[place:]


def _other_value(words: list[str], rng: random.Random, command: str, playground: Playground) -> list[str]:
    place = rng.randrange(1, max(2, len(words)))
    before = words[place - 1]
    if place >= len(words) or before in OUTPUTS or before in LONG or words[place].startswith("--"):
        return words
    if command == "convert" and words[place].startswith(str(playground.call / "out")):
        return words
    return [*words[:place], rng.choice(TEXTS + NUMBERS), *words[place + 1 :]]


def _more(words: list[str], rng: random.Random, command: str, playground: Playground) -> list[str]:
    name, takes_value = rng.choice(options_of(command))
    if not takes_value:
        return [*words, name]
    if name in OUTPUTS:
        endings = ("", "/x", "/a.png", "/a.html", "/a.npy", "/a b\n.mp4", "/é.gif", "/.png")
        return [*words, name, str(playground.call / "out") + rng.choice(endings)]
    if name in LONG:
        return [*words, name, rng.choice(("-1", "0", "1", "2", "nan", "two", ""))]
    kinds = ("MOTION", "CLIPS", "BUNDLE", "DATA", "PROMPTS", "CAPTIONS", "CONFIG", "PAIRS", "VOCABULARY")
    value = playground.place(rng.choice(kinds), rng) if rng.random() < 0.4 else [rng.choice(TEXTS + NUMBERS)]
    return [*words, name, *value]


Change = Callable[[list[str], random.Random, str, Playground], list[str]]
CHANGES: tuple[Change, ...] = (_left_out, _twice, _other_value, _other_value, _more, _more, _more)


def wrong_of(call: Call, playground: Playground, whole: bool = False) -> tuple[str, int]:
    """What a call did that no call may, empty for nothing; and its exit code."""
    ended = (playground.caller.whole if whole else playground.caller.forked)(call.words, call.stdin)
    # A name that is no folder may be one of the hub's, where BERTScore's encoders are looked for.
    if ended.code == NETWORK and "--bertscore-encoder" in call.words:
        return "", NETWORK
    signs = BAD_SIGNS[1:] if "--debug" in call.words else BAD_SIGNS
    problem = _wrong(ended, signs, not HELP.isdisjoint(call.words or ["-h"]))
    return problem or _wrong_files(playground), ended.code


def _wrong(ended: Ended, signs: Sequence[str], is_help: bool) -> str:
    code, out, err = ended.code, ended.out, ended.err
    if code not in (0, 1, 2):
        return f"{BAD_ENDS.get(code, f'exit code {code}')}: {err[-1500:]}"
    for sign in signs:
        if sign in err:
            return f"{sign}: {err[-500:]}"
    if code and not err.strip():
        return f"exit code {code} without a word"
    if code == 0 and not is_help:
        for line in out.splitlines():
            try:
                json.loads(line)
            except ValueError:
                return f"no JSON line: {line[:200]}"
    return ""


def _wrong_files(playground: Playground) -> str:
    if (state := playground.state()) != playground.before:
        changed = sorted({name for name, _ in state.items() ^ playground.before.items()})
        playground.before = state
        return f"changed {', '.join(changed[:3])}"
    left = [path for path in playground.call.rglob(".*") if TEMPORARY.match(path.name)]
    # Torch makes the folder of its compiler's cache when it is imported.
    found = [path for path in playground.temporary.iterdir() if not path.name.startswith("torchinductor")]
    left += found
    if left:
        for path in found:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        return f"left {', '.join(map(str, left[:3]))}"
    return ""


def _import_what_takes_seconds(commands: Sequence[str]) -> None:
    """Import, once for all calls, what they would import each; as far as it is installed."""
    slow = [COMMANDS[command][0] for command in commands if command in COMMANDS]
    if set(commands) == set(BASES):
        rooms = pkgutil.walk_packages(lamp_cli.__path__, "lamp_cli.")
        slow += [*IMPORTS, *(each.name for each in rooms if not each.name.endswith("__main__"))]
    for name in slow:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)


def attack(
    folder: Path,
    count: int,
    seed: int,
    commands: Sequence[str] = tuple(BASES),
    first: int = 0,
    whole: int = 0,
) -> tuple[Counter[str], list[str]]:
    """How ``count`` calls ended, by command and exit code, and what was wrong of which.

    Each ``whole`` th has a process that begins anew; 0: none.
    """
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    # Read at the import of what asks the hub: a name that is no folder may be one of the hub's.
    os.environ["HF_HUB_OFFLINE"] = "1"
    _import_what_takes_seconds(commands)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
    trained = any(re.search(TRAINED, base) for command in commands for base in BASES[command])
    playground = Playground(folder, trained)
    for number in range(first, first + count):
        rng = random.Random(f"{seed} {number}")
        playground.begin()
        command = rng.choice(list(commands))
        call = call_of(rng, command, playground)
        problem, code = wrong_of(call, playground, bool(whole) and number % whole == 0)
        outcomes[f"{command} {code}"] += 1
        if problem:
            wrong.append(f"{number}: {call.words} {call.stdin[:300]!r}: {problem}")
            print(json.dumps({"call": number, "words": call.words, "wrong": problem}), flush=True)
        if number % 100 == 99:
            print(f"{number + 1 - first} of {count} calls", file=sys.stderr, flush=True)
    playground.close()
    return outcomes, wrong


def main() -> None:
    """Call, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one call")
    parser.add_argument("--whole", type=int, default=10, help="each that manieth call begins anew; 0: none")
    parser.add_argument("commands", nargs="*")
    options = parser.parse_args()
    first, count = (0, options.count) if options.only is None else (options.only, 1)
    commands = tuple(options.commands) or tuple(BASES)
    with tempfile.TemporaryDirectory() as name:
        outcomes, wrong = attack(Path(name), count, options.seed, commands, first, options.whole)
    print(json.dumps({"calls": count, "wrong": len(wrong), "outcomes": dict(sorted(outcomes.items()))}))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
