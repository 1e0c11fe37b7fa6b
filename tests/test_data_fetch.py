"""Files arrive whole and verified, or not at all, and whoever asked is told why in one line."""

import zipfile
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dgmhelpers import data
from dgmhelpers.data import fetch, registry
from dgmhelpers.data.registry import File

DOWNLOAD = fetch.download
CONTENT = b"exactly these bytes"
FILE = File("set/file.txt", sha256(CONTENT).hexdigest(), ("https://first.invalid/f", "https://second.invalid/f"))


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache, no data folder and no network."""
    monkeypatch.delenv("DGM_DATA_DIR", raising=False)
    monkeypatch.setenv("DGM_CACHE_DIR", str(tmp_path / "cache"))
    serve(monkeypatch, {})
    return tmp_path


def serve(monkeypatch, pages):
    """Make the network answer with ``pages``: url -> bytes, or an exception to raise after half of CONTENT."""
    asked = []

    def download(url, path, progress):
        asked.append(url)
        answer = pages.get(url, ConnectionError("no network"))
        if isinstance(answer, BaseException):
            path.write_bytes(CONTENT[: len(CONTENT) // 2])
            raise answer
        path.write_bytes(answer)

    monkeypatch.setattr(fetch, "download", download)
    return asked


def tree(folder):
    """Every path below a folder, with its bytes and its time of change."""
    return {
        path.relative_to(folder): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_without_network_it_says_what_is_missing_and_how_to_get_it(machine):
    with pytest.raises(data.DataUnavailable) as failure:
        fetch.fetch(FILE)
    message = str(failure.value)
    assert all(word in message for word in (FILE.path, *FILE.urls, "DGM_DATA_DIR")) and "\n" not in message
    assert files_in(machine) == []


def test_a_second_address_answers_after_the_first_died_halfway(machine, monkeypatch):
    asked = serve(monkeypatch, {FILE.urls[0]: OSError("cable cut"), FILE.urls[1]: CONTENT})
    path = fetch.fetch(FILE)
    assert path == machine / "cache/set/file.txt" and path.read_bytes() == CONTENT
    assert asked == list(FILE.urls) and files_in(machine) == [path]


def test_an_address_that_serves_other_bytes_is_passed_over(monkeypatch):
    serve(monkeypatch, {FILE.urls[0]: b"an error page", FILE.urls[1]: CONTENT})
    assert fetch.fetch(FILE).read_bytes() == CONTENT


def test_wrong_bytes_everywhere_is_corruption_and_nothing_is_kept(machine, monkeypatch):
    serve(monkeypatch, dict.fromkeys(FILE.urls, CONTENT[:-1]))
    with pytest.raises(data.CorruptData) as failure:
        fetch.fetch(FILE)
    found = sha256(CONTENT[:-1]).hexdigest()
    assert (failure.value.expected, failure.value.found) == (FILE.sha256, found)
    assert all(word in str(failure.value) for word in ("file.txt", FILE.sha256, found))
    assert files_in(machine) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), MemoryError()])
def test_an_interrupted_download_leaves_nothing(machine, monkeypatch, interruption):
    serve(monkeypatch, {FILE.urls[0]: interruption})
    with pytest.raises(type(interruption)):
        fetch.fetch(FILE)
    assert files_in(machine) == []


def test_what_is_in_the_cache_is_not_asked_for_again(monkeypatch):
    serve(monkeypatch, dict.fromkeys(FILE.urls, CONTENT))
    first = fetch.fetch(FILE)
    asked = serve(monkeypatch, {})
    assert fetch.fetch(FILE) == first and asked == []


def test_a_corrupt_file_in_the_cache_is_fetched_anew(machine, monkeypatch):
    path = machine / "cache/set/file.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    with pytest.raises(data.CorruptData, match="could not be fetched"):                # no network yet
        fetch.fetch(FILE)
    serve(monkeypatch, dict.fromkeys(FILE.urls, CONTENT))
    assert fetch.fetch(FILE).read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_is_named(machine):
    (machine / "cache").write_text("a file where the folder should be")
    with pytest.raises(data.DataUnavailable, match="DGM_CACHE_DIR"):
        fetch.fetch(FILE)


@pytest.fixture
def given(machine, monkeypatch):
    """A data folder that is named and may not be written."""
    folder = machine / "given"
    (folder / "set").mkdir(parents=True)
    monkeypatch.setenv("DGM_DATA_DIR", str(folder))
    return folder


def test_the_named_folder_is_used_and_left_alone(given, monkeypatch):
    (given / FILE.path).write_bytes(CONTENT)
    asked, before = serve(monkeypatch, {}), tree(given)
    assert fetch.fetch(FILE) == given / FILE.path
    assert asked == [] and tree(given) == before


@pytest.mark.parametrize("content", [CONTENT[:5], b"", CONTENT + b"!"])
def test_a_corrupt_file_in_the_named_folder_is_refused_and_left_alone(given, monkeypatch, content):
    (given / FILE.path).write_bytes(content)
    asked, before = serve(monkeypatch, dict.fromkeys(FILE.urls, CONTENT)), tree(given)
    with pytest.raises(data.CorruptData, match="DGM_DATA_DIR"):
        fetch.fetch(FILE)
    assert asked == [] and tree(given) == before


def test_what_the_named_folder_lacks_goes_to_the_cache(given, machine, monkeypatch):
    serve(monkeypatch, dict.fromkeys(FILE.urls, CONTENT))
    before = tree(given)
    assert fetch.fetch(FILE) == machine / "cache/set/file.txt" and tree(given) == before


def test_a_named_folder_that_does_not_exist_is_an_error(machine, monkeypatch):
    monkeypatch.setenv("DGM_DATA_DIR", str(machine / "nowhere"))
    with pytest.raises(data.DataUnavailable, match="nowhere"):
        fetch.fetch(FILE)


def test_a_file_that_cannot_be_read_is_named(given, monkeypatch):
    (given / FILE.path).write_bytes(CONTENT)
    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(data.DataUnavailable, match="file.txt is there and cannot be read"):
        fetch.fetch(FILE)


def denied(*_, **__):
    raise PermissionError("permission denied")


def test_a_file_that_changes_is_verified_again(given):
    (given / FILE.path).write_bytes(CONTENT)
    fetch.fetch(FILE)
    (given / FILE.path).write_bytes(b"changed since, and of another length")
    with pytest.raises(data.CorruptData):
        fetch.fetch(FILE)


def archive(path, members):
    with zipfile.ZipFile(path, "w") as z:
        for name, content in members.items():
            z.writestr(name, content)
    return path.read_bytes()


def test_a_folder_comes_out_of_its_archive_verified_by_content(machine, monkeypatch):
    members = {"b.wav": b"second", "a.wav": b"first"}
    digest = sha256(b"a.wavfirstb.wavsecond").hexdigest()
    folder = File("sounds/recordings", digest, ("https://only.invalid/1.zip",), member=".wav")
    inside = {f"repo-1/recordings/{name}": content for name, content in members.items()}
    inside |= {"repo-1/README.md": b"", "repo-1/other/c.wav": b"", "repo-1/recordings/../../evil.wav": b""}
    serve(monkeypatch, {folder.urls[0]: archive(machine / "1.zip", inside)})
    path = fetch.fetch(folder)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == members
    assert [p.name for p in (machine / "cache/sounds").iterdir()] == ["recordings"]
    (path / ".DS_Store").write_bytes(b"left by a file manager")
    asked = serve(monkeypatch, {folder.urls[0]: archive(machine / "1.zip", inside)})
    assert fetch.fetch(folder) == path and asked == []
    (path / "a.wav").write_bytes(b"damaged")
    assert fetch.fetch(folder) == path and (path / "a.wav").read_bytes() == b"first"


def test_an_archive_that_is_none_is_passed_over(monkeypatch):
    folder = File("sounds/recordings", "0" * 64, ("https://only.invalid/1.zip",), member=".wav")
    serve(monkeypatch, {folder.urls[0]: b"not a zip file"})
    with pytest.raises(data.DataUnavailable, match="BadZipFile"):
        fetch.fetch(folder)


class Halfway(BaseHTTPRequestHandler):
    """Announces all of CONTENT and sends it, or half of it, or a page that says it is not there."""

    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/half" else CONTENT)

    def log_message(self, *_):
        pass


def test_a_real_download_survives_a_missing_page_and_a_cut_connection(machine, monkeypatch):
    pytest.importorskip("pooch")
    monkeypatch.setattr(fetch, "download", DOWNLOAD)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Halfway) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(data.DataError):
            fetch.fetch(replace(FILE, urls=(f"{host}/missing", f"{host}/half")), progress=False)
        assert files_in(machine) == []
        path = fetch.fetch(replace(FILE, urls=(f"{host}/missing", f"{host}/half", f"{host}/whole")), progress=False)
        server.shutdown()
    assert path.read_bytes() == CONTENT


def test_the_registry_is_whole():
    for name, files in registry.FILES.items():
        assert len(registry.set_digest(name)) == 64
        for file in files:
            assert len(file.sha256) == 64 and all(url.startswith("https://") for url in file.urls)
