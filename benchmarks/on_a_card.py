"""Everything that is to be measured on a GPU, in order of worth: ``python -m benchmarks.on_a_card --out DIR``.

``--minutes`` says how long there is: no piece is begun that would not end, and every piece is written as it comes. The
same call goes on where the last one stopped. ``--rehearse`` runs all pieces at tiny size on the CPU.

    python -m benchmarks.on_a_card --minutes 9 --data DATA --out out/card --archive out/back
    python -m benchmarks.on_a_card --rehearse --out out/rehearsal

DATA holds ``fashion_mnist.npz`` and ``cifar10.npz`` as ``--data-dir`` takes them, or ``cifar10_a.npz`` and
``cifar10_b.npz``, from which the latter is made. ``--archive`` packs the results that are new into archives of at most
15 MB, for machines from which only a few small files come back.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tarfile
import time
import traceback
from pathlib import Path

import torch

from benchmarks.card import data
from benchmarks.card.plan import PIECES, Piece, Place
from contraction.files import check_writable_folder, write_text
from nn_experiments.engine import gpu

#: Bytes of files, before they are compressed, in one archive.
ARCHIVE = 15_000_000
#: Of pieces that differ by their seed alone, those that are rehearsed.
FIRST = ("fig12-0", "mlp-0", "fig8-0", "increments-resnet18", "increments-vgg19")


def _clocks() -> str:
    """Return what the driver says of the card, or nothing where there is none."""
    fields = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,temperature.gpu,power.draw,memory.used"
    try:
        found = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "no driver"
    return found.stdout.strip()


def _about(device: str) -> str:
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    if device.startswith("cuda"):
        versions |= {"card": torch.cuda.get_device_name(device)} | gpu.versions()
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _ready(piece: Piece, folder: Path) -> bool:
    """Return whether a piece's data is there; decode it if it can be made."""
    if piece.data is None or (folder / f"{piece.data}.npz").exists():
        return True
    if all((folder / f"{piece.data}_{letter}.npz").exists() for letter in "ab"):
        data.unpack(piece.data, folder, folder)
        return True
    return False


def archive(out: Path, target: Path) -> list[Path]:
    """Pack the files under ``out`` that no earlier call has packed; return the archives."""
    done = out / "packed.json"
    before: dict[str, int] = json.loads(done.read_text()) if done.exists() else {}
    files = [
        path for path in sorted(out.rglob("*")) if path.is_file() and path != done and not path.name.startswith(".")
    ]
    state = {str(path.relative_to(out)): path.stat().st_mtime_ns for path in files}
    groups: list[list[str]] = [[]]
    size = 0
    for name in sorted(name for name, changed in state.items() if before.get(name) != changed):
        length = (out / name).stat().st_size
        if groups[-1] and size + length > ARCHIVE:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += length
    check_writable_folder(target)
    made = []
    stamp = int(time.time())
    for k, group in enumerate(one for one in groups if one):
        made.append(target / f"results-{stamp}-{k}.tar.gz")
        with tarfile.open(made[-1], "w:gz") as packed:
            for name in group:
                packed.add(out / name, arcname=name)
    write_text(done, json.dumps(state) + "\n")
    return made


def main() -> int:
    """Run what there is time for; return 0 if no piece has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="how long there is (default: 9)")
    parser.add_argument(
        "--pieces",
        nargs="+",
        choices=list(PIECES),
        metavar="PIECE",
        default=list(PIECES),
        help=f"which, in this order (default: all): {', '.join(PIECES)}",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--device", default="cuda", help="where to compute (default: cuda)")
    parser.add_argument("--archive", type=Path, help="folder for archives of what is new")
    parser.add_argument(
        "--rehearse", action="store_true", help="all kinds of pieces at tiny size on the CPU, on made-up images"
    )
    args = parser.parse_args()
    begin = time.monotonic()
    device = "cpu:0" if args.rehearse else args.device  # which takes every turn that a card takes
    check_writable_folder(args.out)
    with (args.out / "log.txt").open("a", encoding="utf-8") as file:

        def log(line: str) -> None:
            text = f"{time.monotonic() - begin:7.1f}  {line}"
            print(text, flush=True)
            print(text, file=file, flush=True)

        folder = args.data or args.out / "data"
        if args.rehearse:
            data.made_up(folder)
        place = Place(args.out, folder, device, args.rehearse, begin + 60 * args.minutes, log)
        log(f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC; {_about(device)}; {_clocks()}")
        known = args.out / "ceilings.json"
        if known.exists():
            place.rates.update(json.loads(known.read_text()))
        names = [name for name in args.pieces if not args.rehearse or not name[-1].isdigit() or name in FIRST]
        failed = _run_all([PIECES[name] for name in names], place)
        if args.archive:
            file.flush()
            for path in archive(args.out, args.archive):
                log(f"packed {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    return 1 if failed else 0


def _run_all(pieces: list[Piece], place: Place) -> list[str]:
    """Run pieces one after the other; return the names of those that failed."""
    failed = []
    for piece in pieces:
        mark = place.out / "done" / piece.name
        needed = 0.0 if place.small else 60 * piece.minutes
        if mark.exists():
            place.log(f"{piece.name}: done before")
        elif not _ready(piece, place.data):
            place.log(f"{piece.name}: {piece.data} is not in {place.data.name}")
        elif place.left < needed:
            place.log(f"{piece.name}: {place.left:.0f} s are left, it takes {needed:.0f}")
        else:
            place.log(f"{piece.name}")
            start = time.monotonic()
            try:
                complete = piece.work(place)
            except Exception as error:  # the next piece may do, and what was computed is to come back
                if gpu.device_is_lost(error):
                    raise
                place.log(f"{piece.name} failed: {traceback.format_exc()}")
                failed.append(piece.name)
            else:
                spent = time.monotonic() - start
                place.log(f"{piece.name}: {spent:.1f} s{'' if complete else ', not complete'}; {_clocks()}")
                if complete:
                    write_text(mark, f"{spent:.1f}\n")
            gpu.free()
    return failed


if __name__ == "__main__":
    sys.exit(main())
