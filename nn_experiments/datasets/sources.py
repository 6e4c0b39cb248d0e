"""Sources of image data: a folder of the user's, or the official files, downloaded with checksums by pooch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nn_experiments.datasets import formats, subset
from nn_experiments.datasets.dataset import Dataset, from_images
from nn_experiments.datasets.errors import DataError, missing_data

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
#: What a folder may hold of CIFAR: name, and whether it is the binary version.
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
        both = [folder / name, folder / f"{name}.gz"]
        paths.append(next((path for path in both if path.is_file()), None))
    if not any(paths):
        return None
    missing = [name for name, path in zip(_IDX, paths, strict=True) if path is None]
    if missing:
        raise DataError(f"{folder} holds some IDX files of fashion_mnist but lacks {', '.join(missing)}")
    arrays = [formats.read_idx(path) for path in paths if path is not None]
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def find_local(name: str, folder: Path) -> formats.Splits | None:
    """Return a data set's raw arrays from a folder, or None if the folder has it in none of the known forms.

    Known are ``NAME.npz`` (``train_images``, ``train_labels``, ``test_images``, ``test_labels``); for
    fashion_mnist the four IDX files (with or without ``.gz``, also in ``fashion_mnist/`` or
    ``FashionMNIST/raw/``); for CIFAR the python or the binary version, as ``.tar.gz`` or unpacked.
    """
    arrays = folder / f"{name}.npz"
    if arrays.is_file():
        return formats.read_arrays(arrays)
    if name == "fashion_mnist":
        for place in (folder, folder / "fashion_mnist", folder / "FashionMNIST" / "raw"):
            found = _idx(place)
            if found is not None:
                return found
        return None
    for form, binary in _CIFAR[name]:
        if (folder / form).exists():
            return formats.read_cifar(folder / form, classes=SOURCES[name].classes, binary=binary)
    return None


def _place(name: str, folder: Path) -> str:
    """Return a folder with the names looked for in it, as `find_local` and `load` do."""
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
        Places that were searched before, for the error message.

    Returns
    -------
    Path
        The cache.

    Raises
    ------
    MissingData
        If no host gives the files: what is missing, where it was searched (``searched`` first), what to do.
    DataError
        If a downloaded file has another checksum.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        what = f"{name} is missing, and pooch, which downloads it, is not installed"
        raise missing_data(what, searched, _remedy(source)) from error
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
            raise missing_data(what, [*searched, *reasons], _remedy(source))
    return cache


def _remedy(source: Source) -> str:
    files = " and ".join(filter(None, [", ".join([*source.files][:-1]), [*source.files][-1]]))
    return f"put {files} into a folder and pass it as --data-dir FOLDER (or set TRAINING_IN_REVERSE_DATA)"


def load(name: str, folder: Path | None, *, official: bool, download: bool, cache: Path | None = None) -> Dataset:
    """Return a data set from a folder (the whole set or a subset), or from official downloads (see `load_dataset`)."""
    source = SOURCES[name]
    found, searched = None, []
    if folder is not None:
        if not folder.is_dir():
            raise missing_data(f"the data folder {folder} does not exist", (), _remedy(source))
        found = find_local(name, folder)
        if found is None and subset.subset_path(name, folder).is_file():
            return _checked(subset.read_subset(subset.subset_path(name, folder)), source, official)
        searched = [_place(name, folder)]
    if found is None:
        if not download:
            raise missing_data(f"{name} is missing, and downloading is off", searched, _remedy(source))
        if cache is None:
            import pooch

            cache = Path(pooch.os_cache("training-in-reverse")) / name
        found = find_local(name, fetch(name, source, cache, searched))
        assert found is not None
    return _checked(from_images(name, *found, classes=source.classes), source, official)


def _checked(dataset: Dataset, source: Source, official: bool) -> Dataset:
    if official and dataset.fingerprint != source.fingerprint:
        raise DataError(
            f"these files are not the official {dataset.name}: fingerprint {dataset.fingerprint} instead of "
            f"{source.fingerprint}; pass --any-data to use them as they are"
        )
    return dataset
