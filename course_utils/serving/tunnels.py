"""Give a service on this machine a public address: a tunnel through ngrok's official SDK.

No message shows the account's token.
"""

import asyncio
import concurrent.futures
import inspect
import os
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


@dataclass(frozen=True)
class Tunnel:
    """An open tunnel; it is closed by the SDK's handle, since two may have one address."""

    url: str
    service: str
    _listener: Any

    def close(self) -> None:
        """End it; raises nothing."""
        _open.pop(self.url, None)
        _close(self._listener)


_open: dict[str, Tunnel] = {}  # by address


def open_tunnel(port: int, service: str) -> Tunnel | None:
    """Open a tunnel to a port of this machine, print its public address, and return it.

    Where none can be opened, print the steps to a token if that is what is missing, else warn
    with the reason. In Colab the page is then shown through Colab's own proxy.
    """
    token = _find_token()
    tunnel = _connect(port, service, token) if token else None
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


def _connect(port: int, service: str, token: str) -> Tunnel | None:
    """Open a tunnel to a port of this machine.

    Where none was opened, warn with the reason, which does not contain the token.
    """
    import ngrok

    opening = _call_in_thread(lambda: ngrok.forward(f"{LOOPBACK}:{port}", authtoken=token))
    try:
        error = opening.exception(TIMEOUT_S)
    except TimeoutError:
        opening.add_done_callback(_close_late)
        error = TimeoutError(f"ngrok's servers did not answer within {TIMEOUT_S:.0f} s")
    if not error:
        tunnel = Tunnel(str(opening.result().url()), service, opening.result())
        if _open.setdefault(tunnel.url, tunnel) is tunnel:
            return tunnel
        _close(opening.result())
        error = ValueError(f"{tunnel.url} already leads to another service")
    reason = ": ".join(str(part) for part in error.args) or repr(error)
    reason = reason.replace(token, "(your token)")  # ngrok repeats a token that it refuses
    held = "; ".join(f"{tunnel.service} has {tunnel.url}" for tunnel in _open.values())
    one_address = ("already leads to another", "ERR_NGROK_334", "ERR_NGROK_108")
    advice = (
        f"A free account has one address, and {held}: stop that server first"
        if held and any(each in reason for each in one_address)
        else f"Check that this machine reaches the internet, that {TOKEN_NAME} holds your own "
        "token and that no other tunnel of your account is open (a free one has one address)"
    )
    warnings.warn(
        f"ngrok could not open a tunnel: {reason}. {advice}; then run this cell again. The service "
        f"itself runs: http://{LOOPBACK}:{port}",
        stacklevel=5,  # the line of the cell, which called launch
    )
    return None


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
