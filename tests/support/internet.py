"""A stand-in for the internet: public and private hosts, names and their answers (Linux).

The machine that runs the tests has no public address. This process takes a network of its own, in
which loopback carries some public and some private addresses. Real servers listen there: for
names (UDP), for http and for https. On every private address wait canaries: listeners that only
count who calls. Then it does what standard input asks for, a line of JSON each, and answers the
same way::

    {"url": "http://photos.test/photo.png"}  ->  {"size": [8, 8], "canaries": 0, ...}
"""

import collections
import ctypes
import faulthandler
import fcntl
import io
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
SIOCSIFADDR = 0x8916
PHOTOS, SILENT, DOWN = "93.184.215.14", "93.184.215.15", "93.184.215.16"
PHOTOS6, NAT64 = "2606:2800:21f::1", "64:ff9b::5db8:d70e"
PRIVATE = ("127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254")
PRIVATE6 = ("::1", "fd00:ec2::254", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1")
PORTS = (22, 80, 443, 8000)
NAMES = {
    "photos.test": [PHOTOS],
    "photos6.test": [PHOTOS6],
    "both.test": [PHOTOS, PHOTOS6],
    "nat64.test": [PHOTOS, NAT64],
    "other.test": [PHOTOS],  # the certificate does not name it
    "silent.test": [SILENT],  # takes the connection and says nothing
    "down.test": [DOWN],
    "half-down.test": [DOWN, PHOTOS],
    "loopback.test": ["127.0.0.1"],
    "loopback6.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "private.test": ["10.0.0.5"],
    "metadata.test": ["169.254.169.254"],
    "mixed.test": [PHOTOS, "10.0.0.5"],
    "mixed6.test": [PHOTOS, "::1"],
    "rebind.test": [PHOTOS],  # asked again, it has another address
}
asked: collections.Counter[str] = collections.Counter()  # "NAME KIND" of each look-up
called: list[int] = []  # ports of canaries, a call each


def take_a_network(folder: Path) -> None:
    from tests.support.offline import cut

    cut()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mounts of its own")
    mount(libc, None, "/", MS_REC | MS_PRIVATE)
    for name, text in {
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "nsswitch.conf": "hosts: files dns\n",
    }.items():
        (folder / name).write_text(text)
        if Path("/etc", name).exists():
            mount(libc, str(folder / name), f"/etc/{name}", MS_BIND)
    for number, address in enumerate((PHOTOS, SILENT, DOWN, *PRIVATE[1:]), start=1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:
            name = f"lo:{number}".encode()
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(lo, SIOCSIFADDR, packed)
    for address in (PHOTOS6, NAT64, *PRIVATE6[1:]):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as lo:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(lo, SIOCSIFADDR, struct.pack("16sIi", packed, 128, 1))
    for address in (PHOTOS6, NAT64, *PRIVATE6[1:]):
        wait_for_address(address)


def wait_for_address(address: str) -> None:
    """Of IPv6 the kernel makes an address usable a moment after it was given, when it has time."""
    end = time.monotonic() + 60
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as lo:
        while True:
            try:
                lo.bind((address, 0))
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return


def mount(libc: ctypes.CDLL, source: str | None, target: str, flags: int) -> None:
    if libc.mount(source and source.encode(), target.encode(), None, flags, None):
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")


# --- names


def serve_names() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(2048)
        at, labels = 12, []
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode("latin-1"))
            at += length + 1
        name, kind = ".".join(labels).lower(), struct.unpack_from(">H", query, at + 1)[0]
        asked[f"{name} {kind}"] += 1
        if name != "slow.test":  # asked for that one, it never answers
            server.sendto(answer(query[: at + 5], name, kind), client)


def answer(query: bytes, name: str, kind: int) -> bytes:
    addresses = NAMES.get(name, [])
    if name == "rebind.test" and asked[f"{name} 1"] > 1:
        addresses = ["127.0.0.1"]
    family = socket.AF_INET if kind == 1 else socket.AF_INET6
    packed = [socket.inet_pton(family, a) for a in addresses if (":" in a) == (kind == 28)]
    records = b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(one)) + one for one in packed
    )
    flags = 0x8180 if name in NAMES else 0x8183  # no such name
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(packed), 0, 0) + query[12:] + records


# --- hosts


def make_photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return file.getvalue()


def reply(*headers: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


PHOTO = make_photo()
PNG, CHUNKED = "Content-Type: image/png", "Transfer-Encoding: chunked"
WHOLE = f"Content-Length: {len(PHOTO)}"
#: what a host sends, by the path asked for, before it hangs up
REPLIES = {
    "photo.png": reply(PNG, WHOLE, body=PHOTO),
    "octets": reply("Content-Type: application/octet-stream", body=PHOTO),
    "chunked": reply(PNG, CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(PHOTO), PHOTO)),
    "missing": reply("Content-Length: 0", status="404 Not Found"),
    "html": reply("Content-Type: text/html", body=b"<p>secret"),
    "lie": reply(PNG, body=b"secret"),
    "gzip": reply(PNG, "Content-Encoding: gzip", body=b"\x1f\x8b"),
    "big-chunks": reply(PNG, CHUNKED, body=(b"2710\r\n" + bytes(10_000) + b"\r\n") * 1_100),
    "announced": reply(PNG, "Content-Length: 10000001"),
    "too-short": reply(PNG, WHOLE, body=PHOTO[:20]),
    "nothing": b"",
    "garbage": os.urandom(5_000),
    "bad-length": reply(PNG, "Content-Length: " + "9" * 5_000, body=PHOTO[:9]),
    "long-header": reply("X-Long: " + "a" * 100_000, body=PHOTO),
    "endless": reply(PNG),
    "drip": reply(PNG),
    "drip-headers": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "drip-continue": b"",
}
#: what some go on with, twenty times a second
REPEATED = {
    "endless": bytes(1_000_000),
    "drip": b"a",
    "drip-headers": b"a",
    "drip-continue": b"HTTP/1.1 100 Continue\r\n\r\n",
}


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, port: int, handler: type) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """The client hung up, as it should."""


class Canary(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        called.append(self.server.server_address[1])
        self.request.sendall(reply("Content-Length: 6", body=b"secret"))


class Silent(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        time.sleep(30)


class Photos(socketserver.StreamRequestHandler):
    """A web server with good and bad manners, by the path asked for."""

    def handle(self) -> None:
        path = self.rfile.readline().decode("latin-1").split(" ")[1].strip("/")
        headers: dict[str, str] = {}
        while text := self.rfile.readline().decode("latin-1").strip():
            name, _, value = text.partition(": ")
            headers[name.lower()] = value
        path, _, query = path.partition("?")
        if path.startswith("redirect/"):
            status = f"{path.removeprefix('redirect/')} Elsewhere"
            self.wfile.write(reply(f"Location: {query}", "Content-Length: 0", status=status))
            return
        if path == "host":
            path = "photo.png" if is_as_it_should_be(headers) else "missing"
        self.wfile.write(REPLIES[path])
        while path in REPEATED:
            self.wfile.write(REPEATED[path])
            time.sleep(0.05)


def is_as_it_should_be(headers: dict[str, str]) -> bool:
    """Whether a request names the host and nothing of whoever asks."""
    return (
        headers["host"] in ("photos.test", f"[{PHOTOS6}]")
        and headers["accept-encoding"] == "identity"
        and headers.keys().isdisjoint({"cookie", "authorization", "referer"})
    )


def serve_hosts(certificate: str) -> None:
    for address in (PHOTOS, PHOTOS6, NAT64):
        Listener(address, 80, Photos)
    for port in PORTS:
        Listener(SILENT, port, Silent)
        for address in (*PRIVATE, *PRIVATE6):
            Listener(address, port, Canary)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    secure = Listener(PHOTOS, 443, Photos)
    secure.socket = context.wrap_socket(
        secure.socket, server_side=True, do_handshake_on_connect=False
    )


# --- orders


def fetch(url: str, seconds: float = 5) -> dict[str, Any]:
    from course_utils.images import Refusal, download, read_image

    try:
        return {"size": read_image(download(url, seconds=seconds)).shape[:2]}
    except Refusal as error:
        parts = [str(error), error.detail, error.received, error.allowed]
        return {"error": type(error).__name__, "said": " ".join(parts)}


def fetch_carelessly(url: str) -> dict[str, Any]:
    """What a service does that has not heard of all this."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        try:
            return {"text": session.get(url, timeout=60).text}
        except Exception as error:  # urllib3's and the resolver's own come through as well
            return {"error": type(error).__name__}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="internet-") as folder:
        take_a_network(Path(folder))
        threading.Thread(target=serve_names, daemon=True).start()
        serve_hosts(os.environ["CERTIFICATE"])
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            faulthandler.dump_traceback_later(30, exit=True)  # a hang is a failure, too
            calls, names, began = len(called), asked.copy(), time.monotonic()
            result = fetch_carelessly(order["url"]) if "careless" in order else fetch(**order)
            seconds = time.monotonic() - began
            time.sleep(0.02 if "error" in result else 0)  # for a canary to wake up
            look_ups = sum(thread.name == "look-up" for thread in threading.enumerate())
            result |= {"canaries": len(called) - calls, "seconds": seconds, "look_ups": look_ups}
            print(json.dumps(result | {"asked": dict(asked - names)}), flush=True)


if __name__ == "__main__":
    main()
