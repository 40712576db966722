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
import trustme

from course_utils.images import BadURL, download
from course_utils.images.downloads import _connect, _explain, is_public
from tests.support import ROOT
from tests.support.serving import serving, wait_until

PHOTO = [8, 8]


def urls(hosts: str) -> list[str]:
    return [f"http://{host}" if "/" in host else f"http://{host}/" for host in hosts.split()]


# Short, decimal, octal, hexadecimal, zero, overflowing, percent-encoded, in other letters; and in
# IPv6: unspecified, mapped, compatible, translated, 6to4, NAT64 (also local), Teredo, with a zone.
LOOPBACK = urls(
    "127.0.0.1 localhost 127.8.9.10 127.1 127.0.0.1. 2130706433 0177.0.0.1 0x7f.0x0.0x0.0x1 "
    "0x7f000001 0 0.0.0.0 127.0.0.257 127%2e0%2e0%2e1 ①②⑦.⓪.⓪.① 127。0。0。1 ⓛocalhost "
    "[::1] [::] [::ffff:127.0.0.1] [::127.0.0.1] [::ffff:0:127.0.0.1] [2002:7f00:1::] "
    "[64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2001:0:7f00:1::80ff:fffe] [::1%25lo] ::1"
)
# Of a house or a carrier, the metadata of clouds (mapped, IPv6, NAT64), their own services,
# protocol assignments, multicast, reserved, 6to4 relays, link-local, site-local, documentation.
PRIVATE = urls(
    "10.0.0.5 172.16.0.1 192.168.1.1 100.64.0.1 100.100.100.200/latest/meta-data "
    "169.254.169.254/latest/meta-data [::ffff:a9fe:a9fe] [fd00:ec2::254] [64:ff9b::a9fe:a9fe] "
    "168.63.129.16 192.0.0.192 224.0.0.1 240.0.0.1 192.88.99.1 [fe80::1] [fec0::1] [ff02::1] "
    "[2001:db8::1] [3fff::1] [4000::1]"
)
# The names under .test exist only in the stand-in for the internet (internet.py); elsewhere they
# are unknown, and refused all the same.
NAMES = urls(
    "loopback.test loopback6.test mapped.test private.test metadata.test/latest/meta-data "
    "mixed.test/photo.png mixed6.test/photo.png unknown.test intranet bücher.test "
    f"{'a' * 64}.test {'a.' * 200}test"
)
REDIRECTS = [
    f"http://photos.test/redirect/{status}?http://{target}/"
    for status in (301, 302, 308)
    for target in ("127.0.0.1", "[::1]", "private.test")
]
# Without a scheme or host, other schemes, credentials, hosts in disguise, other ports, characters
# of which readers of URLs think differently, too long.
FORMS = [
    *("", "127.0.0.1/", "http:///photo.png", "http://user@/", "http:/127.0.0.1/"),
    *("file:///etc/passwd", "gopher://127.0.0.1:80/_GET%20/", "ftp://127.0.0.1/photo.png"),
    *("data:image/png;base64,iVBORw0KGgo=", "javascript:alert(1)"),
    *("http://user:secret@photos.test/photo.png", "http://photos.test@127.0.0.1/"),
    *("http://127.0.0.1#@photos.test/", "http://127.0.0.1\\@photos.test/"),
    *("http://photos.test\\.private.test/", "http://photos.test:22/", "http://photos.test:0/"),
    "http://photos.test:65616/",  # which is 80 and a round
    *("http://photos.test:٨٠/", "http://photos.test/photo.png\n"),
    "http://photos.test/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    *("http://127.0.\t0.1/", "http://photos.test\0.private.test/", "http://\ud800.test/"),
    *("http://[::1/", "http://photos.test/" + "a" * 10_000, "http://" + "a" * 10_000 + ".test/"),
]
REFUSED = ["https://127.0.0.1/", *LOOPBACK, *PRIVATE, *NAMES, *REDIRECTS, *FORMS]
each_refused = pytest.mark.parametrize("url", REFUSED, ids=[repr(url[:60]) for url in REFUSED])


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


@each_refused
def test_it_is_refused_and_nobody_is_called(internet: Internet, url: str) -> None:
    """Nor is anything of the URL repeated in what is said."""
    result = internet.refuses(url)
    if len(url) > 1:
        assert url.strip() not in result["said"]
    for part in ("127.0.0.1", "private.test", "photos.test", "secret", "::1"):
        assert part not in result["said"]


@each_refused
def test_it_is_refused_wherever_this_runs(url: str) -> None:
    """Without the stand-in: with the system's own resolver, on every platform."""
    with pytest.raises(BadURL) as caught:
        download(url, seconds=1)
    if len(url) > 1:
        assert url.strip() not in str(caught.value)


def test_the_service_refuses_them_too() -> None:
    with serving("image") as served, requests.Session() as session:
        greeting = wait_until(lambda: "Serving" in served.said() and served.said())
        for url in REFUSED:
            answer = session.post(f"{served.url}/api/image", json={"url": url}, timeout=60)
            assert answer.status_code == 400, url
            problem = answer.json()
            assert problem["errors"][0]["pointer"] == "/url"
            said = json.dumps(problem) + served.text()
            for part in (url.strip(), "photos.test", "private.test", "secret"):
                assert len(part) < 2 or part not in said, url
        assert served.said() == greeting


def test_the_canaries_would_sing(internet: Internet) -> None:
    """The refusals prove something only if a careless client is let through."""
    tried = LOOPBACK + PRIVATE + NAMES + REDIRECTS
    sung = {url for url in tried if internet.fetch(url, careless=True)["canaries"]}
    assert len(sung) >= 20
    assert sung >= {*urls("127.0.0.1 2130706433 169.254.169.254/latest/meta-data"), REDIRECTS[0]}


PUBLIC = urls(
    "photos.test/photo.png 93.184.215.14/photo.png photos6.test/photo.png "
    "[2606:2800:21f::1]/photo.png both.test/photo.png nat64.test/photo.png "
    "half-down.test/photo.png photos.test/octets photos.test/chunked "
    "photos.test/photo.png?a=b&c=ä#part photos.test/host [2606:2800:21f::1]/host"
)


@pytest.mark.parametrize("url", ["HTTP://Photos.TEST./photo.png", *PUBLIC])
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
        ("gzip", ""),  # although it was asked not to compress
        ("nothing", "no usable answer"),
        ("garbage", "no usable answer"),
        ("bad-length", ""),
        ("lie", ""),  # a text that it calls an image
        ("long-header", "no usable answer"),
    ],
)
def test_bad_manners_of_a_host(internet: Internet, path: str, said: str) -> None:
    result = internet.fetch(f"http://photos.test/{path}")
    assert said in result["said"]
    assert "secret" not in result["said"]
    assert result["error"] == ("BadImage" if path in ("bad-length", "lie", "gzip") else "BadURL")


SLOW = "photos.test/drip photos.test/drip-headers photos.test/drip-continue silent.test slow.test"


@pytest.mark.parametrize("url", [*urls(SLOW), "https://silent.test/"])
def test_one_deadline_holds(internet: Internet, url: str) -> None:
    """For hosts that send a byte at a time or nothing, by http and https, and for look-ups."""
    result = internet.refuses(url, seconds=1)
    assert "too long" in result["said"]
    assert result["seconds"] > 0.95


def test_a_host_that_is_down(internet: Internet) -> None:
    assert "no usable answer" in internet.refuses("http://down.test/")["said"]


def test_an_unknown_name_and_a_private_one_sound_the_same(internet: Internet) -> None:
    known, unknown = (internet.refuses(f"http://{n}.test/") for n in ("private", "unknown"))
    assert known["said"] == unknown["said"]


def test_https_is_for_the_host_that_the_certificate_names(internet: Internet) -> None:
    for host in ("photos.test", "photos.test:443", "photos.test."):
        assert internet.fetch(f"https://{host}/photo.png")["size"] == PHOTO, host
    for host in ("other.test", "93.184.215.14"):
        assert "certificate" in internet.refuses(f"https://{host}/photo.png")["said"]
    for url in ("http://photos.test:443/photo.png", "https://photos.test:80/photo.png"):
        internet.refuses(url, seconds=1)


def test_which_addresses_are_public() -> None:
    public = "8.8.8.8 93.184.215.14 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"
    others = "::ffff:10.0.0.1 64:ff9b::a00:1 100.127.255.255 fe80::1%lo 2001:0:808:808::1"
    assert [each for each in f"{public} {others}".split() if is_public(each)] == public.split()


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
