"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_writable_folder", "replacing", "write_atomically", "write_text"]


def check_writable_folder(folder: str | os.PathLike) -> Path:
    """Return the folder, made if needed; raise OSError naming it if nothing can be written there."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OSError(f"the output folder {str(path)!r} cannot be written: {error.strerror or error}") from error
    return path


@contextmanager
def replacing(path: str | os.PathLike, *, suffix: str = ".part") -> Iterator[Path]:
    """Give the name of an empty temporary file beside ``path``; rename it to ``path`` if the body ends without error.

    A reader sees the old file or the whole new one. If the body raises, the temporary file is removed.

    Parameters
    ----------
    path
        The file to write; its folder is made if needed.
    suffix
        How the temporary name ends. It must not be that of ``path`` where a folder is searched for such files.

    Yields
    ------
    Path
        The temporary file.

    Raises
    ------
    OSError
        If nothing can be written there, with the path: writers to an open file, such as a full disk's, name none.
    """
    path = Path(path)
    if path.is_dir():
        raise OSError(f"the output {str(path)!r} is a folder: name a file in it")
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
    """Call ``write(temporary)`` beside ``path``, then rename: a reader sees the old file or the whole new one.

    The temporary name ends as ``path`` does, for writers that read the format off it.
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
