"""Files of data sets: found in the course, or downloaded with a checksum and checked before they are read."""

import zipfile
from pathlib import Path, PureWindowsPath


def fetch(file: str, base: str, known_hash: str, way_out: str) -> Path:
    """Download a file once into the operating system's cache folder, or TWO_TOWERS_CACHE, if its hash is right.

    Parameters
    ----------
    file : its name, below the address `base`
    base : address of a folder on the web
    known_hash : hexadecimal; SHA-256, or another algorithm's after its name and a colon ('md5' is one)
    way_out : sentence for the errors: what a reader can do

    Raises
    ------
    ValueError
        Not a web address; the hash is wrong.
    ConnectionError
        The site cannot be reached or its certificate is not trusted. Certificates are always verified.
    """
    import pooch  # here, because requests below takes longer to import than the rest of this package
    from requests.exceptions import RequestException, SSLError

    if not base.startswith(("http://", "https://")):
        raise ValueError(f"mirror is {base!r}; expected an address that starts with https:// or http://")
    cache = pooch.create(
        pooch.os_cache("two-towers"), base, env="TWO_TOWERS_CACHE", registry={file: known_hash}, retry_if_failed=2
    )
    url = cache.get_url(file)
    way_out = f"Nothing was kept. {way_out}"
    try:
        return Path(cache.fetch(file, progressbar=True))
    except SSLError as error:
        raise ConnectionError(f"{url} has no valid certificate ({error}). {way_out}") from error
    except RequestException as error:
        raise ConnectionError(f"{url} cannot be downloaded ({error}). {way_out}") from error
    except ValueError as error:
        raise ValueError(f"{url} is not the expected file ({error}). {way_out}") from error


def check_entries(source: Path, archive: zipfile.ZipFile, folder: str) -> None:
    """Raise ValueError if an entry of the archive would lie outside the folder it is unpacked to."""
    for name in archive.namelist():
        entry = PureWindowsPath(name)  # knows both slashes and drive letters
        if entry.anchor or ".." in entry.parts:
            raise ValueError(f"{source} has the entry {name!r}, which climbs out; expected {folder}/...")


def course_file(name: str) -> Path:
    """Find a file that comes with the course: in the repository's data/, or in the wheel's copy of it."""
    package = Path(__file__).parent.parent
    for folder in (package.parent / "data", package / "_data"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"the course has no data file {name!r}; expected it in {package.parent / 'data'}")
