"""Run any WSGI app behind a notebook cell: ``server = launch(app)`` returns at once.

The app answers from a thread of its own while the cells below go on. Launching it again replaces
the server of before, so a cell may be run any number of times. Knows nothing of the services.
"""

import atexit
import contextlib
import html
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from course_utils.environment import in_colab
from course_utils.serving import tunnels
from course_utils.serving.ports import LOOPBACK, listen

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Flask

DEFAULT_PORT = 5000  # Flask's own


class _QuietHandler(WSGIRequestHandler):
    """Handles requests without a log line for each, which would fill the notebook's cell."""

    timeout = 30  # seconds; a client that sends nothing must not hold a thread for ever

    def log(self, *_: Any) -> None:
        pass


class Server(contextlib.AbstractContextManager["Server"]):
    """A running app; `launch` makes it.

    It is a context manager: leaving it stops the server.
    """

    def __init__(self, app: "WSGIApplication", name: str, listener: socket.socket):
        """Serve ``app`` on ``listener``, a listening socket, which the server takes over."""
        self.name = name
        with listener:  # werkzeug duplicates it; given a port alone it ends Python where that fails
            self._wsgi = make_server(
                LOOPBACK, 0, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self.port = self._wsgi.port
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
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def public_url(self) -> str | None:
        """Where it answers on the internet, if a tunnel is open."""
        return self._tunnel.url if self._tunnel else None

    def _publish(self, public: bool | str = True) -> None:
        """Open a tunnel from the internet, or say why that is not possible."""
        self._tunnel = tunnels.open_tunnel(self.port, self.name, public)

    def stop(self) -> None:
        """Close the tunnel and the port and end the thread; a second call does nothing."""
        for key, server in list(_servers.items()):
            if server is self:
                del _servers[key]
        tunnel, self._tunnel = self._tunnel, None
        if tunnel:
            tunnel.close()
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

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self.name}: {self.url if self._thread.is_alive() else 'stopped'}>"


_servers: dict[tuple[str, int], Server] = {}  # those running, by name and wished port


def launch(
    app: "WSGIApplication", *, port: int | None = None, public: bool | str = False
) -> Server:
    """Serve ``app`` in the background and print where.

    An app of the same name (the last part of ``app.name``) launched before with the same ``port``
    is stopped first, and the new one gets its port.

    Args:
        app: a Flask app or any other WSGI callable.
        port: the wished port, by default 5000; a free one where another program or app has it.
        public: also open a tunnel from the internet: True through ngrok, with an account's token;
            "cloudflared" through Cloudflare, with that program on the PATH and without an account.
            Where none can be opened, it says why, and the app is served all the same.

    Raises:
        OSError: this machine has no free port.
        OverflowError: ``port`` is not a port.
        ValueError: ``public`` is something else.
    """
    if public not in (True, False, "cloudflared"):
        raise ValueError(f'public is True (ngrok), "cloudflared" or False, not {public!r}.')
    wished = DEFAULT_PORT if port is None else port
    name = str(getattr(app, "name", None) or getattr(app, "__name__", "app"))
    name = "app" if name == "__main__" else name.rpartition(".")[2]
    old = _servers.get((name, wished))
    if old:
        old.stop()
    listener = listen([old.port, wished] if old else [wished])
    server = _servers[name, wished] = Server(app, name, listener)
    busy = "" if wished in (0, server.port) else f" (port {wished} is taken)"
    print(f"Serving {name} at {server.url}{busy} - server.stop() ends it.")
    if public:
        server._publish(public)
    return server


def run_with_ngrok(app: "Flask") -> None:
    """Make ``app.run()`` serve and open a tunnel; flask-ngrok's signature.

    The tunnel is opened through ngrok's official SDK. flask-ngrok itself downloads an agent that
    ngrok no longer accepts. In a notebook or Python's shell ``app.run()`` returns the `Server` at
    once; a script serves until Ctrl-C. Host and debug are ignored: what a tunnel makes public must
    not offer a debugger.
    """

    def run(host: str | None = None, port: int | None = None, *_: Any, **__: Any) -> Server:
        server = launch(app, port=port)
        server._publish()
        if not _is_interactive():
            print("Ctrl-C ends it.")
            with contextlib.suppress(KeyboardInterrupt), server:
                while server._thread.is_alive():
                    server._thread.join(1)  # on Windows, Ctrl-C does not interrupt a longer wait
        return server

    app.run = run  # type: ignore[method-assign, assignment]


def _is_interactive() -> bool:
    """Whether more is to be typed: in a notebook, in IPython, or in Python's own shell."""
    ipython = sys.modules.get("IPython")
    return bool((ipython and ipython.get_ipython()) or hasattr(sys, "ps1") or sys.flags.interactive)


@atexit.register
def _stop_all() -> None:
    for server in list(_servers.values()):
        with contextlib.suppress(Exception):  # Python is ending; nobody is left to tell
            server.stop()
