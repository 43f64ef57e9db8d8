"""Kills of a training: ``python -m examples.bench.kills [--kills 30] [--seed 0] [--steps 20]``.

``lamp pretrain`` of tiny networks on made-up motions is stopped at random moments (killed outright, SIGTERM,
Ctrl-C) and called again, until it is done; then from the beginning, until there were so many kills. What is
trained must be the same bytes as without any kill, nothing temporary may be left, and SIGTERM and Ctrl-C
must end the process within five seconds of the processor, without a traceback. Moments are the processor's
seconds too, so that a busy machine changes nothing. Prints a JSON line a kill and one at the end; exit code 1
when something was wrong.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# What making an optimiser imports, here once for all the processes that are forked from this one.
import torch._dynamo  # noqa: F401

import lamp_cli.training.pretrain  # noqa: F401
from lamp_cli.cli.app import main as lamp

CONFIG = Path(__file__).parent.parent / "ablations_tiny.toml"
CORE = ("tokenizer", "lamp", "generator", "captioner")
STAGES = ("tokenizer", "lamp", "generator", "language", "captioner")
# What the timer of a process's own seconds sends; nobody handles it, so it ends the process as SIGKILL does.
OUTRIGHT = signal.SIGPROF
SIGNALS = (OUTRIGHT, signal.SIGTERM, signal.SIGINT)
MOST_SECONDS_TO_STOP = 5.0
# Steps between saved states: some kills lose steps and some do not.
VALIDATE_EVERY = 3


@dataclass(frozen=True)
class Kill:
    """One kill.

    moment: processor seconds after the call.
    signal: its name.
    stage: what was trained at that moment; empty before and after.
    seconds: of the processor until the process had ended.
    code: exit code; negative for the signal that ended the process.
    wrong: what was not as promised; empty when all was.
    """

    moment: float
    signal: str
    stage: str
    seconds: float
    code: int
    wrong: str


class Training:
    """Calls of one training with one output folder."""

    def __init__(
        self, data: Path, output: Path, steps: int, config: Path = CONFIG, stages: Sequence[str] = CORE
    ):
        self._output, self._said = output, output.with_suffix(".log")
        words = ["pretrain", "--data", data, "--output", output, "--config", config, "--text-encoder", "none"]
        for stage in stages:
            words += ["--stage", stage]
        for stage in STAGES:
            words += ["--steps", f"{stage}={steps}", "--validate-every", f"{stage}={VALIDATE_EVERY}"]
            words += ["--batch-size", f"{stage}=4"]
        self._words = [str(word) for word in words]

    def undisturbed(self) -> float:
        """Train to the end; the processor seconds it took."""
        code, seconds = self._called(None)
        self._require_done(code)
        return seconds

    def killed(self, moment: float, number: signal.Signals) -> Kill | None:
        """Call, and kill after ``moment`` processor seconds; None when the training was done before."""
        code, seconds = self._called((moment, number))
        if code == 0:
            return None
        if code not in (130, -number):
            self._require_done(code)
        after = round(max(seconds - moment, 0.0), 2)
        wrong = self._broken_promise(number, after, code)
        return Kill(round(moment, 2), number.name, self._stage(), after, code, wrong)

    def differences(self, other: Training) -> list[str]:
        """Files of weights and logs that are not those of another training, and temporary ones."""
        mine, theirs = self._learned(), other._learned()
        differ = [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
        return differ + self._temporaries()

    def _called(self, kill: tuple[float, signal.Signals] | None) -> tuple[int, float]:
        """The exit code of a call, and the processor seconds it took."""
        before = _seconds_of_children()
        process = multiprocessing.get_context("fork").Process(
            target=_lamp, args=(self._words, self._said, kill)
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode, _seconds_of_children() - before

    def _require_done(self, code: int) -> None:
        if code:
            raise RuntimeError(f"the training ended with {code}: {self._said.read_text()}")

    def _stage(self) -> str:
        """The stage that is begun and not finished."""
        for stage in STAGES:
            folder = "captioner/language" if stage == "language" else stage
            record = self._output / "training" / folder / "stage.json"
            if record.exists() and json.loads(record.read_text())["weights"] is None:
                return stage
        return ""

    def _broken_promise(self, number: signal.Signals, seconds: float, code: int) -> str:
        """What a killed process did otherwise than it should; empty for nothing."""
        said = self._said.read_text()
        if number == OUTRIGHT:
            return ""
        if seconds > MOST_SECONDS_TO_STOP:
            return f"ended after {seconds:.1f} s"
        if code != 130:
            return f"exit code {code}"
        if "Traceback" in said:
            return f"a traceback: {said[-800:]}"
        if "to train" in said and "the same command goes on" not in said:
            return f"does not say how to go on: {said[-200:]}"
        return ""

    def _temporaries(self) -> list[str]:
        return [path.name for path in self._output.rglob(".*") if path.name != ".lock"]

    def _learned(self) -> dict[str, bytes]:
        found = [*self._output.rglob("*.safetensors"), *self._output.rglob("log.jsonl")]
        return {str(path.relative_to(self._output)): path.read_bytes() for path in sorted(found)}


def _lamp(words: Sequence[str], said: Path, kill: tuple[float, signal.Signals] | None = None) -> None:
    """``lamp`` in a process of its own, whatever it says in a file, with a signal after so many seconds."""
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        if kill is not None:
            moment, number = kill
            if number != OUTRIGHT:
                signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), number))
            signal.setitimer(signal.ITIMER_PROF, moment)
        lamp(words)


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kill_often(
    data: Path,
    folder: Path,
    kills: int,
    seed: int,
    steps: int,
    config: Path = CONFIG,
    stages: Sequence[str] = CORE,
) -> tuple[list[Kill], list[str]]:
    """At least so many kills of trainings on ``data``, and what was not as it should be."""
    rng = random.Random(seed)
    whole = Training(data, folder / "undisturbed", steps, config, stages)
    longest = whole.undisturbed()
    made: list[Kill] = []
    wrong: list[str] = []
    while len(made) < kills:
        killed = Training(data, folder / f"from_kill_{len(made)}", steps, config, stages)
        # Calls that are killed before they train come no farther than the one before.
        moments = (rng.uniform(0.02, longest / 2 * 1.2**number) for number in itertools.count())
        while (kill := killed.killed(next(moments), rng.choice(SIGNALS))) is not None:
            made.append(kill)
            print(json.dumps(asdict(kill)), flush=True)
        wrong += [f"after {len(made)} kills: {name}" for name in killed.differences(whole)]
    return made, wrong + [kill.wrong for kill in made if kill.wrong]


def main() -> None:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20, help="of every stage")
    parser.add_argument("--stage", action="append", choices=CORE, help="only this one; repeatable")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        prepare = ["prepare", "--synthetic", "24", "--output", str(data)]
        process = multiprocessing.get_context("fork").Process(
            target=_lamp, args=(prepare, Path(name) / "log")
        )
        process.start()
        process.join()
        stages = options.stage or CORE
        made, wrong = kill_often(data, Path(name), options.kills, options.seed, options.steps, stages=stages)
    report = {
        "kills": len(made),
        "by stage": Counter(kill.stage or "none" for kill in made),
        "by signal": Counter(kill.signal for kill in made),
        "slowest stop": max((kill.seconds for kill in made if kill.signal != OUTRIGHT.name), default=0.0),
        "wrong": wrong,
    }
    print(json.dumps(report))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
