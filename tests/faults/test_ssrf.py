"""A stranger's URL leads to the public internet, or nowhere (OWASP: server-side request forgery).

Everything runs against real servers in a network of its own (internet.py), private hosts included.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from course_utils.images import BadURL, download
from course_utils.images.downloads import _connect, _explain, is_public
from tests.support import ROOT, urls
from tests.support.serving import serving

PHOTO = [8, 8]


class Internet:
    """The process in which the stand-in for the internet runs, and fetches."""

    def __init__(self, process: "subprocess.Popen[str]"):
        self.process = process

    def fetch(self, url: str, **options: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"url": url, **options}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def refuses(self, url: str, **options: Any) -> dict[str, Any]:
        result = self.fetch(url, **options)
        assert result["error"] == "BadURL", result
        assert result["canaries"] == 0
        return result


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An authority, and a certificate of photos.test."""
    try:
        import trustme
    except ImportError:
        return {}
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("photos.test").private_key_and_cert_chain_pem.write_to_path(
        folder / "photos.pem"
    )
    return {
        "SSL_CERT_FILE": str(folder / "authority.pem"),
        "CERTIFICATE": str(folder / "photos.pem"),
    }


@pytest.fixture(scope="module")
def internet(certificates: dict[str, str]) -> Iterator[Internet]:
    # A proxy that the environment names is a way round all checks: nobody may go there.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:80")
    command = [sys.executable, "-W", "error", "-m", "tests.support.internet"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | proxies | certificates,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stderr
        if not process.stdout.readline():
            why = process.stderr.read().strip().rpartition("\n")[2]
            if os.environ.get("CI") and sys.platform == "linux" and os.geteuid() == 0:
                pytest.fail(f"in CI this has to work: {why}")
            pytest.skip(f"no network of its own can be had here: {why}")
        yield Internet(process)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def cases(table: list[tuple[str, str]]) -> Any:
    return pytest.mark.parametrize(("name", "url"), table, ids=[name for name, _ in table])


@cases(urls.REFUSED)
def test_it_is_refused_and_nobody_is_called(internet: Internet, name: str, url: str) -> None:
    result = internet.refuses(url)
    if len(url) > 1:
        assert url.strip() not in result["said"]
    for part in ("127.0.0.1", "private.test", "photos.test", "secret", "::1"):
        assert part not in result["said"]


@cases(urls.REFUSED)
def test_it_is_refused_wherever_this_runs(name: str, url: str) -> None:
    """Without the stand-in: with the system's own resolver, on every platform."""
    with pytest.raises(BadURL) as caught:
        download(url, seconds=1)
    if len(url) > 1:
        assert url.strip() not in str(caught.value)


def test_the_service_refuses_them_too() -> None:
    with serving("image", model=None) as served, requests.Session() as session:
        greeting = served.said()
        for name, url in urls.REFUSED:
            answer = session.post(f"{served.url}/api/image", json={"url": url}, timeout=60)
            assert answer.status_code == 400, name
            problem = answer.json()
            assert problem["errors"][0]["pointer"] == "/url"
            said = json.dumps(problem) + served.text()
            for part in (url.strip(), "photos.test", "private.test", "secret"):
                assert len(part) < 2 or part not in said, name
        assert served.said() == greeting


def test_the_canaries_would_sing(internet: Internet) -> None:
    """The refusals prove something only if a careless client is let through."""
    sung = [
        name
        for name, url in urls.LOOPBACK + urls.PRIVATE + urls.NAMES + urls.REDIRECTS
        if internet.fetch(url, careless=True)["canaries"]
    ]
    assert len(sung) >= 20
    assert {"plain", "decimal", "metadata", "302 to 127.0.0.1"} <= set(sung)


@pytest.mark.parametrize(
    "url",
    [
        "http://photos.test/photo.png",
        "HTTP://Photos.TEST./photo.png",
        "http://93.184.215.14/photo.png",
        "http://photos6.test/photo.png",
        "http://[2606:2800:21f::1]/photo.png",
        "http://both.test/photo.png",
        "http://nat64.test/photo.png",
        "http://half-down.test/photo.png",
        "http://photos.test/octets",
        "http://photos.test/chunked",
        "http://photos.test/photo.png?a=b&c=ä#part",
        "http://photos.test/host",
        "http://[2606:2800:21f::1]/host",
    ],
)
def test_a_public_host_is_reached(internet: Internet, url: str) -> None:
    result = internet.fetch(url)
    assert result["size"] == PHOTO, result
    assert result["canaries"] == 0


def test_the_address_that_was_judged_is_the_one_used(internet: Internet) -> None:
    """DNS rebinding: a public address at the first look-up, a private one at the second."""
    first = internet.fetch("http://rebind.test/photo.png")
    assert first["size"] == PHOTO
    assert first["asked"]["rebind.test 1"] == 1
    internet.refuses("http://rebind.test/photo.png")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("redirect/302?http://photos.test/photo.png", "redirect"),
        ("missing", "404"),
        ("html", "does not lead to an image"),
        ("big-chunks", "10,000,000"),
        ("endless", "10,000,000"),
        ("announced", "10,000,000"),
        ("too-short", "no usable answer"),
        ("gzip", "compressed"),
        ("nothing", "no usable answer"),
        ("garbage", "no usable answer"),
        ("bad-length", ""),
        ("long-header", "no usable answer"),
    ],
)
def test_bad_manners_of_a_host(internet: Internet, path: str, said: str) -> None:
    result = internet.fetch(f"http://photos.test/{path}")
    assert said in result["said"]
    assert "secret" not in result["said"]
    assert result["error"] == ("BadImage" if path == "bad-length" else "BadURL")


@pytest.mark.parametrize("path", ["drip", "drip-headers", "drip-continue"])
@pytest.mark.parametrize("seconds", [0.5, pytest.param(5, marks=pytest.mark.thorough)])
def test_one_deadline_holds_for_slow_hosts(internet: Internet, path: str, seconds: float) -> None:
    result = internet.refuses(f"http://photos.test/{path}", seconds=seconds)
    assert "too long" in result["said"]
    assert result["seconds"] > seconds - 0.05


@pytest.mark.parametrize(
    "url", ["http://silent.test/", "https://silent.test/", "http://slow.test/"]
)
def test_one_deadline_holds_for_silence(internet: Internet, url: str) -> None:
    """Of a web server, of a server for https, and of one for names."""
    result = internet.refuses(url, seconds=1)
    assert "too long" in result["said"]
    assert result["seconds"] > 0.95


def test_a_host_that_is_down(internet: Internet) -> None:
    assert "no usable answer" in internet.refuses("http://down.test/")["said"]


def test_an_unknown_name_and_a_private_one_sound_the_same(internet: Internet) -> None:
    known, unknown = (internet.refuses(f"http://{n}.test/") for n in ("private", "unknown"))
    assert known["said"] == unknown["said"]


def test_what_is_no_image_is_told_apart_from_a_bad_url(internet: Internet) -> None:
    result = internet.fetch("http://photos.test/lie")
    assert result["error"] == "BadImage"
    assert "secret" not in result["said"]


def test_https_is_for_the_host_that_the_certificate_names(
    internet: Internet, certificates: dict[str, str]
) -> None:
    if not certificates:
        pytest.skip("needs trustme, which makes certificates")
    for host in ("photos.test", "photos.test:443", "photos.test."):
        assert internet.fetch(f"https://{host}/photo.png")["size"] == PHOTO, host
    for host in ("other.test", "93.184.215.14"):
        assert "certificate" in internet.refuses(f"https://{host}/photo.png")["said"]
    for url in ("http://photos.test:443/photo.png", "https://photos.test:80/photo.png"):
        internet.refuses(url, seconds=1)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["::ffff:10.0.0.1", "64:ff9b::a00:1", "100.127.255.255", "fe80::1%lo", "2001:0:808:808::1"],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_wait_that_ends_before_the_clock_shows_it_is_late_all_the_same() -> None:
    assert "too long" in str(_explain(TimeoutError(), time.monotonic() + 60, 5))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses at once")
def test_addresses_that_refuse_leave_their_time_to_the_others() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with socket.create_connection(busy.getsockname()):  # the queue is full
            threading.Timer(0.3, lambda: busy.accept()[0].close()).start()
            hosts = [closed] * 9 + [busy]
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", h.getsockname()) for h in hosts]
            _connect(found, time.monotonic() + 5).close()


def test_look_ups_that_hang_do_not_pile_up(internet: Internet) -> None:
    """Each of them holds a thread until the resolver gives up; there are 16 at most."""
    for _ in range(20):
        internet.refuses("http://slow.test/", seconds=0.05)
    assert internet.refuses("http://photos.test/", seconds=0.3)["look_ups"] <= 16
