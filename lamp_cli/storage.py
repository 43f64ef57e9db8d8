"""Reading text, and writing files whole or not at all, under names that nothing of a path survives in.

Knows nothing of motions or models; every room writes through here.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

SAVING = ".saving-"
# Of Windows, which takes no file of these names whatever its suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")
# What reading a damaged file raises.
DAMAGE = (
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    OSError,
    RuntimeError,
    # A header that claims more than any memory holds, or is no Python.
    MemoryError,
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
# Of one array, in bytes: five hours of 22 joints at 120 frames a second. What claims more is no motion, and
# may be made to fill the memory.
LARGEST_ARRAY = 2 << 30
# An array of more bytes that packs denser is made to fill the memory: zeros pack a thousandfold, what was
# measured of people hardly at all.
LARGE_ARRAY, DENSEST = 64 << 20, 200


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` when the block succeeds.

    The temporary file keeps the suffix, because encoders choose their format by it. It is removed
    when the block fails, so that a full disk or Ctrl-C leaves neither a half file nor litter.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    except OSError as error:
        # People know the file, not the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; results get the permissions any other new file would get.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except Exception as error:
        # safetensors and NumPy have errors of their own for what the system refuses, such as a full disk.
        refused = None if isinstance(error, OSError) else re.search(r"\(os error (\d+)\)", str(error))
        cut_short = isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error))
        if refused is None and not cut_short:
            raise
        number = int(refused[1]) if refused else errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path, names: Iterable[str]) -> None:
    """Delete what :func:`replacing` left of files of these names when its process was killed.

    Only for a folder that no other process writes into.
    """
    ours = [f".{glob.escape(Path(name).stem[:40])}-????????{Path(name).suffix}" for name in names]
    # safetensors writes beside the file that it is given, before it gives it that name.
    for pattern in (*ours, ".tmp??????"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


@contextmanager
def replacing_several(folder: Path, last: str) -> Iterator[Path]:
    """Yield a hidden folder, whose files come to ``folder`` when the block succeeds, ``last`` last.

    While they come there is no ``last`` in ``folder``: whoever needs it does not take new files with old
    ones for a whole. What a process that was killed here left behind is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{SAVING}*"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=SAVING))
    try:
        yield temporary
        files = sorted(path.relative_to(temporary) for path in temporary.rglob("*") if path.is_file())
        (folder / last).unlink(missing_ok=True)
        for name in sorted(files, key=lambda name: name == Path(last)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / name, folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def making_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; rename it to ``folder`` when the block succeeds.

    When another process has made the folder meanwhile, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_text_file(path: Path) -> str:
    """Text as people's programs write it, whatever ends its lines.

    UTF-8 with or without a byte order mark, UTF-16 with one, else Windows-1252 (which holds Latin-1).
    Raises ``ValueError`` for bytes that are no text, ``OSError`` when the file cannot be read.
    """
    return decode_text(Path(path).read_bytes(), str(path))


def decode_text(content: bytes, source: str) -> str:
    """The text of bytes as ``read_text_file`` reads them; ``source`` names them in the error."""
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ("utf-16",) if marked else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(ord(character) < 32 and character not in "\t\n\v\f\r\x1c\x1d\x1e" for character in text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise ValueError(f"{source}: expected text (UTF-8), found other bytes")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file; raises ``ValueError`` naming a file that is none."""
    try:
        return parse_toml(read_text_file(path))
    except ValueError as error:
        raise ValueError(f"{path}: not TOML ({error})") from None


def parse_toml(text: str) -> dict[str, Any]:
    """The table that TOML text is; raises ``ValueError`` for other text."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def toml_text(table: Mapping[str, Any], prefix: str = "") -> str:
    """TOML text of nested tables of numbers, strings, booleans and lists of these."""
    values = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"{name} = {_toml_value(value)}\n" for name, value in values.items()]
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines.append(f"\n[{prefix}{name}]\n" + toml_text(value, f"{prefix}{name}."))
    return "".join(lines)


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    # JSON's strings and booleans are TOML's too.
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a ``.npy`` file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load_array(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file; never unpickles.

    Raises ``ValueError`` for a file that holds none, before any memory is taken for one that is larger than
    ``LARGEST_ARRAY`` or than the file; ``OSError`` when it cannot be read.
    """
    with _damage_is_value_error():
        with path.open("rb") as file:
            declared_shape(file, os.fstat(file.fileno()).st_size)
        array: np.ndarray = np.load(path, allow_pickle=False)
    return array


class ArrayArchive:
    """The arrays of an open ``.npz`` file, each checked as :func:`load_array` does when it is read."""

    def __init__(self, archive: np.lib.npyio.NpzFile):
        self._archive = archive
        self.files: list[str] = list(archive.files)

    def __getitem__(self, name: str) -> np.ndarray:
        packed = self._archive.zip
        assert packed is not None, "the archive is closed"
        with _damage_is_value_error():
            member = packed.getinfo(name if name in packed.NameToInfo else f"{name}.npy")
            with packed.open(member) as stream:
                declared_shape(stream, member.file_size)
            if member.file_size > max(LARGE_ARRAY, DENSEST * member.compress_size):
                packed_into = f"{member.file_size >> 20} MiB packed into {member.compress_size / 2**20:.2g}"
                raise ValueError(f"{packed_into}, as no motion is")
            array: np.ndarray = self._archive[name]
        return array


@contextmanager
def array_archive(path: Path) -> Iterator[ArrayArchive]:
    """Yield the arrays of a ``.npz`` file; raises as :func:`load_array`."""
    with _damage_is_value_error():
        found = np.load(path, allow_pickle=False)
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise ValueError("not an archive of arrays")
    with found:
        yield ArrayArchive(found)


def declared_shape(stream: IO[bytes], size: int) -> tuple[int, ...]:
    """The shape in the header of a ``.npy`` file of ``size`` bytes; raises as :func:`load_array`."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    wanted = math.prod(shape) * kind.itemsize
    if wanted > LARGEST_ARRAY:
        raise ValueError(f"an array of {wanted / 2**30:.3g} GiB, expected at most {LARGEST_ARRAY >> 30}")
    if wanted > size and not kind.hasobject:
        raise ValueError(f"cut short, or of a wrong header: {wanted} bytes of numbers in a file of {size}")
    return shape


@contextmanager
def _damage_is_value_error() -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError):
        raise
    except DAMAGE as error:
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0]) from error


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def safe_stem(text: str, limit: int = 60) -> str:
    """A file name (without suffix) for any text: letters, digits and underscores, never empty.

    Nothing of a path survives, so a name from a prompt or a file cannot leave the output folder, and none is
    what Windows calls its devices.
    """
    stem = re.sub(r"[^\w]+", "_", text.strip().lower(), flags=re.UNICODE).strip("_")
    while len(stem.encode()) > 3 * limit or len(stem) > limit:
        stem = stem[:-1]
    stem = stem.strip("_") or "motion"
    return f"{stem}_" if RESERVED.fullmatch(stem) else stem


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
