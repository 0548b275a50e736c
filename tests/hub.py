"""A web server of a test's own: a hub of model repositories, as that of Hugging Face answers, and plain files."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

COMMIT = "c0ffee" * 6 + "c0de"
_BLOCK = 1 << 16


class Hub:
    """Serves ``/OWNER/NAME/resolve/REVISION/FILE``, by way of another place as the real one does, and ``/FILE``.

    All from one folder. ``stop_after``: bytes of a file after which it sends no more, until ``go_on``, or
    closes the connection, once, if ``cut``. ``damage``: it sends zeros.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []  # file, range
        self.stop_after: int | None = None
        self.cut = self.damage = False
        self.go_on = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        *place, name = self.path.strip("/").split("/")
        path = self.hub.folder / name
        if not path.is_file():
            self.send_error(404)
        elif "resolve" in place:
            self.send_response(302)
            # Another host, as the real one's: what stays on its own, the client follows before it looks at the rest.
            self.send_header("Location", f"{self.hub.url.replace('127.0.0.1', 'localhost')}/{name}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"')
            self.send_header("X-Linked-Size", str(path.stat().st_size))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(path.read_bytes(), name, body=body)

    def _send(self, data: bytes, name: str, *, body: bool) -> None:
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not body:
            return
        self.hub.asked.append((name, wanted))
        try:
            for i in range(start, len(data), _BLOCK):
                if self._stops(i):
                    return
                block = data[i : i + _BLOCK]
                self.wfile.write(bytes(len(block)) if self.hub.damage else block)
        except OSError:
            pass  # whoever asked is gone

    def _stops(self, sent: int) -> bool:
        """Whether to send no more and close; waits if it is only to wait."""
        if self.hub.stop_after is None or sent < self.hub.stop_after:
            return False
        if self.hub.cut:
            self.hub.stop_after = None
            self.close_connection = True
            return True
        self.hub.go_on.wait()
        return False
