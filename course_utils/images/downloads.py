"""A stranger's URL → bytes, from the public internet and from nowhere else.

A service that fetches what it is told to can be made to fetch from the network it stands in:
server-side request forgery (SSRF; OWASP keeps a cheat sheet on preventing it). So a name is
resolved once, every address it has must be public, and the connection is made to just that
address. Redirects and proxies are not followed, and one deadline holds for everything.
"""

import contextlib
import functools
import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import certifi
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

PORTS = {"http": 80, "https": 443}
MAX_URL = 2_000  # characters
_MAX_LOOKUPS = 16  # at a time: a look-up cannot be called off, only no longer waited for
_lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)

# IANA keeps the registries of special addresses; each Python release knows an older or a newer
# state of them, so IPv6 is an allow-list and IPv4 has the additions named here.
_IPV4_NOT_PUBLIC = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.88.99.0/24",  # 6to4 relays
            "168.63.129.16/32",  # Azure's own services, reachable from its machines only
        ),
    )
)
_IPV6_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_IPV6_NOT_PUBLIC = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo, which wraps an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which wraps an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# One message for both, or it would tell which names an inner network has.
_NOT_PUBLIC = (
    "The URL cannot be used: its host is unknown, or it is not on the public internet.",
    "a host without a public address",
    "a host on the public internet",
)


class BadURL(ValueError):
    """Nothing could be fetched; says why to a person, and never repeats the URL."""

    def __init__(self, detail: str, received: str, allowed: str):
        super().__init__(f"{detail} Received: {received}. Allowed: {allowed}.")
        self.detail = detail
        self.received = received
        self.allowed = allowed


def download(url: str, *, seconds: float = 5, max_bytes: int = 10_000_000) -> bytes:
    """Fetch one file over http or https from a public host, on the scheme's usual ports.

    Args:
        url: without user name and password, at most ``MAX_URL`` characters.
        seconds: for all of it together: look-up, connection and the last byte.
        max_bytes: how long the file may be.

    Returns:
        The body of the answer, which says that it is an image (or bytes of no stated kind).

    Raises:
        BadURL: the URL is not of this kind, its host is not public or does not answer well.
    """
    deadline = time.monotonic() + seconds
    parts = _parse(url)
    host = str(parts.host).strip("[]")
    port = PORTS[str(parts.scheme)] if parts.port is None else parts.port
    addresses = _resolve(host, port, deadline)
    try:
        with _connect(addresses, deadline) as raw, _hung_up_at(deadline, raw):
            secure = parts.scheme == "https"
            with _encrypted(raw, host) if secure else contextlib.nullcontext(raw) as connection:
                return _exchange(connection, parts, max_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline:
            raise _too_slow(seconds) from None
        if isinstance(error, BadURL):
            raise
        if isinstance(error, ssl.SSLCertVerificationError):
            raise BadURL(
                "The host does not prove that it is the one named in the URL.",
                "no valid certificate",
                "a host with a valid certificate",
            ) from None
        raise BadURL(
            "The host does not answer as a web server does.", "no usable answer", "an image"
        ) from None


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and to one host.

    An IPv6 address that stands for an IPv4 one (mapped, or by way of NAT64) is judged as that.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None:
            banned = any(ip in network for network in _IPV6_NOT_PUBLIC)
            return ip in _IPV6_GLOBAL_UNICAST and not banned
        ip = inner
    banned = any(ip in network for network in _IPV4_NOT_PUBLIC)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not banned


def _parse(url: str) -> Url:
    """The parts of a URL that may be used: the parts judged here are the parts used later."""
    if len(url) > MAX_URL:
        raise BadURL("The URL is too long.", f"{len(url):,} characters", f"at most {MAX_URL:,}")
    # Readers of URLs disagree about these, which is how one is made to check another host.
    odd = any(char <= " " or char in "\\\x7f" for char in url)
    try:
        parts = parse_url(url)
    except (LocationParseError, ValueError):
        odd = True
    if odd or not parts.host:
        raise BadURL(
            "This is not a URL that can be fetched.", "no valid URL", "a URL with http or https"
        )
    if parts.scheme not in PORTS:
        raise BadURL("The URL has a scheme that is not fetched.", "another", "http or https")
    if parts.auth is not None:
        raise BadURL(
            "The URL carries a user name or a password.", "credentials", "a URL without them"
        )
    if parts.port is not None and parts.port not in PORTS.values():
        raise BadURL("The URL names a port that is not fetched from.", "another", "80 or 443")
    return parts


def _resolve(host: str, port: int, deadline: float) -> list[tuple[Any, ...]]:
    """All addresses of a host, as `socket.getaddrinfo` gives them, each one public."""
    answer: queue.SimpleQueue[list[tuple[Any, ...]]] = queue.SimpleQueue()

    def look_up() -> None:
        found: list[tuple[Any, ...]] = []
        try:
            # OSError: unknown; ValueError: not even a name, as with a part of 64 letters.
            with contextlib.suppress(OSError, ValueError):
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        finally:
            _lookups.release()
            answer.put(found)

    if not _lookups.acquire(timeout=max(0, deadline - time.monotonic())):
        raise _too_slow()
    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        addresses = answer.get(timeout=max(0, deadline - time.monotonic()))
    except queue.Empty:
        raise _too_slow() from None
    if not addresses or not all(is_public(address[4][0]) for address in addresses):
        raise BadURL(*_NOT_PUBLIC)
    return addresses


def _connect(addresses: list[tuple[Any, ...]], deadline: float) -> socket.socket:
    """A connection to the first address that answers; each gets a fair share of the time."""
    for left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        share = (deadline - time.monotonic()) / left
        if share <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(share)
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            return connection
    raise ConnectionError("no address answers")


@contextlib.contextmanager
def _hung_up_at(deadline: float, connection: socket.socket) -> Iterator[None]:
    """Shut the connection down at the deadline: a time-out alone starts anew with each byte."""
    line = connection.dup()  # TLS takes the socket itself over

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0, deadline - time.monotonic()), hang_up)
    timer.daemon = True
    timer.start()
    with line:
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # before the line is closed, and its number given to another
    if time.monotonic() >= deadline:  # what looked like the end of the file was our hanging up
        raise TimeoutError


def _encrypted(connection: socket.socket, host: str) -> ssl.SSLSocket:
    # The address was chosen by us, the certificate must be that of the name.
    return _tls().wrap_socket(connection, server_hostname=host.rstrip("."))


@functools.cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()  # the system's authorities,
    context.load_verify_locations(certifi.where())  # and Mozilla's, for systems that bring none
    return context


def _exchange(connection: socket.socket, parts: Url, max_bytes: int) -> bytes:
    http_connection = http.client.HTTPConnection(parts.netloc or "")
    http_connection.sock = connection
    headers = {
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "networks-at-work",
    }
    http_connection.request("GET", parts.request_uri, headers=headers)
    with http_connection.getresponse() as response:
        _check_answer(response, max_bytes)
        body = response.read(max_bytes + 1)
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if response.length:  # of the announced ones, so many bytes did not come
            raise http.client.IncompleteRead(b"", response.length)
        return body


def _check_answer(response: http.client.HTTPResponse, max_bytes: int) -> None:
    if 300 <= response.status < 400:
        raise BadURL(
            "The URL only leads on to another one, which is not followed.",
            f"a redirect (status {response.status})",
            "the address at which the image itself lies",
        )
    if response.status != 200:
        raise BadURL(
            "The host did not hand the image out.", f"status {response.status}", "status 200"
        )
    kind = response.headers.get_content_type()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise BadURL("The URL does not lead to an image.", "another type of content", "an image")
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise BadURL("The answer is compressed.", "a content encoding", "none, as asked for")
    if (response.length or 0) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> BadURL:
    return BadURL("The file at the URL is too large.", "more", f"at most {max_bytes:,} bytes")


def _too_slow(seconds: float | None = None) -> BadURL:
    limit = f"at most {seconds:g} seconds" if seconds else "an answer within a few seconds"
    return BadURL("Fetching the URL takes too long.", "no complete answer in time", limit)
