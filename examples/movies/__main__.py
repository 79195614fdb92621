"""A movie service: a JSON API over SQLite, with the standard library alone. `python examples/movies --help`

GET  /movies?q=TEXT                 search
GET  /movies/ID                     one movie
GET  /movies/ID/recommendations     movies like it
POST /movies/ID/ratings             {"stars": 1 to 5}
GET  /stats                         by genre
"""

import argparse
import json
import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from catalog import ensure
from library import Library, NotFound

BODY_LIMIT = 4096


class BadRequest(Exception):
    """The client's mistake, in words for the client."""


class Handler(BaseHTTPRequestHandler):
    """One connection, on a thread of its own."""

    protocol_version = "HTTP/1.1"
    # Headers and body go out as two small writes: without this the client waits for a delayed acknowledgement between them.
    disable_nagle_algorithm = True
    timeout = 60

    def setup(self):
        super().setup()
        self.library = Library(self.server.catalog)

    def finish(self):
        self.library.db.close()
        super().finish()

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def answer(self, method):
        url = urlsplit(self.path)
        try:
            body = self.read_json() if method == "POST" else None
            for verb, pattern, view in ROUTES:
                found = re.fullmatch(pattern, url.path)
                if verb == method and found:
                    status, value = 200, view(self.library, *found.groups(), query=parse_qs(url.query), body=body)
                    break
            else:
                raise NotFound("no such page: try /movies?q=garden")
        except BadRequest as error:
            status, value = 400, {"error": str(error)}
        except NotFound as error:
            status, value = 404, {"error": str(error)}
        self.send(status, value)

    def read_json(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= BODY_LIMIT:
            self.close_connection = True
            raise BadRequest("a body of at most %d bytes with its Content-Length is needed" % BODY_LIMIT)
        try:
            return json.loads(self.rfile.read(length).decode())
        except ValueError:
            raise BadRequest("the body is not JSON") from None

    def send(self, status, value):
        payload = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format, *args):
        """Quiet: the load would print a hundred lines a second."""


def search(library, query, body):
    text = query.get("q", [""])[0]
    if not text:
        raise BadRequest("what to search for? /movies?q=garden")
    return library.search(text)


def movie(library, movie_id, query, body):
    return library.movie(int(movie_id))


def recommendations(library, movie_id, query, body):
    return library.recommendations(int(movie_id))


def rate(library, movie_id, query, body):
    stars = body.get("stars") if isinstance(body, dict) else None
    if type(stars) is not int or not 1 <= stars <= 5:
        raise BadRequest('stars go from 1 to 5: {"stars": 4}')
    library.rate(int(movie_id), stars)
    return {"thanks": stars}


def stats(library, query, body):
    return library.stats()


ROUTES = (
    ("GET", r"/movies", search),
    ("GET", r"/movies/(\d{1,9})", movie),
    ("GET", r"/movies/(\d{1,9})/recommendations", recommendations),
    ("POST", r"/movies/(\d{1,9})/ratings", rate),
    ("GET", r"/stats", stats),
)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, catalog):
        self.catalog = catalog
        super().__init__(address, Handler)


def main():
    parser = argparse.ArgumentParser(prog="movies", description="A movie service over SQLite.")
    parser.add_argument("--port", type=int, default=8000, help="port on the loopback address; 0 picks a free one (default: 8000)")
    parser.add_argument(
        "--data", default="var/example", help="folder of the database, made at the first start (default: var/example)"
    )
    options = parser.parse_args()

    catalog = os.path.join(options.data, "movies.sqlite")
    ensure(catalog)
    server = Server(("127.0.0.1", options.port), catalog)
    # shutdown() waits for the loop that the signal interrupts, so it needs a thread of its own.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("movies: http://127.0.0.1:%d" % server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
