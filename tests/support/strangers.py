"""What answers in a service's place: a proxy, a tunnel's warning page, another program."""

from typing import Any

from werkzeug.wrappers import Request, Response

SKIP_WARNING = "ngrok-skip-browser-warning"
PAGE = "<!doctype html><h1>{}</h1>"


def page(heading: str, status: int) -> Response:
    return Response(PAGE.format(heading), status, content_type="text/html; charset=utf-8")


def json(body: str, status: int = 200, content_type: str = "application/json") -> Response:
    return Response(body, status, content_type=content_type)


WARNING = page("You are about to visit a tunnel", 200)
ELSEWHERE = Response("", 302, {"Location": "/login"})
NO_REACH, OTHER = "proxy or tunnel that does not reach it", "another program on its port"
OTHER_VALUES = '{"pred": [1], "prediction": "cat", "probabilities": ["7"], "ask": 1}'
OUT_OF_RANGE = """{"pred": [{"name": "cat", "prob": 9}], "prediction": {"cat": 5, "dog": 0},
"digit": "77", "probabilities": [5, 0, 0, 0, 0, 0, 0, 0, 0, 0]}"""
PROBLEM = "application/problem+json"
NO_PATH = '{"detail": "The method is not allowed.", "errors": []}'
#: What answers, and what a message has to call it.
STRANGERS = {
    "login": (page("Please log in", 200), "login page of a proxy"),
    "redirect": (ELSEWHERE, "proxy that sends requests elsewhere"),
    "forbidden": (page("Forbidden", 403), "proxy that refuses the request"),
    "wants a login": (page("Unauthorized", 401), "login page of a proxy"),
    "network's login": (json('{"login": "/"}', 511), "login page of a proxy"),
    "not modified": (Response("", 304), "proxy that sends requests elsewhere"),
    "too large": (page("Too Large", 413), "proxy that rejects requests of this size"),
    "too often": (page("Too Many Requests", 429), "Wait a minute"),
    "other error": (page("Internal Server Error", 500), NO_REACH),
    "gateway": (Response("upstream is down", 502), NO_REACH),
    "no such file": (page("File not found", 404), OTHER),
    "empty": (Response("", 200), OTHER),
    "text": (Response("It works!", 200), OTHER),
    "cut off": (json('{"pred": [{"na'), OTHER),
    "null": (json("null"), OTHER),
    "list": (json('["cat"]'), OTHER),
    "other JSON": (json('{"status": "UP"}'), OTHER),
    "other values": (json(OTHER_VALUES), OTHER),
    "values out of range": (json(OUT_OF_RANGE), OTHER),
    "no numbers": (json('{"prediction": {"cat": NaN, "dog": 1}}'), OTHER),
    "one number": (json('{"prediction": {"cat": 1}}'), OTHER),
    "not numbers": (json('{"prediction": {"cat": "0.9", "dog": "0.1"}}'), OTHER),
    "nested": (json("[" * 60_000), OTHER),
    "not decodable": (Response(PAGE, headers={"Content-Encoding": "gzip"}), OTHER),
    "refusal without a reason": (json('{"detail": "", "errors": []}', 400, PROBLEM), OTHER),
    "refusal without a list": (json('{"detail": "Bad.", "status": 400}', 400, PROBLEM), OTHER),
    "other refusal": (json('{"detail": ["bad"], "errors": [null]}', 422), OTHER),
    "another of our services": (json(NO_PATH, 405, PROBLEM), OTHER),
}


class Proxy:
    """Stands before a service; ``stranger`` answers in its place what is sent to ``paths``.

    Without a stranger it passes requests on as a free tunnel of ngrok does: a page that warns of
    the tunnel answers to those without the header. What is sent to other paths is passed on.
    """

    def __init__(self, service: Any, *paths: str) -> None:
        self.service, self.paths = service, paths
        self.stranger: Response | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        answer = self.service
        if request.path in self.paths and self.stranger:
            request.get_data(cache=False)  # or the connection breaks before the answer is read
            answer = self.stranger
        elif request.path in self.paths and not skips_warning(request):
            answer = WARNING
        return answer(environ, start_response)


def skips_warning(request: Request) -> bool:
    """Whether it has the header, or is a browser's question whether one with it may be sent."""
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return SKIP_WARNING in request.headers or SKIP_WARNING in asked
