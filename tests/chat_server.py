"""A chat-completions server that behaves as a test wants, one request after the other or at once."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """What the server does with one request."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    disconnect: bool = False


def says(
    text: str, likely: dict[str, float] | None = None, usage: bool = True, **choice: Any
) -> Act:
    """A chat completion.

    Args:
        likely: first tokens and their log-probabilities; None: the server gives none.
    """
    tops = [{"token": token, "logprob": log} for token, log in (likely or {}).items()]
    one = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | choice
    if likely:
        one["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
    body: Body = {"choices": [one]}
    if usage:
        body["usage"] = {"prompt_tokens": 50, "completion_tokens": 2}
    return Act(body=body)


@dataclass
class Server:
    """A running server and what it was sent."""

    url: str
    act: Callable[[Body, int], Act]
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def comments(self) -> list[str]:
        """The comment of each request."""
        return [
            body["messages"][-1]["content"].removeprefix("Comment: ").removesuffix("\nAnswer:")
            for body in self.requests
        ]


@contextmanager
def serve(act: Callable[[Body, int], Act]) -> Iterator[Server]:
    """Answer requests by `act`, which gets a request's body and its number from 0."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a small answer waits 40 ms for an acknowledgement

        def log_message(self, *arguments: Any) -> None: ...

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.requests)
                server.requests.append(body)
                server.headers.append(dict(self.headers))
            self._answer(server.act(body, number))

        def _answer(self, one: Act) -> None:
            stopped.wait(one.stall_s)
            if one.disconnect or stopped.is_set():
                self.close_connection = True
                return
            content = one.body if isinstance(one.body, bytes) else json.dumps(one.body).encode()
            self.send_response(one.status)
            for name, value in {"Content-Length": str(len(content)), **one.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None: ...

    stopped = threading.Event()
    listening = Quiet(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{listening.server_port}/v1", act)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stopped.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


def by_word(body: Body, number: int) -> Act:
    """Finds a comment with `idiot` toxic, with log-probabilities."""
    toxic = "idiot" in body["messages"][-1]["content"]
    likely, other = ("True", "False") if toxic else ("False", "True")
    return says(likely, {likely: -0.1, other: -2.5, "The": -6.0})
