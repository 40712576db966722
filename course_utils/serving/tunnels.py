"""Give a service on this machine a public address: a tunnel through ngrok or Cloudflare.

ngrok is reached by its official SDK and needs an account, whose token no message shows. Cloudflare
is reached by its program cloudflared, which the user has installed, and needs none.
"""

import asyncio
import concurrent.futures
import inspect
import os
import re
import shutil
import subprocess
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from course_utils.environment import in_colab
from course_utils.serving.ports import LOOPBACK

TOKEN_NAME = "NGROK_AUTHTOKEN"  # of the environment variable and of the Colab secret
TIMEOUT_S = 30.0  # on a network that drops packets the SDK alone would wait for ever
STEPS = f"""To get an address that others can open, in three steps:
  1. Make a free account at https://ngrok.com.
  2. Copy your authtoken from https://dashboard.ngrok.com/get-started/your-authtoken.
  3. Put it into the environment variable {TOKEN_NAME}, or in Colab into the Secrets (the key on the
     left) under that name with notebook access switched on. Then run this cell again."""
NO_CLOUDFLARED = """No public address: the program cloudflared is not on the PATH. Get it from
https://github.com/cloudflare/cloudflared/releases, put it there and run this cell again."""
CLOUDFLARE_URL = re.compile(r"\|\s+(https?://\S+)\s+\|")  # in a frame that cloudflared logs


@dataclass(frozen=True)
class Tunnel:
    """An open tunnel."""

    url: str
    service: str
    _end: Callable[[], None]

    def close(self) -> None:
        """End it; raises nothing."""
        _open.pop(self.url, None)
        self._end()


_open: dict[str, Tunnel] = {}  # by address


def open_tunnel(port: int, service: str, public: bool | str = True) -> Tunnel | None:
    """Open a tunnel to a port of this machine, print its public address, and return it.

    Where none can be opened, say what to get if the token or the program is missing, else warn
    with the reason. In Colab the page is then shown through Colab's own proxy.
    """
    tunnel = (_start_cloudflared if public == "cloudflared" else _start_ngrok)(port, service)
    if tunnel:
        print(f"Public at {tunnel.url} - server.stop() closes the tunnel.")
    elif in_colab():
        from google.colab import output

        print("Here is the page through Colab's own proxy; only this browser can see it.")
        output.serve_kernel_port_as_iframe(port)
    return tunnel


def _find_token() -> str:
    """Return the account's token from the environment, else from Colab's Secrets.

    Where it is in neither, print why and the steps to one, and return an empty text.
    """
    token = os.environ.get(TOKEN_NAME, "").strip()
    reason = f"the environment variable {TOKEN_NAME} is not set."
    if in_colab() and not token:
        from google.colab import userdata

        reason = f"the secret {TOKEN_NAME} is not set."
        try:
            token = str(userdata.get(TOKEN_NAME) or "").strip()
        except Exception as error:  # Colab's error classes are not published; its messages say why
            reason = f"{error} ({type(error).__name__})"
    if not token:
        print(f"No public address: {reason}\n{STEPS}")
    return token


def _start_cloudflared(port: int, service: str) -> Tunnel | None:
    """Open a tunnel to a port of this machine by Cloudflare's program."""
    program = shutil.which("cloudflared")
    if program is None:
        print(NO_CLOUDFLARED)
        return None
    command = [program, "tunnel", "--no-autoupdate", "--url", f"http://{LOOPBACK}:{port}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
    connected: Future[str] = Future()
    _call_in_thread(lambda: _read_log(process, connected))
    try:
        return Tunnel(connected.result(TIMEOUT_S), service, process.kill)
    except OSError as error:  # TimeoutError is one
        process.kill()  # told to end, it would wait for requests that are under way
        reason = str(error) or f"no connection within {TIMEOUT_S:.0f} s (is port 7844 blocked?)"
        advice = "Check that this machine reaches the internet"
        _warn(f"cloudflared could not open a tunnel: {reason}. {advice}", port)
        return None


def _read_log(process: "subprocess.Popen[str]", connected: "Future[str]") -> None:
    """Read cloudflared's log to its end, since a full pipe would stop it, and set the address."""
    address = line = ""
    with process:
        for line in process.stderr or ():
            if found := CLOUDFLARE_URL.search(line):
                address = found[1]
            if " Registered tunnel connection" in line and not connected.done():
                connected.set_result(address)
    if not connected.done():
        connected.set_exception(ConnectionError(line.strip()))


def _start_ngrok(port: int, service: str) -> Tunnel | None:
    """Open a tunnel to a port of this machine by ngrok's SDK.

    Where none was opened, warn with the reason, which does not contain the token.
    """
    token = _find_token()
    if not token:
        return None
    import ngrok

    opening = _call_in_thread(lambda: ngrok.forward(f"{LOOPBACK}:{port}", authtoken=token))
    try:
        error = opening.exception(TIMEOUT_S)
    except TimeoutError:
        opening.add_done_callback(_close_late)
        error = TimeoutError(f"ngrok's servers did not answer within {TIMEOUT_S:.0f} s")
    if not error:
        listener = opening.result()
        tunnel = Tunnel(str(listener.url()), service, lambda: _close(listener))
        if _open.setdefault(tunnel.url, tunnel) is tunnel:
            return tunnel
        _close(listener)
        error = ValueError(f"{tunnel.url} already leads to another service")
    reason = ": ".join(str(part) for part in error.args) or repr(error)
    reason = reason.replace(token, "(your token)")  # ngrok repeats a token that it refuses
    held = "".join(f" ({tunnel.service} has {tunnel.url}: stop it)" for tunnel in _open.values())
    _warn(
        f"ngrok could not open a tunnel: {reason}. Check that this machine reaches the internet, "
        f"that {TOKEN_NAME} holds your own token, that no other tunnel of your account is open"
        f"{held} and that it may still be used (a free one has one address, 20,000 requests and "
        "1 GB a month)",
        port,
    )
    return None


def _warn(text: str, port: int) -> None:
    warnings.warn(
        f"{text}; then run this cell again. The service itself runs: http://{LOOPBACK}:{port}",
        stacklevel=6,  # the line of the cell, which called launch
    )


def _close(listener: Any) -> None:
    """Close this one of the SDK's listeners: a call that needs an event loop; raises nothing."""

    async def close() -> None:
        if inspect.isawaitable(closing := listener.close()):
            await closing

    concurrent.futures.wait([_call_in_thread(lambda: asyncio.run(close()))], TIMEOUT_S)


def _close_late(opening: "Future[Any]") -> None:
    """Close a tunnel that has opened after the time limit: nobody was told its address."""
    if not opening.exception():
        _close(opening.result())


def _call_in_thread(function: Callable[[], Any]) -> "Future[Any]":
    """Call the function in a thread without an event loop.

    In a thread with one, such as a notebook's main thread, the SDK returns a task to await.
    """
    outcome: Future[Any] = Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # a panic in the SDK's native code is no Exception
            outcome.set_exception(error)

    # Unlike a pool's threads, a daemon does not keep Python from ending while ngrok is silent.
    threading.Thread(target=work, name="ngrok", daemon=True).start()
    return outcome
