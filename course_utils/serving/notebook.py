"""Run any WSGI app behind a notebook cell: ``server = launch(app)`` returns at once.

The app answers from a thread of its own while the cells below go on. Launching it again replaces
the server of before, so a cell may be run any number of times. Knows nothing of the services.
"""

import atexit
import contextlib
import html
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from course_utils.environment import in_colab
from course_utils.serving import ngrok_agent, tunnels

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Flask

HOST = "127.0.0.1"  # nobody outside this machine, unless through a tunnel
PORT = 5000  # what Flask's readers expect


class _QuietHandler(WSGIRequestHandler):
    """Handles requests without a line for each, which would fill the notebook's cell."""

    timeout = 30  # seconds; a client that sends nothing may not hold a thread for ever

    def log(self, *_: Any) -> None:
        pass


class Server:
    """A running app; `launch` makes it.

    It is a context manager (leaving it stops the server) and shows as a link in a notebook.
    """

    def __init__(self, app: "WSGIApplication", name: str, listener: socket.socket):
        """Serve ``app`` on ``listener``, a listening socket, which the server takes over."""
        self.name = name
        with listener:  # werkzeug duplicates it; given a port alone it ends Python where that fails
            self._wsgi = make_server(
                HOST, 0, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self.port = self._wsgi.port
        self._lock = threading.Lock()
        self._running = True
        self._tunnel: tunnels.Tunnel | None = None
        self._thread = threading.Thread(
            target=self._wsgi.serve_forever,
            args=(0.05,),  # seconds that stop() may have to wait
            name=f"serving {name}",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the app answers on this machine."""
        return f"http://{HOST}:{self.port}"

    @property
    def public_url(self) -> str | None:
        """Where it answers on the internet, if a tunnel is open."""
        return self._tunnel.public_url if self._tunnel else None

    def stop(self) -> None:
        """Close the tunnel and the port and end the thread; a second call does nothing."""
        _forget(self)
        with self._lock:
            if not self._running:
                return
            self._running = False
            self._close_tunnel()
            self._wsgi.shutdown()
            self._thread.join()

    def show(self, path: str = "/", *, height: int = 600) -> None:
        """Show a page of the app below the cell; it is alive as long as the server runs.

        Args:
            path: the page's path.
            height: of its frame, in pixels.
        """
        if in_colab():  # the browser is on another machine: Colab's proxy leads to this one
            from google.colab import output

            output.serve_kernel_port_as_iframe(self.port, path, height=str(height))
            return
        from IPython.display import display

        url = html.escape(self.url + path)
        frame = (
            f'<iframe src="{url}" title="{html.escape(self.name)}" width="100%" '
            f'height="{height}" style="border: 1px solid #8888; border-radius: 8px"></iframe>'
        )
        # Where a notebook is only read, its frames are left out, and the link remains.
        link = f'<div>{frame}<a href="{url}" target="_blank">{url}</a></div>'
        page = {"text/html": link, "text/plain": self.url + path}
        display(page, raw=True)  # type: ignore[no-untyped-call]

    def _publish(self, tunnel: tunnels.Tunnel | None) -> None:
        with self._lock:
            self._tunnel = tunnel
            if not self._running:  # stopped while the tunnel was being opened
                self._close_tunnel()

    def _close_tunnel(self) -> None:
        tunnel, self._tunnel = self._tunnel, None
        if tunnel:
            tunnel.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self.name}: {self.url if self._running else 'stopped'}>"

    def _repr_html_(self) -> str:
        if not self._running:
            return html.escape(f"{self.name}: stopped")
        url = html.escape(self.public_url or self.url)
        return f'{html.escape(self.name)}: <a href="{url}" target="_blank">{url}</a>'


_servers: dict[tuple[str, int], Server] = {}  # by name and wished port
_servers_lock = threading.RLock()


def launch(app: "WSGIApplication", *, port: int | None = None, public: bool = False) -> Server:
    """Serve ``app`` in the background and print where.

    An app of the same name (the last part of ``app.name``) launched before with the same ``port``
    is stopped first, and the new one gets its port.

    Args:
        app: a Flask app or any other WSGI callable.
        port: the wished port, by default 5000; a free one where another program or app has it.
        public: also open a tunnel from the internet, by the first way that works (see
            `tunnels.open_tunnel`). Where none does, it says why; the app is served all the same.

    Raises:
        ValueError: ``port`` is not a port.
        OSError: this machine has no free port.
    """
    server = _serve(app, port)
    if public:
        server._publish(tunnels.offer(server.port, tunnels.open_tunnel))
    return server


def run_with_ngrok(app: "Flask") -> None:
    """Make ``app.run()`` serve in the background and open a tunnel, as flask-ngrok does.

    The signature is flask-ngrok's own, and its code opens the tunnel and prints the address.
    ``app.run()`` returns the `Server` and does not wait; a script has to stay alive on its own.
    Host and debug are ignored: what a tunnel makes public must not offer a debugger.
    """

    def run(host: str | None = None, port: int | None = None, *_: Any, **__: Any) -> Server:
        server = _serve(app, port)
        server._publish(tunnels.offer(server.port, ngrok_agent.through_flask_ngrok))
        return server

    app.run = run  # type: ignore[method-assign, assignment]


def _serve(app: "WSGIApplication", port: int | None) -> Server:
    wished = PORT if port is None else port
    if not 0 <= wished <= 65535:
        raise ValueError(f"port {wished}: ports are numbers from 1 to 65535 (0 takes any free one)")
    name = _name(app)
    with _servers_lock:
        old = _servers.get((name, wished))
        if old:
            old.stop()
        listener = _listen([old.port, wished] if old else [wished])
        server = _servers[name, wished] = Server(app, name, listener)
    busy = "" if wished in (0, server.port) else f" (port {wished} is taken)"
    print(f"Serving {name} at {server.url}{busy} - server.stop() ends it.")
    return server


def _name(app: "WSGIApplication") -> str:
    name = str(getattr(app, "name", None) or getattr(app, "__name__", "app"))
    return "app" if name == "__main__" else name.rpartition(".")[2]


def _listen(wishes: list[int]) -> socket.socket:
    """A listening socket on the first port of ``wishes`` that is free, else on any."""
    for port in filter(None, wishes):
        with contextlib.suppress(OSError):
            # A Mac would let us bind beside AirPlay, which listens on all addresses.
            if os.name == "nt" or not _answers(port):
                return socket.create_server((HOST, port), backlog=128)
    return socket.create_server((HOST, 0), backlog=128)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _forget(server: Server) -> None:
    with _servers_lock:
        for key, value in list(_servers.items()):
            if value is server:
                del _servers[key]


def _stop_all() -> None:
    for server in list(_servers.values()):
        with contextlib.suppress(Exception):  # Python is ending; nobody is left to tell
            server.stop()


atexit.register(_stop_all)
