"""Writing files atomically, and what reading of altered ones raises."""

from __future__ import annotations

import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "UNREADABLE",
    "check_numpy_file",
    "check_writable_folder",
    "replacing",
    "write_atomically",
    "write_text",
]

#: What NumPy, zipfile and json raise for files that are truncated, altered or made to harm: wrong checksums and
#: headers, pickles, encrypted members, shapes beyond all memory, JSON of other types or nested without end.
UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def check_numpy_file(raw: BinaryIO, *, archive: bool = True) -> None:
    """Check that a file is what `numpy.load` reads: it takes all others for pickles, and advises to execute these.

    Parameters
    ----------
    raw
        The file, at its beginning, where it is left.
    archive
        Whether it must be an archive (``.npz``), or an array (``.npy``).

    Raises
    ------
    ValueError
        If it is neither.
    """
    begin = raw.read(6)
    raw.seek(0)
    if not begin.startswith((b"PK\x03\x04", b"PK\x05\x06") if archive else b"\x93NUMPY"):
        raise ValueError(f"it is not {'an archive of NumPy arrays' if archive else 'a NumPy array'}")


def check_writable_folder(folder: str | os.PathLike) -> Path:
    """Create the folder if needed and return it; raise an OSError that names it if it is not writable."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        text = f"the output folder {str(path)!r} cannot be written: {error.strerror or error}"
        known = type(error)(text)  # a PermissionError remains one
        known.errno = error.errno
        raise known from error
    return path


@contextmanager
def replacing(path: str | os.PathLike, *, suffix: str = ".part") -> Iterator[Path]:
    """Yield an empty temporary file in the folder of ``path``; rename it to ``path`` if the body ends without error.

    A reader sees either the old file or the complete new one. If the body raises, the temporary file is removed.

    Parameters
    ----------
    path
        The file to write; its folder is created if needed.
    suffix
        The suffix of the temporary name. If other programs search the folder for files with the suffix of ``path``, it
        must be different.

    Yields
    ------
    Path
        The temporary file.

    Raises
    ------
    IsADirectoryError
        If ``path`` is a folder.
    OSError
        If the file cannot be written; the message contains the path, also for errors such as a full disk.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"the output {str(path)!r} is a folder: give the name of a file in it")
    check_writable_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike, write: Callable[[Path], object]) -> Path:
    """Call ``write(temporary)`` and rename the file to ``path``: a reader sees the old file or the complete new one.

    The temporary name has the suffix of ``path``, because some writers infer the format from it.
    """
    with replacing(path, suffix=Path(path).suffix) as temporary:
        write(temporary)
    return Path(path)


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Write a UTF-8 text file atomically."""
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
