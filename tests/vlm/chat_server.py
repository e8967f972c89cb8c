"""A small HTTP server that speaks the chat completions protocol and misbehaves on demand."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One reply. ``text`` is the assistant's; ``body`` replaces the whole payload; ``cut`` closes the connection in the middle of it."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    delay_s: float = 0.0
    cut: bool = False


def asked_text(body: dict[str, Any]) -> str:
    """All text of a request's messages."""
    texts = []
    for message in body["messages"]:
        content = message["content"]
        texts += [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]
    return "\n".join(texts)


def obedient(body: dict[str, Any], number: int) -> Reply:
    """What a good model would answer: colours for the test pictures, else texts that make the claims which were given."""
    text = asked_text(body)
    if "Which colour" in text:
        image = next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url")
        return Reply("red" if image == RED else "blue")
    claims = json.loads(re.search(r"(?:singles_out: |no object here satisfies:\n)(\[.*\])", text)[1])  # type: ignore[index]
    styles = re.search(r"Styles, one text each: (.*)", text)[1].split(", ")  # type: ignore[index]
    said = " ".join(str(claim["value"]).replace(":", " ").replace("_", " ") for claim in claims)
    fields = ("kind", "value", "other", "number")
    full = [{name: claim.get(name) for name in fields} for claim in claims if claim["kind"] != "label"]
    queries = [{"text": f"the {said} thing, wording {place}", "style": style, "claims": full} for place, style in enumerate(styles)]
    return Reply(json.dumps({"queries": queries}))


class ChatServer:
    """Serves on a free loopback port within a ``with``. ``script(body, number)`` decides each reply; requests are kept."""

    def __init__(self, script: Callable[[dict[str, Any], int], Reply] = obedient) -> None:
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.times: list[float] = []
        self.answered: list[str] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> ChatServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                server._serve(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Base address of the protocol."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.loads(raw)
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(handler.headers.get("Authorization", ""))
            self.times.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            reply = self.script(body, number)
            time.sleep(reply.delay_s)
            self._send(handler, reply, body)
            if reply.status == 200 and not reply.cut:
                with self._lock:
                    self.answered.append(json.dumps(body["messages"], sort_keys=True))
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            with self._lock:
                self._now -= 1

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply, body: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": None if reply.refusal else reply.text, "refusal": reply.refusal}
        payload = reply.body if reply.body is not None else json.dumps(
            {
                "id": "x", "object": "chat.completion", "created": 0, "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        )  # fmt: skip
        data = payload.encode()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if reply.cut else data)
        handler.wfile.flush()
        if reply.cut:
            handler.close_connection = True


def _data_uri(rgb: tuple[int, int, int]) -> str:
    import base64

    from stages.vlm.sight import _filled

    return "data:image/png;base64," + base64.b64encode(_filled(rgb)).decode()


RED = _data_uri((200, 20, 20))
