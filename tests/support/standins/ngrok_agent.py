#!/usr/bin/env python3
"""A stand-in for the ngrok agent: its documented local API, and tunnels that really forward.

It is not ngrok and reaches no network: a "public" address is another port of this machine, from
which each request is forwarded to the service. As a command, ``ngrok_agent.py http 5000``, it
behaves as ``ngrok http 5000`` does: one tunnel, listed on port 4040. Standard library only, so any
Python runs it. One at a time: port 4040 is where every client looks.

API: https://ngrok.com/docs/agent/api
"""

# ruff: noqa: N815 (http.server looks for do_GET and the like)

import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, content, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(content)


class Forwarder:
    """A port of this machine whose requests all go to ``addr`` (a port, or host:port)."""

    def __init__(self, addr):
        host, _, port = str(addr).rpartition("://")[2].rpartition(":")

        class Forward(Quiet):
            def forward(self):
                upstream = http.client.HTTPConnection(host or "127.0.0.1", int(port), timeout=10)
                try:
                    upstream.request(self.command, self.path, self.body(), dict(self.headers))
                    answer = upstream.getresponse()
                    kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
                    self.reply(answer.status, answer.read(), kept)
                except OSError:
                    self.reply(502, b"ERR_NGROK_8012: nobody answers at the service's address")
                finally:
                    upstream.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = forward

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.daemon = True
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Agent:
    """The agent's API on port 4040; a context manager.

    ``failure`` is what it answers to every wish for a tunnel, if it is set.
    """

    def __init__(self):
        self.tunnels = {}  # by name: (Forwarder, its description)
        self.failure = None

    def open(self, name, addr):
        forwarder = Forwarder(addr)
        described = {
            "name": name,
            "uri": f"/api/tunnels/{name}",
            "public_url": forwarder.url,
            "proto": "http",
            "config": {"addr": str(addr), "inspect": True},
            "metrics": {"conns": {"count": 0}, "http": {"count": 0}},
        }
        self.tunnels[name] = (forwarder, described)
        return described

    def answer(self, method, path, body):
        """Status and JSON for one request to the API."""
        name = path.removeprefix("/api/tunnels").strip("/")
        if not path.startswith("/api/tunnels"):
            return 404, failed(404, "no such resource")
        if method == "POST" and not name:
            wish = json.loads(body)
            if self.failure:
                return 502, failed(502, self.failure)
            if not {"name", "addr", "proto"} <= wish.keys() or wish["name"] in self.tunnels:
                return 400, failed(400, "The tunnel configuration is invalid.")
            return 201, self.open(wish["name"], wish["addr"])
        if method == "GET" and not name:
            listed = [described for _, described in self.tunnels.values()]
            return 200, {"tunnels": listed, "uri": "/api/tunnels"}
        if name not in self.tunnels:
            return 404, failed(404, f"tunnel {name} not found")
        if method == "DELETE":
            self.tunnels.pop(name)[0].close()
            return 204, {}
        return 200, self.tunnels[name][1]

    def __enter__(self):
        agent = self

        class Api(Quiet):
            def api(self):
                status, document = agent.answer(self.command, self.path, self.body())
                content = json.dumps(document).encode()
                self.reply(status, content, [("Content-Type", "application/json")])

            do_GET = do_POST = do_DELETE = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 4040), Api)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.daemon = True
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for forwarder, _described in self.tunnels.values():
            forwarder.close()


def failed(status, message):
    return {"error_code": 102, "status_code": status, "msg": message}


if __name__ == "__main__":
    if sys.argv[1:2] != ["http"]:
        raise SystemExit("this stand-in knows only: ngrok http PORT")
    with Agent() as command_line:
        command_line.open("command_line", f"localhost:{sys.argv[2]}")
        threading.Event().wait()
