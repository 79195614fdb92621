"""A load for the movie service: a few clients that look around like people do. `python examples/load.py --help`

Each client is one thread with one connection; it asks, thinks a moment, asks again. It ends after --seconds, at SIGTERM or
Ctrl-C, and then tells how many answers came and how long they took.
"""

import argparse
import http.client
import json
import random
import signal
import sys
import threading
import time
from urllib.parse import quote, urlsplit

MOVIES = 2000
CLIENTS_LIMIT = 64
THINK_S = 0.25
WORDS = ("garden", "café", "harbour", "winter", "poet", "piñata", "lighthouse", "bank")


class Client(threading.Thread):
    """One visitor. Its answers are counted by kind in `times_s`."""

    def __init__(self, number, url, stop):
        super().__init__(name="client-%d" % number)
        self.where = urlsplit(url)
        self.stop = stop
        self.rng = random.Random(number)
        self.times_s = {}
        self.failures = 0

    def run(self):
        connection = http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=30)
        while not self.stop.wait(self.rng.uniform(0, 2 * THINK_S)):
            kind, method, path, body = self.choose()
            began = time.monotonic()
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.failures += 1
                continue
            if answer.status == 200:
                self.times_s.setdefault(kind, []).append(time.monotonic() - began)
            else:
                self.failures += 1
        connection.close()

    def choose(self):
        movie = self.rng.randint(1, MOVIES)
        kind = self.rng.choices(("search", "movie", "recommendations", "stats", "rate"), (40, 30, 20, 5, 5))[0]
        if kind == "rate":
            return kind, "POST", "/movies/%d/ratings" % movie, json.dumps({"stars": self.rng.randint(1, 5)})
        path = {
            "search": "/movies?q=" + quote(self.rng.choice(WORDS)),
            "movie": "/movies/%d" % movie,
            "recommendations": "/movies/%d/recommendations" % movie,
            "stats": "/stats",
        }[kind]
        return kind, "GET", path, None


def report(clients):
    times_s = {}
    for client in clients:
        for kind, times in client.times_s.items():
            times_s.setdefault(kind, []).extend(times)
    print("%-16s %8s %10s %10s" % ("", "answers", "median ms", "slowest ms"))
    for kind, times in sorted(times_s.items()):
        times.sort()
        print("%-16s %8d %10.1f %10.1f" % (kind, len(times), times[len(times) // 2] * 1e3, times[-1] * 1e3))
    print("%d failed" % sum(client.failures for client in clients))


def main():
    parser = argparse.ArgumentParser(prog="load", description="A load for the movie service.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the service is (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=4, help="visitors at a time, at most %d (default: 4)" % CLIENTS_LIMIT)
    parser.add_argument("--seconds", type=float, default=60, help="how long; 0 until it is ended (default: 60)")
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clients = [Client(i, options.url, stop) for i in range(max(1, min(options.clients, CLIENTS_LIMIT)))]
    for client in clients:
        client.start()
    stop.wait(options.seconds or None)
    stop.set()
    for client in clients:
        client.join()
    report(clients)


if __name__ == "__main__":
    sys.exit(main())
