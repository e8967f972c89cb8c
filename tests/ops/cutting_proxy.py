"""A TCP proxy on the loopback that cuts every connection after so many bytes, as a network does in the middle of a transfer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

CHUNK_BYTES = 16384


class CuttingProxy:
    """Forwards to `endpoint` until `limit_bytes` have gone to the server or (`down`) come from it; then the line is dead.

    `limit_bytes=None` only counts: `connections`, `passed_bytes` and `parts` (of multipart uploads) say what a client did.
    """

    def __init__(self, endpoint: str, limit_bytes: int | None, down: bool = False) -> None:
        parts = urlsplit(endpoint)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._limit_bytes, self._down = limit_bytes, down
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.passed_bytes, self.connections, self.parts, self.is_cut_by_itself = 0, 0, 0, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:  # closed: the proxy is cut, or the server is gone
                return
            with self._lock:
                self.connections += 1
                self._open |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, not self._down), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._down), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                sink.sendall(data)
                if counts and self._is_over(data):
                    self.is_cut_by_itself = True
                    self._cut()
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one end is gone; the other learns it by its own socket
            return

    def wait_for_bytes(self, n_bytes: int, timeout_s: float = 120) -> None:
        """Return when so many have passed; TimeoutError otherwise."""
        end = time.monotonic() + timeout_s
        while self.passed_bytes < n_bytes:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.passed_bytes} bytes passed within {timeout_s} s, expected {n_bytes}")
            time.sleep(0.01)

    def _is_over(self, data: bytes) -> bool:
        with self._lock:
            self.passed_bytes += len(data)
            self.parts += data.startswith(b"PUT ") and b"partNumber=" in data.split(b"\r\n", 1)[0]
            return self._limit_bytes is not None and self.passed_bytes >= self._limit_bytes

    def _cut(self) -> None:
        with self._lock:
            ends = [self._listener, *self._open]
            self._open.clear()
        for end in ends:
            with contextlib.suppress(OSError):  # already shut by its other end
                end.shutdown(socket.SHUT_RDWR)
            end.close()
