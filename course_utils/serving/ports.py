"""Find an address of this machine, and a port that no other program has."""

import contextlib
import os
import socket

LOOPBACK = "127.0.0.1"  # only this machine reaches it
ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # and where this machine reaches what listens so

HOST_ADVICE = f"Choose with --host {LOOPBACK} (this machine alone) or 0.0.0.0 (all that reach it)."


def find_address(host: str) -> str:
    """The IP address that a name such as ``localhost`` stands for; of several an IPv4 one.

    Raises:
        OSError: no machine has this name.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OSError(f"{host!r} is not the address or name of a machine. {HOST_ADVICE}") from None
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def listen(ports: list[int], host: str = LOOPBACK) -> socket.socket:
    """Open a listening socket on the first of the ports that is free, else on any.

    Raises:
        OSError: this machine has no free port, or not this host.
        OverflowError: one of them is not a port.
    """
    for port in ports:
        with contextlib.suppress(OSError):
            return bind(port, host)
    return bind(0, host)


def bind(port: int, host: str = LOOPBACK) -> socket.socket:
    """Open a listening socket on this very port of an IP address.

    Raises:
        OSError: says what is in the way, and what to try instead.
        OverflowError: it is not a port.
    """
    family = _choose_family(host)
    try:
        with socket.create_server((host, 0), family=family) as spare:
            advice = f"Choose another with --port, for example {spare.getsockname()[1]}."
    except OSError:
        raise OSError(f"{host} is not an address of this machine. {HOST_ADVICE}") from None
    try:
        # A Mac would let us bind beside AirPlay, which listens on all addresses.
        if os.name == "nt" or not is_in_use(port, host):
            return socket.create_server((host, port), family=family)
    except PermissionError:
        raise OSError(f"Port {port} is reserved for an administrator here. {advice}") from None
    except OSError:
        pass
    raise OSError(f"Port {port} is in use. {advice}")


def is_in_use(port: int, host: str = LOOPBACK) -> bool:
    """Whether a program answers there."""
    with contextlib.suppress(OSError), socket.socket(_choose_family(host)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((ANY_ADDRESS.get(host, host), port)) == 0
    return False


def _choose_family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
