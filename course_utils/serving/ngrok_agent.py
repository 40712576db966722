"""flask-ngrok, which older notebooks call, with an agent that ngrok accepts today.

flask-ngrok starts an agent and reads its list of tunnels. The one it would download is refused by
ngrok, so it gets another here: an installed one, or this module as a command
(``python -m course_utils.serving.ngrok_agent http PORT``), which opens the tunnel through the
official SDK and lists it where agents do.
"""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from course_utils.serving import tunnels


def through_flask_ngrok(port: int) -> tunnels.Tunnel:
    """Let flask-ngrok's own ``start_ngrok`` open the tunnel, with an agent of today.

    The agent is the one on the PATH, else the one in the temp folder where flask-ngrok keeps it,
    else this module. Where one runs already, that one is asked: flask-ngrok would read its list.

    Raises:
        NoToken: there is neither an agent nor a token for this module's own.
        TunnelError: it did not work.
    """
    if tunnels.agent_tunnels() is not None:
        return tunnels.through_agent(port)
    found = _installed_agent()
    token = ""
    try:
        token = tunnels.find_token()
    except tunnels.NoToken:
        if not found:  # an installed agent may know the token from its own settings
            raise
    command = [found] if found else [sys.executable, "-P", "-m", "course_utils.serving.ngrok_agent"]
    agents: list[subprocess.Popen[bytes]] = []

    def start(_: list[str]) -> subprocess.Popen[bytes]:
        agents.append(_start_agent([*command, "http", str(port)], token))
        return agents[0]

    try:
        _flask_ngrok(start).start_ngrok()
        url = str((tunnels.agent_tunnels() or [])[0]["public_url"])
    except Exception as error:
        for agent in agents:
            _end(agent)
        old = f" If {found} is an old agent, which ngrok refuses, delete it." if found else ""
        raise tunnels.TunnelError(
            f"flask-ngrok opened no tunnel: {tunnels.redact(str(error), token)}{old}"
        ) from None
    way = f"flask-ngrok with {found or 'the ngrok SDK'}"
    return tunnels.Tunnel(url, way, lambda: _end(agents[0]))


def _flask_ngrok(start: Callable[[list[str]], Any]) -> ModuleType:
    """A copy of flask-ngrok of our own, with what no longer works in it replaced."""
    spec = importlib.util.find_spec("flask_ngrok")
    assert spec is not None  # it is a dependency
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(
        # it would fetch an agent that ngrok no longer accepts
        _download_ngrok=lambda folder: None,
        # 777 in decimal takes the right to run the file away from all but root
        os=SimpleNamespace(chmod=lambda path, mode: None),
        # it names port 5000, and the shared temp folder as the place of the agent
        subprocess=SimpleNamespace(Popen=start),
        # it would ask a proxy for this machine
        requests=SimpleNamespace(
            get=lambda url: tunnels.local_api("GET", "/api/tunnels", timeout=10)
        ),
    )
    return module


def _installed_agent() -> str | None:
    """The ngrok agent on the PATH, or one where flask-ngrok keeps its own, if that is safe."""
    name = "ngrok.exe" if os.name == "nt" else "ngrok"
    folder = Path(tempfile.gettempdir(), "ngrok")
    on_path, kept = shutil.which("ngrok"), folder / name
    try:
        if on_path or not kept.is_file():
            return on_path
        safe = os.name == "nt" or (_trusted(folder.lstat()) and _trusted(kept.stat()))
        if safe and not os.access(kept, os.X_OK):  # as flask-ngrok's own chmod leaves it
            kept.chmod(0o700)
    except OSError:
        safe = False
    if safe:
        return str(kept)
    warnings.warn(
        f"{kept} belongs to another user of this machine, or others may change it, so it is not "
        "run. Going on without it; an agent on the PATH would be used.",
        stacklevel=5,
    )
    return None


def _trusted(info: os.stat_result) -> bool:
    return info.st_uid in (0, os.getuid()) and not info.st_mode & stat.S_IWOTH


def _start_agent(command: list[str], token: str) -> "subprocess.Popen[bytes]":
    """Start an agent and wait until it lists a tunnel.

    Raises:
        OSError: it cannot be started.
        TunnelError: it lists none; the text is what it wrote last.
    """
    environment = os.environ | ({tunnels.TOKEN: token} if token else {})
    with tempfile.TemporaryFile() as log:
        agent = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,  # its end tells our own agent that Python has gone
            stdout=log,
            stderr=log,
            start_new_session=True,  # interrupting a cell must not end the tunnel
        )
        give_up = time.monotonic() + tunnels.PATIENCE
        while agent.poll() is None and time.monotonic() < give_up:
            if tunnels.agent_tunnels():
                return agent
            time.sleep(0.1)
        _end(agent)
        log.seek(0)
        said = log.read().decode(errors="replace").strip()[-500:]
    said = said or f"it listed none within {tunnels.PATIENCE:.0f} s; check the network."
    raise tunnels.TunnelError(said)


def _end(agent: "subprocess.Popen[bytes]") -> None:
    if agent.stdin:
        agent.stdin.close()
    agent.terminate()
    try:
        agent.wait(5)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()


def main(arguments: list[str]) -> None:
    """Be an agent: a tunnel to the port named last, listed on port 4040 until stdin ends.

    Raises:
        SystemExit: no tunnel, with the reason.
    """
    port = int(arguments[-1])
    try:
        tunnel = tunnels.through_sdk(port, tunnels.find_token())
    except tunnels.TunnelError as error:
        raise SystemExit(str(error)) from None
    entry = {
        "name": "command_line",
        "public_url": tunnel.public_url,
        "proto": "https",
        "config": {"addr": f"http://127.0.0.1:{port}", "inspect": False},
    }
    body = json.dumps({"tunnels": [entry], "uri": "/api/tunnels"}).encode()

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(tunnels.AGENT, Api)
    except OSError as error:
        tunnel.close()
        raise SystemExit(f"port {tunnels.AGENT[1]}, where agents answer: {error}") from None
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.buffer.read()
        server.shutdown()
    tunnel.close()


if __name__ == "__main__":
    main(sys.argv[1:])
