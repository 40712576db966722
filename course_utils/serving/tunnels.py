"""Give a service on this machine a public address: a tunnel through ngrok's official SDK.

No message shows the account's token.
"""

import concurrent.futures
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
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


def open_tunnel(port: int) -> str | None:
    """Open a tunnel to a port of this machine; print and return its public address.

    Where none can be opened, print the steps to a token if that is what is missing, else warn
    with the reason. In Colab the page is then shown through Colab's own proxy.
    """
    token = _find_token()
    url = _connect(port, token) if token else None
    if url:
        print(f"Public at {url} - server.stop() closes the tunnel.")
    elif in_colab():
        from google.colab import output

        print("Here is the page through Colab's own proxy; only this browser can see it.")
        output.serve_kernel_port_as_iframe(port)
    return url


def close_tunnel(url: str) -> None:
    """End a tunnel; raises nothing."""
    concurrent.futures.wait([_call_in_thread(lambda: _disconnect(url))], TIMEOUT_S)


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


def _connect(port: int, token: str) -> str | None:
    """Open a tunnel to a port of this machine, and return its public address.

    Where none was opened, warn with the reason, which does not contain the token.
    """
    import ngrok

    opening = _call_in_thread(lambda: ngrok.forward(f"{LOOPBACK}:{port}", authtoken=token).url())
    try:
        error = opening.exception(TIMEOUT_S)
    except TimeoutError:
        opening.add_done_callback(_close_late)
        error = TimeoutError(f"ngrok's servers did not answer within {TIMEOUT_S:.0f} s")
    if not error:
        return str(opening.result())
    reason = ": ".join(str(part) for part in error.args) or repr(error)
    reason = reason.replace(token, "(your token)")  # ngrok repeats a token that it refuses
    warnings.warn(
        f"ngrok could not open a tunnel: {reason}. Check that this machine reaches the internet, "
        f"that {TOKEN_NAME} holds your own token and that no other tunnel of your account is open "
        "(a free one has one address); then run this cell again. The service itself runs: "
        f"http://{LOOPBACK}:{port}",
        stacklevel=4,  # the line of the cell, which called launch, which called open_tunnel
    )
    return None


def _disconnect(url: str) -> None:
    import ngrok

    ngrok.disconnect(url)


def _close_late(opening: "Future[str]") -> None:
    """Close a tunnel that has opened after the time limit: nobody was told its address."""
    if not opening.exception():
        _disconnect(opening.result())


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
