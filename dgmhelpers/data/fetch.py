"""Where the files of a data set are: in a folder that was named, in the cache, or on the network.

``DGM_DATA_DIR`` names a folder that already holds the files: it is read and never written. Otherwise they
are fetched once into the cache (``DGM_CACHE_DIR``, or the user's cache folder). Wherever a file comes from,
its sha256 is compared with the registry's before anybody reads it. A download appears in the cache whole,
verified and at once, by a rename, or not at all.
"""

import os
import shutil
import tempfile
import zipfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from dgmhelpers.arguments import local_path

from .errors import CorruptData, DataUnavailable
from .registry import File


def data_dir() -> Path | None:
    """The folder that ``DGM_DATA_DIR`` names, or None."""
    named = os.environ.get("DGM_DATA_DIR")
    if not named:
        return None
    folder = local_path(named)
    if not folder.is_dir():
        raise DataUnavailable(f"DGM_DATA_DIR is {named!r}, which is not a folder: correct it or unset it")
    return folder


def cache_dir() -> Path:
    """Where downloads are kept."""
    named = os.environ.get("DGM_CACHE_DIR")
    return local_path(named) if named else Path(_pooch().os_cache("dgmhelpers"))


def digest(path: Path, member: str | None = None) -> str:
    """sha256 of a file's bytes, or, of a folder, over each file's name and then its bytes in order of name.

    Only those files of a folder count whose names end in ``member``: file managers leave others there. What
    was computed once in this process is not computed again while size and time of change stay the same.
    """
    files = sorted(path.glob(f"*{member or ''}")) if path.is_dir() else [path]
    try:
        return _digest(path, tuple((f, f.stat().st_size, f.stat().st_mtime_ns) for f in files))
    except OSError as error:
        raise DataUnavailable(f"{path} is there and cannot be read: {error}") from None


@lru_cache(maxsize=64)
def _digest(path: Path, files: tuple) -> str:
    total = sha256()
    for file, *_ in files:
        if file != path:
            total.update(file.name.encode())
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def locate(file: File) -> Path | None:
    """The verified file, if this machine has it; nothing is fetched.

    Raises:
        CorruptData: if the file in ``DGM_DATA_DIR`` is not the one registered. (A bad one in the cache
            counts as absent.)
    """
    folder = data_dir()
    if folder and (path := folder / file.path).exists():
        found = digest(path, file.member)
        if found != file.sha256:
            reason = "DGM_DATA_DIR is never written: replace the file there, or unset it to fetch the file"
            raise CorruptData(path, reason, expected=file.sha256, found=found)
        return path
    path = cache_dir() / file.path
    return path if path.exists() and digest(path, file.member) == file.sha256 else None


def fetch(file: File, *, progress: bool = True) -> Path:
    """The verified file, fetched if need be from the first of its addresses that delivers it.

    Raises:
        CorruptData: if the bytes in ``DGM_DATA_DIR``, or those that every address delivers, are wrong.
        DataUnavailable: if no address answers.
    """
    path = locate(file)
    if path is not None:
        return path
    target = cache_dir() / file.path
    failures, wrong = [], digest(target, file.member) if target.exists() else None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent)
    except OSError as error:
        hint = "set DGM_CACHE_DIR to a folder that can be written, or DGM_DATA_DIR to one that holds the file"
        raise DataUnavailable(f"nowhere to put {file.path}: {error}; {hint}") from None
    with scratch as folder:
        for url in file.urls:
            try:
                fresh = Path(folder) / "arrived"
                download(url, fresh, progress)
                if file.member is not None:
                    fresh = _extract(fresh, Path(folder) / "members", file)
                found = digest(fresh, file.member)
                if found == file.sha256:
                    _move(fresh, target)
                    return target
                wrong = found
                failures.append(f"{url} (other bytes than expected)")
            except (OSError, zipfile.BadZipFile) as error:             # requests' errors are OSErrors
                failures.append(f"{url} ({type(error).__name__})")
    tried = "could not be fetched from " + " or ".join(failures)
    if wrong:
        raise CorruptData(target, tried, expected=file.sha256, found=wrong)
    raise DataUnavailable(
        f"{file.path} is not on this machine and {tried}: connect to a network, or set DGM_DATA_DIR to a "
        f"folder that holds it as {file.path}"
    )


def _extract(archive: Path, folder: Path, file: File) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            place = PurePosixPath(name)
            if place.suffix == file.member and place.parent.name == PurePosixPath(file.path).name:
                (folder / place.name).write_bytes(members.read(name))
    return folder


def download(url: str, path: Path, progress: bool) -> None:
    """Bring the bytes at ``url`` to ``path``. Tests put their own in its place."""
    pooch = _pooch()
    pooch.HTTPDownloader(progressbar=progress, timeout=30)(url, str(path), None)


def _move(fresh: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(fresh, target)


def _pooch():
    try:
        import pooch
    except ImportError:
        message = "fetching data needs the package pooch: install it, or set DGM_DATA_DIR"
        raise DataUnavailable(message) from None
    return pooch
