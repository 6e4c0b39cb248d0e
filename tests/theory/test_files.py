"""Files that are written whole or not at all, and the errors of those that cannot be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from contraction.files import (
    check_writable_folder,
    replacing,
    write_atomically,
    write_text,
)


def test_a_file_is_replaced_when_the_body_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with replacing(target, suffix=".tmp") as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".a-")
        assert temporary.suffix == ".tmp"
        assert temporary.read_bytes() == b""
        temporary.write_text("whole", encoding="utf-8")
        assert not target.exists()
    assert target.read_text(encoding="utf-8") == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    with replacing(tmp_path / "b") as temporary:
        assert temporary.suffix == ".part"


@pytest.mark.parametrize("kind", [OSError, ValueError, KeyboardInterrupt])
def test_the_old_file_stays_if_the_body_raises(tmp_path: Path, kind: type[BaseException]) -> None:
    target = write_text(tmp_path / "a.txt", "old")

    def stop(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise kind("stop")

    with pytest.raises(kind, match="stop"):
        write_atomically(target, stop)
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_of_the_system_without_a_name_is_given_the_name_of_the_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as found, replacing(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (found.value.errno, found.value.filename) == (errno.ENOSPC, str(target))
    with pytest.raises(FileNotFoundError) as found, replacing(target):
        raise FileNotFoundError(errno.ENOENT, "No such file", "other.txt")
    assert found.value.filename == "other.txt"
    with pytest.raises(OSError, match=r"^of no number$") as found, replacing(target):
        raise OSError("of no number")
    assert found.value.filename is None


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o000, 0o666)], ids=oct)
def test_files_have_the_permissions_of_any_new_file(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        path = write_text(tmp_path / "a.txt", "x")
        assert os.umask(mask) == mask  # and the mask is what it was
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


def test_the_temporary_file_has_the_suffix_of_the_file(tmp_path: Path) -> None:
    seen: list[Path] = []
    assert write_atomically(tmp_path / "a.png", lambda path: seen.append(path)) == tmp_path / "a.png"
    assert seen[0].suffix == ".png"
    assert write_text(str(tmp_path / "ß.txt"), "λ") == tmp_path / "ß.txt"
    assert (tmp_path / "ß.txt").read_bytes() == "λ".encode()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"^the output '.*' is a folder: give the name of a file in it"):
        write_text(tmp_path, "x")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(NotADirectoryError, match=r"^the output folder '.*deep' cannot be written: Not a dir") as found:
        check_writable_folder(tmp_path / "file" / "deep")
    assert found.value.errno == errno.ENOTDIR
    assert check_writable_folder(str(tmp_path / "new")) == tmp_path / "new"
    assert not list((tmp_path / "new").iterdir())
