"""``log.jsonl`` of a stage: one JSON object a line, one line a validation."""

from __future__ import annotations

import json
from pathlib import Path

from ..storage import replacing

LOG = "log.jsonl"

Record = dict[str, float]


def read_log(path: Path) -> list[Record]:
    """The records of a log. A last line that was cut short, by a full disk or a power cut, is dropped.

    Raises ``ValueError`` naming file and line for any other line that is not an object with a step.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is not None:
            records.append(record)
        elif number < len(lines):
            raise ValueError(
                f"{path}, line {number}: expected a JSON object with a step, found {line[:40]!r}"
            )
    return records


def _record(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    whole = isinstance(record, dict) and isinstance(record.get("step"), int)
    return record if whole else None


class TrainingLog:
    """Writes a log, going on with an earlier one."""

    def __init__(self, path: Path, step: int):
        """Records after ``step``, which a resumed run repeats, are dropped; raises as ``read_log``."""
        self._path = path
        if not path.exists():
            return
        kept = [record for record in read_log(path) if record["step"] <= step]
        with replacing(path) as temporary:
            temporary.write_text("".join(f"{json.dumps(record)}\n" for record in kept), encoding="utf-8")

    def write(self, record: Record) -> None:
        """Append one record."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
