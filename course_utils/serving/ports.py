"""Find a port that no other program has."""

import contextlib
import os
import socket

LOOPBACK = "127.0.0.1"  # only this machine reaches it


def listen(ports: list[int], host: str = LOOPBACK) -> socket.socket:
    """Open a listening socket on the first of the ports that is free, else on any.

    Raises:
        OSError: this machine has no free port, or not this host.
        OverflowError: one of them is not a port.
    """
    for port in ports:
        with contextlib.suppress(OSError):
            # A Mac would let us bind beside AirPlay, which listens on all addresses.
            if os.name == "nt" or not is_in_use(port, host):
                return socket.create_server((host, port), family=_choose_family(host))
    return socket.create_server((host, 0), family=_choose_family(host))


def is_in_use(port: int, host: str = LOOPBACK) -> bool:
    """Whether a program answers there."""
    with contextlib.suppress(OSError), socket.socket(_choose_family(host)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
    return False


def _choose_family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
