"""Find an address of this machine, and a port that no other program has."""

import contextlib
import errno
import os
import socket

LOOPBACK = "127.0.0.1"  # only this machine reaches it
ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # and where this machine reaches what listens so

HOST_ADVICE = (
    f"Choose with --host {LOOPBACK} (this machine alone) or 0.0.0.0 (every machine that can reach "
    "this one)."
)


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
    try:
        with _create_listener(0, host) as spare:
            free = spare.getsockname()[1]
            if not is_in_use(free, host):  # a multicast address can be bound, but not connected to
                raise OSError(errno.EADDRNOTAVAIL, "")
    except OSError as error:
        fault = f"cannot be listened on ({os.strerror(error.errno or errno.EINVAL)})"
        if error.errno == errno.EADDRNOTAVAIL:
            fault = "is not an address of this machine"
        raise OSError(f"{host} {fault}. {HOST_ADVICE}") from None
    state = "in use"
    try:
        # A Mac would let us bind beside AirPlay, which listens on all addresses.
        taken = is_in_use(port, host) or (host == "::" and is_in_use(port))
        if os.name == "nt" or not taken:
            return _create_listener(port, host)
    except PermissionError:
        state = "reserved for an administrator here"
    except OSError:
        pass
    raise OSError(f"Port {port} is {state}. Choose another with --port, for example {free}.")


def is_in_use(port: int, host: str = LOOPBACK) -> bool:
    """Whether a program answers there."""
    with contextlib.suppress(OSError), socket.socket(_choose_family(host)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((ANY_ADDRESS.get(host, host), port)) == 0
    return False


def _create_listener(port: int, host: str) -> socket.socket:
    both = host == "::" and socket.has_dualstack_ipv6()  # IPv4 and IPv6, as Granian listens there
    return socket.create_server((host, port), family=_choose_family(host), dualstack_ipv6=both)


def _choose_family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
