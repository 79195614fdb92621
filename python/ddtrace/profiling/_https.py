"""Posts the bodies that the core has made, over https: TLS is the one thing that the core leaves to the standard library.

One thread without a threading.Thread, so that the program's own count of threads stays what it was. Certificates are verified.
"""

try:
    from _thread import start_new_thread
except ImportError:  # 2.7
    from thread import start_new_thread

__all__ = ["start"]

WAIT_SECONDS = 30.0

ACCEPTED, RETRY, REFUSED = 0, 1, 2
MENDABLE = (401, 403, 404, 405, 407, 408, 421, 425, 429)  # as src/profiler/upload/policy.c

_generation = 0


def start(core, url, headers, timeout_s):
    """A thread that posts until the core stops, or starts anew."""
    global _generation
    _generation += 1
    start_new_thread(_run, (core, url, headers, timeout_s, _generation))


def _run(core, url, headers, timeout_s, generation):
    try:
        while generation == _generation and core.running():
            upload = core.next_upload(WAIT_SECONDS)
            if upload is not None:
                body, content_type, sequence = upload
                core.upload_done(sequence, post(url, headers, body, content_type, timeout_s))
    except Exception:
        pass  # the interpreter is ending


def post(url, headers, body, content_type, timeout_s):
    """One exchange; what the answer means for this body."""
    try:
        status = exchange(url, headers, body, content_type, timeout_s)
    except Exception:
        return RETRY
    if 200 <= status < 300:
        return ACCEPTED
    return REFUSED if 400 <= status < 500 and status not in MENDABLE else RETRY


def exchange(url, headers, body, content_type, timeout_s):
    """The status of the answer."""
    import ssl

    from ddtrace._version import __version__

    try:
        from http.client import HTTPSConnection
    except ImportError:  # 2.7
        from httplib import HTTPSConnection
    authority, slash, path = url[len("https://") :].partition("/")
    connection = HTTPSConnection(authority, timeout=timeout_s, context=ssl.create_default_context())
    try:
        all_headers = dict(headers)
        all_headers["Content-Type"] = content_type
        all_headers["User-Agent"] = "vigil-profiler/" + __version__
        all_headers["DD-EVP-ORIGIN"] = "vigil-profiler"
        all_headers["DD-EVP-ORIGIN-VERSION"] = __version__
        all_headers["Connection"] = "close"
        connection.request("POST", slash + path, body, all_headers)
        return connection.getresponse().status
    finally:
        connection.close()
