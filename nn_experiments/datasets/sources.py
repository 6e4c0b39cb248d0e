"""Where image data comes from: a folder of the user's, or the official files through pooch, with checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nn_experiments.datasets import cut, formats
from nn_experiments.datasets.dataset import Dataset, from_images
from nn_experiments.datasets.errors import DataError, MissingData

__all__ = ["SOURCES", "Source", "find_local", "load"]


@dataclass(frozen=True)
class Source:
    """The official files of a data set.

    Attributes
    ----------
    classes
        Number of classes.
    hosts
        Addresses of folders that hold the files, tried in this order.
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
    """Return a data set's raw arrays from a folder, or None if it holds none of the known forms.

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
    classes = SOURCES[name].classes
    if classes == 10:
        forms = ("cifar-10-batches-py", False), ("cifar-10-python.tar.gz", False)
        forms += ("cifar-10-batches-bin", True), ("cifar-10-binary.tar.gz", True)
    else:
        forms = ("cifar-100-python", False), ("cifar-100-python.tar.gz", False)
        forms += ("cifar-100-binary", True), ("cifar-100-binary.tar.gz", True)
    for form, binary in forms:
        if (folder / form).exists():
            return formats.read_cifar(folder / form, classes=classes, binary=binary)
    return None


def fetch(name: str, source: Source, cache: Path) -> Path:
    """Download what ``cache`` lacks of the official files, checked; a failed download leaves no half file.

    Raises
    ------
    MissingData
        If no host gives the files, with what each said.
    DataError
        If what came has another checksum.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise MissingData(f"{name} is not in the data folder, and downloading needs pooch") from error
    for file, checksum in source.files.items():
        reasons: list[str] = []
        for host in source.hosts:
            try:
                pooch.retrieve(host + file, checksum, fname=file, path=cache, progressbar=False)
                break
            except ValueError as error:
                raise DataError(f"{host}{file} does not have its official checksum: {error}") from error
            except Exception as error:  # whatever the network layers raise
                reasons.append(f"{host}{file}: {type(error).__name__}: {error}")
        else:
            raise MissingData(
                f"{name} could not be downloaded. Put it into a folder and pass --data-dir (or set "
                f"TRAINING_IN_REVERSE_DATA). " + " | ".join(reasons)
            )
    return cache


def load(name: str, folder: Path | None, *, official: bool, download: bool, cache: Path | None = None) -> Dataset:
    """Return a data set from a folder (whole, or else a cut), or from official downloads (see `load_dataset`)."""
    source = SOURCES[name]
    found = None
    if folder is not None:
        if not folder.is_dir():
            raise MissingData(f"the data folder {folder} does not exist")
        found = find_local(name, folder)
        if found is None and cut.cut_path(name, folder).is_file():
            return _checked(cut.read_cut(cut.cut_path(name, folder)), source, official)
    if found is None:
        if not download:
            raise MissingData(f"{name} is not in {folder or 'any data folder'}, and downloading is off")
        if cache is None:
            import pooch

            cache = Path(pooch.os_cache("training-in-reverse")) / name
        found = find_local(name, fetch(name, source, cache))
        assert found is not None
    return _checked(from_images(name, *found, classes=source.classes), source, official)


def _checked(dataset: Dataset, source: Source, official: bool) -> Dataset:
    if official and dataset.fingerprint != source.fingerprint:
        raise DataError(
            f"these files are not the official {dataset.name}: fingerprint {dataset.fingerprint} instead of "
            f"{source.fingerprint}; pass --any-data to use them as they are"
        )
    return dataset
