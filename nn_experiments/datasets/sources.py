"""Sources of image data: a folder that the user names, or the official files, which pooch downloads and checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nn_experiments.datasets import formats, subset
from nn_experiments.datasets.dataset import Dataset, from_images
from nn_experiments.datasets.errors import DataError, MissingData, missing_text

__all__ = ["SOURCES", "Source", "find_local", "load"]


@dataclass(frozen=True)
class Source:
    """The official files of a data set.

    Attributes
    ----------
    classes
        Number of classes.
    hosts
        Addresses of folders with the files, tried in this order.
    files
        File name -> checksum, as pooch writes it.
    fingerprint
        `Dataset.fingerprint` of the official data.
    """

    classes: int
    hosts: tuple[str, ...]
    files: dict[str, str]
    fingerprint: str


_TORONTO = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

SOURCES = {
    "fashion_mnist": Source(
        10,
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        {
            "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        },
        "48fc698920b6d173",
    ),
    "cifar10": Source(
        10,
        _TORONTO,
        {"cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a"},
        "800aab5de6215e72",
    ),
    "cifar100": Source(
        100,
        _TORONTO,
        {"cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85"},
        "7823f7c3e5dc2ada",
    ),
}
#: Names of the CIFAR files that a folder may contain, and whether each is the binary version.
_CIFAR = {
    "cifar10": (
        ("cifar-10-batches-py", False),
        ("cifar-10-python.tar.gz", False),
        ("cifar-10-batches-bin", True),
        ("cifar-10-binary.tar.gz", True),
    ),
    "cifar100": (
        ("cifar-100-python", False),
        ("cifar-100-python.tar.gz", False),
        ("cifar-100-binary", True),
        ("cifar-100-binary.tar.gz", True),
    ),
}


def _idx(folder: Path) -> formats.Splits | None:
    paths = []
    for name in _IDX:
        candidates = [folder / name, folder / f"{name}.gz"]
        paths.append(next((path for path in candidates if path.is_file()), None))
    if not any(paths):
        return None
    missing = [name for name, path in zip(_IDX, paths, strict=True) if path is None]
    if missing:
        raise DataError(f"{folder} holds some IDX files of fashion_mnist but lacks {', '.join(missing)}")
    arrays = [formats.read_idx(path) for path in paths if path is not None]
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def find_local(name: str, folder: Path) -> formats.Splits | None:
    """Return a data set's raw arrays from a folder, or None if no file in the folder has one of the known formats.

    The known formats are ``NAME.npz`` with the arrays ``train_images``, ``train_labels``, ``test_images`` and
    ``test_labels``; for fashion_mnist, the four IDX files, with or without ``.gz``, also in ``fashion_mnist/`` or
    ``FashionMNIST/raw/``; for CIFAR, the Python or the binary version, as ``.tar.gz`` or unpacked.
    """
    arrays = folder / f"{name}.npz"
    if arrays.is_file():
        return formats.read_arrays(arrays)
    if name == "fashion_mnist":
        for parent in (folder, folder / "fashion_mnist", folder / "FashionMNIST" / "raw"):
            splits = _idx(parent)
            if splits is not None:
                return splits
        return None
    for form, binary in _CIFAR[name]:
        if (folder / form).exists():
            return formats.read_cifar(folder / form, classes=SOURCES[name].classes, binary=binary)
    return None


def _searched(name: str, folder: Path) -> str:
    """Return, for messages, a folder and the names of the files that `find_local` and `load` look for in it."""
    forms = (
        [form for form, _ in _CIFAR[name]]
        if name in _CIFAR
        else [f"{_IDX[0]}[.gz] and the other three (also in fashion_mnist or FashionMNIST/raw)"]
    )
    return f"{folder} for {', '.join([f'{name}.npz', *forms, subset.subset_path(name, folder).name])}"


def fetch(name: str, source: Source, cache: Path, searched: Sequence[str] = ()) -> Path:
    """Download the official files that ``cache`` lacks, and check them; a failed download leaves no partial file.

    Parameters
    ----------
    name, source
        The data set.
    cache
        Folder of the files.
    searched
        Where the data set was searched before, for the error message.

    Returns
    -------
    Path
        The cache.

    Raises
    ------
    MissingData
        If no host returns the files, or pooch is not installed. The message says what is missing, where it was
        searched (``searched`` first) and what to do.
    DataError
        If a downloaded file has another checksum.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        what = f"{name} is missing, and pooch, which downloads it, is not installed (pip install pooch)"
        raise MissingData(missing_text(what, searched, _remedy(source))) from error
    for file, checksum in source.files.items():
        reasons: list[str] = []
        for host in source.hosts:
            try:
                pooch.retrieve(host + file, checksum, fname=file, path=cache, progressbar=False)
                break
            except ValueError as error:
                raise DataError(f"{host}{file} does not have its official checksum: {error}") from error
            except Exception as error:  # whatever the network layers raise
                status = getattr(getattr(error, "response", None), "status_code", None)
                reasons.append(f"{host}{file}: {type(error).__name__}{f' {status}' if status else ''}")
        else:
            what = f"{name} is missing: its {file} could not be downloaded"
            raise MissingData(missing_text(what, [*searched, *reasons], _remedy(source)))
    return cache


def _remedy(source: Source) -> str:
    files = " and ".join(filter(None, [", ".join([*source.files][:-1]), [*source.files][-1]]))
    return f"put {files} into a folder and pass it as --data-dir FOLDER (or set TRAINING_IN_REVERSE_DATA)"


def load(name: str, folder: Path | None, *, official: bool, download: bool, cache: Path | None = None) -> Dataset:
    """Return a data set from a folder (the whole set or a subset), or from official downloads (see `load_dataset`)."""
    source = SOURCES[name]
    splits, searched = None, []
    if folder is not None:
        if not folder.is_dir():
            fault = "is not a folder" if folder.exists() else "does not exist"
            raise MissingData(missing_text(f"the data folder {folder} {fault}", (), _remedy(source)))
        splits = find_local(name, folder)
        if splits is None and subset.subset_path(name, folder).is_file():
            return _checked(subset.read_subset(subset.subset_path(name, folder)), source, official)
        searched = [_searched(name, folder)]
    if splits is None:
        if not download:
            raise MissingData(missing_text(f"{name} is missing, and downloading is off", searched, _remedy(source)))
        if cache is None:
            import pooch

            cache = Path(pooch.os_cache("training-in-reverse")) / name
        splits = find_local(name, fetch(name, source, cache, searched))
        assert splits is not None
    return _checked(from_images(name, *splits, classes=source.classes), source, official)


def _checked(dataset: Dataset, source: Source, official: bool) -> Dataset:
    if official and dataset.fingerprint != source.fingerprint:
        raise DataError(
            f"these files are not the official {dataset.name}: fingerprint {dataset.fingerprint} instead of "
            f"{source.fingerprint}; pass --any-data to use them as they are"
        )
    return dataset
