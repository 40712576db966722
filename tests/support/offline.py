"""Run a command with the network cut: ``python tests/support/offline.py COMMAND ...`` (Linux).

The command and all it starts see a network of their own in which only the loopback addresses
exist. Where the system does not allow that, the command runs all the same and a warning says so;
in CI as root, where it has to work, nothing runs.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def cut() -> None:
    """Leave the network; raises OSError where the system refuses."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if user:  # a namespace of users came with it: everybody keeps their number there
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:
        request = struct.pack("16sh22x", b"lo", 0)
        state = struct.unpack("16sh22x", fcntl.ioctl(lo, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(lo, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", state | IFF_UP))


def main(command: list[str]) -> None:
    try:
        cut()
    except (OSError, AttributeError) as error:  # AttributeError: no unshare on this system
        print(f"\n*** THE NETWORK IS NOT CUT: {error} ***\n", file=sys.stderr, flush=True)
        if os.environ.get("CI") and os.geteuid() == 0:
            raise SystemExit("In CI this has to work.") from None
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
