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
import tomllib
from pathlib import Path
from typing import Any

import certifi
from urllib3.util import Url, parse_url

from course_utils.images.reading import MAX_BYTES
from course_utils.images.refusals import Refusal

PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 2_000
# A look-up cannot be cancelled, so those that hang must not use up all threads.
_lookups = threading.BoundedSemaphore(16)

_IPV6_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_NOT_PUBLIC = [ipaddress.ip_network(network) for network in _TABLE["not_public"]]


class BadURL(Refusal):
    """Nothing could be fetched; says why to a person, and never repeats the URL."""


def download(url: str, *, seconds: float = 5) -> bytes:
    """Fetch one file over http or https from a public host, on the scheme's usual ports.

    Args:
        url: without user name and password, at most ``MAX_URL_CHARACTERS``.
        seconds: for all of it together: look-up, connection and the last byte.

    Returns:
        The body of an answer which says that it is an image (or bytes of no stated kind), at most
        ``MAX_BYTES``.

    Raises:
        BadURL: the URL is not of this kind, its host is not public or does not answer well.
    """
    deadline = time.monotonic() + seconds
    parts = _parse(url)
    host = str(parts.host).strip("[]")
    try:
        addresses = _resolve(host, parts.port or PORTS[str(parts.scheme)], deadline)
        connection: socket.socket = _connect(addresses, deadline)
        with contextlib.closing(connection):
            if parts.scheme == "https":
                # The address was chosen by us, the certificate must be that of the name.
                context, name = _create_tls_context(), host.rstrip(".")
                connection = context.wrap_socket(connection, server_hostname=name)
                connection.deadline = deadline  # type: ignore[attr-defined]
            with connection:
                return _exchange(connection, parts)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _explain(error, deadline, seconds) from None


def _explain(error: Exception, deadline: float, seconds: float) -> BadURL:
    """What went wrong, in words for a person."""
    # A wait may end a moment before a clock that ticks coarsely shows it.
    if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
        detail, allowed = "Fetching the URL takes too long.", f"at most {seconds:g} seconds"
        return BadURL(detail, "no complete answer in time", allowed)
    if isinstance(error, BadURL):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = "The host does not prove that it is the one named in the URL."
        return BadURL(detail, "no valid certificate", "a host with a valid certificate")
    detail = "The host does not answer as a web server does."
    return BadURL(detail, "no usable answer", "an image")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and to one host.

    An IPv6 address that stands for an IPv4 one (mapped, or by way of NAT64) is judged as that.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = getattr(ip, "ipv4_mapped", None) or ip
    if any(ip in network for network in _NOT_PUBLIC):
        return False
    if ip.version == 6:
        return ip in _IPV6_GLOBAL_UNICAST
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _parse(url: str) -> Url:
    """The parts of a URL that may be used: the parts judged here are the parts used later."""
    if len(url) > MAX_URL_CHARACTERS:
        allowed = f"at most {MAX_URL_CHARACTERS:,}"
        raise BadURL("The URL is too long.", f"{len(url):,} characters", allowed)
    malformed = BadURL(
        "This is not a URL that can be fetched.", "no valid URL", "a URL with http or https"
    )
    # Readers of URLs disagree about these, which is how one is made to check another host.
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise malformed
    try:
        parts = parse_url(url)
    except ValueError:
        raise malformed from None
    if not parts.host:
        raise malformed
    if parts.scheme not in PORTS:
        raise BadURL("The URL has a scheme that is not fetched.", "another", "http or https")
    if parts.auth is not None:
        detail = "The URL carries a user name or a password."
        raise BadURL(detail, "credentials", "a URL without them")
    if parts.port not in (None, *PORTS.values()):
        raise BadURL("The URL names a port that is not fetched from.", "another", "80 or 443")
    return parts


def _resolve(host: str, port: int, deadline: float) -> list[tuple[Any, ...]]:
    """All addresses of a host, as `socket.getaddrinfo` gives them, each one public."""
    answer: queue.SimpleQueue[list[tuple[Any, ...]]] = queue.SimpleQueue()

    def look_up() -> None:
        found: list[tuple[Any, ...]] = []
        # OSError: unknown; ValueError: not even a name, as with a part of 64 letters.
        with contextlib.suppress(OSError, ValueError):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        _lookups.release()
        answer.put(found)

    if not _lookups.acquire(timeout=max(0, deadline - time.monotonic())):
        raise TimeoutError
    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        addresses = answer.get(timeout=max(0, deadline - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None
    if not addresses or not all(is_public(address[4][0]) for address in addresses):
        # One message for both, or it would tell which names an inner network has.
        detail = "The URL cannot be used: its host is unknown, or it is not on the public internet."
        raise BadURL(detail, "a host without a public address", "a host on the public internet")
    return addresses


def _connect(addresses: list[tuple[Any, ...]], deadline: float) -> "_PlainSocket":
    """A connection to the first address that answers; each gets a share of the time left."""
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - tried)
        connection = _PlainSocket(family, kind, protocol)
        connection.deadline = deadline
        connection.settimeout(max(0.001, share))
        try:
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            return connection
    raise ConnectionError("no address answers")


class _Deadline:
    """Ends every wait of a socket at one moment: a time-out alone starts anew with each byte."""

    deadline: float

    def recv_into(self, *arguments: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)  # type: ignore[attr-defined]
        return super().recv_into(*arguments)  # type: ignore[misc]


class _PlainSocket(_Deadline, socket.socket):
    pass


class _TLSSocket(_Deadline, ssl.SSLSocket):
    pass


@functools.cache
def _create_tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()  # the system's authorities,
    context.sslsocket_class = _TLSSocket
    context.load_verify_locations(certifi.where())  # and Mozilla's, for systems that bring none
    return context


def _exchange(connection: socket.socket, parts: Url) -> bytes:
    """Send the request, and return the body of an answer that is an image."""
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
        _check_headers(response)
        announced = response.length or 0
        if announced > MAX_BYTES or len(body := response.read(MAX_BYTES + 1)) > MAX_BYTES:
            allowed = f"at most {MAX_BYTES:,} bytes"
            raise BadURL("The file at the URL is too large.", "more", allowed)
        if response.length:  # of the announced ones, so many bytes did not come
            raise http.client.IncompleteRead(b"", response.length)
        return body


def _check_headers(response: http.client.HTTPResponse) -> None:
    if 300 <= response.status < 400:
        detail = "The URL only leads on to another one, which is not followed."
        received = f"a redirect (status {response.status})"
        raise BadURL(detail, received, "the address at which the image itself lies")
    if response.status != 200:
        received = f"status {response.status}"
        raise BadURL("The host did not hand the image out.", received, "status 200")
    kind = response.headers.get_content_type()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise BadURL("The URL does not lead to an image.", "another type of content", "an image")
