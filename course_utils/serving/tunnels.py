"""Give a service on this machine an address on the internet, by the first way that works.

All ways lead through ngrok: its official SDK, or an agent of it that already runs here (for
flask-ngrok see `ngrok_agent`). None of them ever shows the account's token.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import requests

from course_utils.environment import in_colab

TOKEN = "NGROK_AUTHTOKEN"  # the environment variable, and the Colab secret
# The agent's local API (https://ngrok.com/docs/agent/api): its port is fixed, as is its form.
AGENT = ("127.0.0.1", 4040)
JSON = "application/json"
PATIENCE = 30.0  # seconds; on a network that drops packets the SDK alone would wait for ever
STEPS = f"""To get an address that others can open, in three steps:
  1. Make a free account at https://ngrok.com.
  2. Copy your authtoken from https://dashboard.ngrok.com/get-started/your-authtoken.
  3. Put it into the environment variable {TOKEN}, or in Colab into the Secrets (the key on the
     left) under that name with notebook access switched on. Then run this cell again."""


class TunnelError(Exception):
    """No tunnel could be opened; the text says why and what to do."""


class NoToken(TunnelError):
    """There is no ngrok token to open a tunnel with; the text says where it was looked for."""


@dataclass
class Tunnel:
    """An open tunnel; ``close`` ends it and raises nothing."""

    public_url: str
    way: str  # for people: what opened it
    close: Callable[[], None]


def offer(port: int, opener: Callable[[int], Tunnel]) -> Tunnel | None:
    """Open a tunnel to ``port`` with ``opener`` and print where it is and which way worked.

    Where there is none, say why: print the steps to a token if that is what is missing, else
    warn. In Colab the page is then shown through Colab's own proxy.
    """
    try:
        tunnel = opener(port)
    except NoToken as missing:
        print(f"No public address: {missing}\n{STEPS}")
    except TunnelError as error:
        # The line to blame is in the cell: it called launch, which called this.
        warnings.warn(f"{error} The service itself runs: http://127.0.0.1:{port}", stacklevel=3)
    else:
        print(f"Public at {tunnel.public_url} - opened by {tunnel.way}.")
        return tunnel
    if in_colab():
        from google.colab import output

        print("Here is the page through Colab's own proxy; only this browser can see it.")
        output.serve_kernel_port_as_iframe(port)
    return None


def open_tunnel(port: int) -> Tunnel:
    """The official SDK, if there is a token; else (or if it fails) an agent that runs here.

    Raises:
        NoToken: there is neither a token nor an agent.
        TunnelError: it did not work.
    """
    try:
        return through_sdk(port, find_token())
    except TunnelError:
        if agent_tunnels() is None:
            raise
    return through_agent(port)


def find_token() -> str:
    """The account's token from the environment, else from Colab's Secrets.

    Raises:
        NoToken: it is in neither.
    """
    token = os.environ.get(TOKEN, "").strip()
    if token:
        return token
    if not in_colab():
        raise NoToken(f"the environment variable {TOKEN} is not set.")
    from google.colab import userdata

    try:
        token = str(userdata.get(TOKEN) or "").strip()
    except Exception as error:  # its classes are known by name only: Colab is not on PyPI
        reasons = {
            "SecretNotFoundError": f"Colab's Secrets hold no {TOKEN}.",
            "NotebookAccessError": f"this notebook may not read the secret {TOKEN}: "
            "switch on its notebook access.",
            "TimeoutException": f"Colab did not answer when asked for the secret {TOKEN}: "
            "run this cell again in an open Colab page.",
        }
        kind = type(error).__name__
        raise NoToken(reasons.get(kind, f"Colab's Secrets cannot be read ({kind}).")) from None
    if not token:
        raise NoToken(f"the secret {TOKEN} in Colab's Secrets is empty.")
    return token


def through_sdk(port: int, token: str) -> Tunnel:
    """A tunnel opened by the official SDK in this process.

    Raises:
        TunnelError: it did not work; the text holds no token.
    """

    def connect() -> str:
        import ngrok

        return ngrok.forward(f"127.0.0.1:{port}", authtoken=token).url()

    def disconnect(url: str) -> None:
        import ngrok

        ngrok.disconnect(url)

    def close() -> None:
        with contextlib.suppress(Exception):
            _in_thread(lambda: disconnect(url)).exception(PATIENCE)

    def close_late(done: "Future[str]") -> None:
        if not done.exception():
            disconnect(done.result())

    opening = _in_thread(connect)
    try:
        error = opening.exception(PATIENCE)
    except TimeoutError:
        opening.add_done_callback(close_late)  # nobody was told its address
        error = TimeoutError(f"ngrok's servers did not answer within {PATIENCE:.0f} s")
    if error:
        reason = redact(": ".join(str(part) for part in error.args) or repr(error), token)
        raise TunnelError(
            f"ngrok could not open a tunnel: {reason}. Check that this machine reaches the "
            f"internet, that {TOKEN} holds your own token and that no other tunnel of your "
            "account is open (a free one has one address); then run this cell again."
        )
    url = opening.result()
    return Tunnel(url, "the ngrok SDK", close)


def _in_thread(call: Callable[[], Any]) -> "Future[Any]":
    """The outcome of ``call`` in a thread without an event loop.

    In a thread with one, as a notebook's main thread, the SDK hands out a task instead.
    """
    outcome: Future[Any] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # a panic in the SDK's native part is no Exception
            outcome.set_exception(error)

    threading.Thread(target=work, name="ngrok", daemon=True).start()
    return outcome


def redact(text: str, token: str) -> str:
    """``text`` without the token: ngrok repeats a refused one in its message."""
    return text.replace(token, "(your token)") if token else text


def local_api(method: str, path: str, **options: Any) -> requests.Response:
    """What the agent on this machine answers; ``options`` are those of requests.

    Raises:
        requests.RequestException: nobody answers.
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and this machine
        return session.request(method, f"http://{AGENT[0]}:{AGENT[1]}{path}", **options)


def agent_tunnels() -> list[Any] | None:
    """The tunnels of the agent on this machine; None where no agent answers."""
    try:
        tunnels = local_api("GET", "/api/tunnels", timeout=2).json()["tunnels"]
    except (requests.RequestException, LookupError, TypeError):
        return None
    return tunnels if isinstance(tunnels, list) else None


def through_agent(port: int) -> Tunnel:
    """A tunnel opened by the agent that runs on this machine, through its documented API.

    Raises:
        TunnelError: it opened none.
    """
    name = f"course-{os.getpid()}-{port}"
    wish = {"name": name, "addr": f"127.0.0.1:{port}", "proto": "http"}

    def close() -> None:
        with contextlib.suppress(requests.RequestException):
            local_api("DELETE", f"/api/tunnels/{name}", timeout=10)

    try:
        answer = local_api("POST", "/api/tunnels", json=wish, timeout=PATIENCE)
        if answer.status_code != 201:
            said = answer.text[:300] if answer.headers.get("Content-Type") == JSON else ""
            raise ValueError(f"it answered {answer.status_code}: {said or answer.reason}")
        url = str(answer.json()["public_url"])
    except (requests.RequestException, ValueError, LookupError, TypeError) as error:
        raise TunnelError(
            f"the ngrok agent on this machine opened no tunnel: {error}. Look at its own window "
            "or log, or stop it; then run this cell again."
        ) from None
    return Tunnel(url, "the ngrok agent that runs on this machine", close)
