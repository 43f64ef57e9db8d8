"""The promises every subcommand shares, most kept by real processes; ``lamp prepare`` from end to end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamp_cli import __version__
from lamp_cli.cli.app import COMMANDS
from lamp_cli.cli.common import UsageError, motion_notes
from lamp_cli.cli.inputs import read_records
from lamp_cli.cli.progress import _rate, duration, frames_of, progress
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp as lamp_within
from tests.conftest import wandering

LAMP = [sys.executable, "-m", "lamp_cli"]
# Above a test there need be no shell for typer to find: it is told by name.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
ENVIRONMENT["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
HEAVY = ("torch", "transformers", "matplotlib", "av", "rich", "numpy")


def run(words: list[str | Path], **options) -> subprocess.CompletedProcess[str]:
    done = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [str(word) for word in words], text=True, env=ENVIRONMENT, timeout=120, **{**done, **options}
    )


def lamp(*words: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return run([*LAMP, *words], **options)


def python(code: str, **options) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", code], **options)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with four motions and captions for three of them."""
    motions = tmp_path / "motions"
    motions.mkdir()
    for number in range(4):
        np.save(motions / f"m{number}.npy", wandering(HUMANML3D, 60 + number, number).astype(np.float32))
    (tmp_path / "c.txt").write_text("m0\ta person walks\nm1\ta person waves the left hand\n")
    (tmp_path / "more.jsonl").write_text('{"motion": "m2", "caption": "someone turns"}\n')
    return tmp_path


def prepare_words(work: Path, *more: str) -> list[str | Path]:
    captions = ["--captions", work / "c.txt", "--captions", work / "more.jsonl"]
    return ["prepare", work / "motions", *captions, "--output", work / "data", "--workers", "1", *more]


def no_traceback(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


# Help and version


def test_the_help_of_pretrain_groups_its_options_and_has_examples():
    text = lamp("pretrain", "--help").stdout
    sections = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert sections == ["Options:", "Stages:", "Networks and objectives:", "Text:", "This run:"]
    assert "\n  lamp pretrain --data HumanML3D --output my-model\n" in text
    assert "\n  torchrun --nproc-per-node 2 -m lamp_cli pretrain " in text


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_on_one_line(flag):
    done = lamp(flag)
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_, line) in COMMANDS.items():
        [found] = [row for row in done.stdout.splitlines() if row.split()[:1] == [name]]
        assert found.split(maxsplit=1)[1] == line


def modules_after(*words: str) -> set[str]:
    code = (
        "import sys\nfrom lamp_cli.cli.app import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy_and_no_subcommand(words):
    modules = modules_after(*words)
    assert "lamp_cli.cli.app" in modules
    assert not modules & {*HEAVY, *(module for module, _ in COMMANDS.values())}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_imports_that_command_without_torch(name):
    modules = modules_after(name, "--help")
    loaded = {module for module, _ in COMMANDS.values()} & modules
    assert loaded == {COMMANDS[name][0]}
    assert not modules & {"torch", "transformers", "matplotlib", "av"}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag):
    done = lamp(flag)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lamp {__version__}\n", "")


def test_a_mistyped_command_suggests_the_nearest():
    done = lamp_within("genrate", "a person jumps")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lamp: No such command 'genrate', did you mean 'generate'; see lamp --help\n"


def test_help_is_a_word_too():
    assert lamp("help").stdout == lamp("--help").stdout
    assert lamp_within("help", "render").stdout == lamp_within("render", "--help").stdout
    assert lamp_within("help", "nonsense").returncode == 2


def completions(line: str) -> tuple[list[str], set[str]]:
    """What the shell is offered for the last word of ``line``, and the modules that it took."""
    words = line.split(" ")
    code = (
        "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from lamp_cli.cli.app import main\nmain([])"
    )
    shell = {"_LAMP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, env={**ENVIRONMENT, **shell}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), set(done.stderr.split())


def test_the_shell_completes_commands_and_options_without_torch():
    found, modules = completions("lamp ")
    assert found == list(COMMANDS) and not modules & {module for module, _ in COMMANDS.values()}
    found, modules = completions("lamp re")
    assert found == ["retrieve", "render"]
    found, modules = completions("lamp render --to")
    assert found == ["--together"] and not modules & {"torch", "transformers", "matplotlib", "av"}
    assert "--version" in completions("lamp --")[0]
    assert "_LAMP_COMPLETE" in lamp("--show-completion", "bash").stdout


# Exit codes


@pytest.mark.parametrize(
    "words", [["nonsense"], ["--nonsense"], ["prepare"], ["prepare", "a", "--workers", "0"]]
)
def test_bad_usage_is_2_with_nothing_on_stdout(words):
    done = lamp_within(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    no_traceback(done)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"motions": "absent"}, "absent: no such file or folder"),
        ({"c.txt": "absent.txt"}, "absent.txt: no such file or directory"),
        ({"data": "c.txt"}, "c.txt: a file, expected a folder"),
        ({"data": "motions"}, "motions: the folder is not empty"),
        ({"more.jsonl": "motions/m0.npy"}, "m0.npy: expected text (UTF-8), found other bytes"),
    ],
)
def test_a_users_mistake_is_2_and_one_sentence(work, replaced, message):
    swap = {work / old: work / new for old, new in replaced.items()}
    done = lamp_within(*(swap.get(word, word) for word in prepare_words(work)))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    no_traceback(done)


@pytest.mark.parametrize("words", [["--fps", "0"], ["--fps", "nan"], ["--val-fraction", "nan"]])
def test_impossible_numbers_name_the_option(work, words):
    done = lamp_within(*prepare_words(work, *words))
    assert (done.returncode, done.stdout) == (2, "")
    assert words[0] in done.stderr
    no_traceback(done)
    assert not (work / "data").exists()


def test_debug_shows_the_traceback_and_keeps_the_code(work):
    (work / "c.txt").unlink()
    done = lamp("--debug", *prepare_words(work))
    assert done.returncode == 2
    assert "Traceback" in done.stderr and "read_requests" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("lamp: ")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ("ValueError('two\\nlines')", 2, "lamp: two lines\n"),
        ("FileNotFoundError(2, 'No such file', 'x.npy')", 2, "lamp: x.npy: no such file\n"),
        ("PermissionError(13, 'Permission denied', 'x.npy')", 1, "lamp: x.npy: permission denied\n"),
        ("OSError(28, 'No space left on device')", 1, "lamp: No space left on device\n"),
        (
            "KeyError('size')",
            1,
            "lamp: internal error, KeyError: 'size'; lamp --debug COMMAND ... shows where\n",
        ),
        ("TypeError('two\\nlines')", 1, "internal error, TypeError: two lines"),
        ("RuntimeError('could not create a primitive')", 1, "lamp: not enough memory\n"),
        ("MemoryError()", 1, "lamp: not enough memory\n"),
        (
            "ValueError('x.npz: Unable to allocate 8 GiB')",
            2,
            "lamp: x.npz: Unable to allocate 8 GiB\n",
        ),
        (
            "RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has none')",
            1,
            "lamp: not enough memory, 2.00 GiB more were asked for\n",
        ),
        ("KeyboardInterrupt()", 130, "lamp: interrupted\n"),
        ("BrokenPipeError(32, 'Broken pipe')", 0, ""),
    ],
)
def test_every_failure_has_its_code(error, code, message):
    done = python(
        f"from lamp_cli.cli.common import reported_errors\nwith reported_errors(False): raise {error}"
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr and len(done.stderr.splitlines()) == (1 if message else 0)


def _press_ctrl_c(process, presses=10, seconds=6):
    """Output and errors of a process that is interrupted, as a person would: again when nothing happens.

    Python does not see a Ctrl-C that comes just before a read begins to wait.
    """
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    raise AssertionError(f"still running after {presses} times Ctrl-C")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_ctrl_c_is_130_with_one_line(work):
    os.mkfifo(work / "pipe.txt")
    words = [work / "pipe.txt" if word == work / "c.txt" else word for word in prepare_words(work)]
    process = subprocess.Popen(
        [*LAMP, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # A suite in the background has Ctrl-C switched off, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Opening the other end waits until the command is inside, reading its captions.
    with (work / "pipe.txt").open("w"):
        out, err = _press_ctrl_c(process)
    assert (process.returncode, out, err) == (130, "", "lamp: interrupted\n")


# Output


def test_a_closed_pipe_ends_quietly(work):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = lamp(*prepare_words(work), stdout=writer)
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert "pipe" not in done.stderr.lower()
    no_traceback(done)


def test_a_closed_stderr_ends_quietly_too(work):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert lamp(*prepare_words(work), stdout=writer, stderr=writer).returncode == 0
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_1_and_one_sentence(work):
    with open("/dev/full", "w") as full:
        done = lamp(*prepare_words(work), stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "lamp: No space left on device"
    no_traceback(done)


SHOWN = """
import sys
from lamp_cli.cli.common import emit
from lamp_cli.cli.progress import progress
with progress(2, "working [on it]") as advance:
    for number in range(2):
        emit({"number": number, "text": "\\u8df3"}, f"human {number}", "--json" in sys.argv)
        advance(1, "[detail]")
"""


def on_terminal(code: str, stream: str, *words: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run with ``stream`` (stdout or stderr) on a terminal; also what that terminal showed."""
    pty = pytest.importorskip("pty")
    terminal, inside = pty.openpty()
    try:
        done = run([sys.executable, "-c", code, *words], **{stream: inside})
        os.set_blocking(terminal, False)
        try:
            return done, os.read(terminal, 100_000).decode()
        except BlockingIOError:
            return done, ""
    finally:
        os.close(inside)
        os.close(terminal)


def test_results_reach_a_file_while_the_bar_is_on_the_terminal(tmp_path):
    with (tmp_path / "out.jsonl").open("w") as out:
        pty = pytest.importorskip("pty")
        terminal, inside = pty.openpty()
        run([sys.executable, "-c", SHOWN], stderr=inside, stdout=out)
        shown = os.read(terminal, 100_000).decode()
        os.close(inside)
        os.close(terminal)
    assert [json.loads(line)["number"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        0,
        1,
    ]
    assert "2/2" in shown and "[detail]" in shown and "number" not in shown


def test_people_get_lines_on_a_terminal_unless_they_ask_for_json():
    done, shown = on_terminal(SHOWN, "stdout")
    assert (done.returncode, shown.split()) == (0, ["human", "0", "human", "1"])
    _, shown = on_terminal(SHOWN, "stdout", "--json")
    assert [json.loads(line)["number"] for line in shown.splitlines()] == [0, 1]


def test_no_bar_stands_on_a_terminal_while_results_go_into_a_pipe():
    done, shown = on_terminal(SHOWN, "stderr")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"number": 0, "text": "跳"},
        {"number": 1, "text": "跳"},
    ]
    assert shown == ""


@pytest.mark.parametrize(("done", "seconds", "rate"), [(3, 0.1, ""), (6, 2, "3.0/s"), (1, 20, "20.0 s each")])
def test_rates_are_per_second_or_of_slow_steps_seconds_each(done, seconds, rate):
    assert _rate(done, seconds) == rate


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99, "99 s"), (600, "10 min"), (6.6 * 3600, "6.6 h"), (1_774_603, "21 days")],
)
def test_durations_are_said_in_the_unit_of_people(seconds, said):
    assert duration(seconds) == said


def test_remarks_of_many_motions_are_shown_once_a_file_and_then_counted(capsys):
    body = np.zeros((2, 22, 3), np.float32)
    with motion_notes() as show:
        for number in [0, 0, *range(8)]:
            show(Motion(body, HUMANML3D, 20.0, source=f"m{number}.npy", notes=("z is up",)))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [*(f"m{n}.npy: z is up" for n in range(5)), "z is up: 3 more motions"]


def test_plain_progress_comes_at_intervals():
    code = (
        "import lamp_cli.cli.progress as c\nc.SECONDS_BETWEEN_LINES = -1\n"
        "with c.progress(4, 'working') as advance:\n    advance(0, '')\n    advance(3, 'loss 2')\n"
    )
    lines = python(code).stderr.splitlines()
    assert [line.split(",")[0] for line in lines] == ["working: 0/4", "working: 3/4"]
    assert lines[1].endswith("s left loss 2")


def test_a_long_piece_of_work_shows_its_frames(capsys, monkeypatch):
    monkeypatch.setattr("lamp_cli.cli.progress.SECONDS_BETWEEN_LINES", -1)
    with progress(2, "rendering") as advance:
        for _ in range(2):
            show = frames_of(advance)
            for done in range(1, 4):
                show(done, 3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0].split()[1] for line in lines] == ["0/2", "0/2", "1/2", "1/2", "1/2", "2/2"]
    assert lines[0] == "rendering: 0/2 1 of 3 frames" and "s left 2 of 3 frames" in lines[1]
    assert lines[-1].endswith("2/2, 0 s left 3 of 3 frames")
    advance(1, "")
    assert capsys.readouterr().err == "rendering: 3\n"


def test_records_are_text_lines_or_json_lines_with_other_keys_passed_through():
    lines = '\ufeffa man jumps\n\n{"text": "he sits", "mine": [1]}\n  "quoted" {x}  \n'
    assert list(read_records(io.StringIO(lines), "text", "stdin")) == [
        {"text": "a man jumps"},
        {"text": "he sits", "mine": [1]},
        {"text": '"quoted" {x}'},
    ]


def test_lines_of_windows_programs_are_read():
    raw = io.BytesIO(b"\xef\xbb\xbfa man jumps\r\na caf\xe9\r\n")
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape")
    assert list(read_records(stream, "text", "stdin")) == [{"text": "a man jumps"}, {"text": "a café"}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "stdin, line 2: not a JSON object"),
        ('{"other": 1}', "stdin, line 2: the object has no 'text'"),
    ],
)
def test_a_broken_record_names_its_line(line, message):
    records = read_records(io.StringIO(f"fine\n{line}\n"), "text", "stdin")
    assert next(records) == {"text": "fine"}
    with pytest.raises(UsageError, match=message):
        next(records)


# lamp prepare


def test_prepare_from_end_to_end(work):
    done = lamp(*prepare_words(work))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    record = json.loads(line)
    assert record["data"] == str(work / "data")
    assert record["clips"] == {"train": 3, "val": 1}
    assert (record["mirrored"], record["captioned"], record["dropped"]) == (3, 3, {})
    names = (work / "data/train.txt").read_text().split()
    assert sum(name.startswith("M") for name in names) == 3
    for name in names:
        assert np.load(work / f"data/new_joint_vecs/{name}.npy").shape[1] == 263
    assert "mirrored: 3 clips" in done.stderr
    again = lamp(*prepare_words(work))
    assert (again.returncode, json.loads(again.stdout)) == (0, record)


def test_prepare_options_reach_the_data_set(work):
    done = lamp_within(*prepare_words(work, "--fps", "40", "--no-mirror", "--val-fraction", "0", "--json"))
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["clips"], record["mirrored"]) == ({"train": 4}, 0)
    assert len(np.load(work / "data/new_joints/m0.npy")) == 30


def test_other_input_needs_force_which_deletes_nothing_before_the_input_is_read(work):
    assert lamp_within(*prepare_words(work)).returncode == 0
    other = prepare_words(work, "--no-mirror")
    refused = lamp_within(*other)
    assert refused.returncode == 2 and "use --force to replace it" in refused.stderr
    (work / "empty").mkdir()
    nothing = [work / "empty" if word == work / "motions" else word for word in other]
    assert lamp_within(*nothing, "--force").returncode == 2
    assert (work / "data/new_joints/m0.npy").is_file()
    replaced = lamp_within(*other, "--force")
    assert replaced.returncode == 0, replaced.stderr
    assert not list((work / "data/new_joints").glob("Mm*"))


def test_the_report_is_a_table_on_a_terminal(work):
    words = [str(word) for word in prepare_words(work)]
    code = f"from lamp_cli.cli.app import main\nmain({words!r})"
    done, shown = on_terminal(code, "stderr")
    assert json.loads(done.stdout)["mirrored"] == 3
    assert "│" in shown and "training only" in shown
