"""Environment and arguments -> settings. Pure functions of what they are given; nothing here raises.

A malformed value is reported to `warn` in one sentence, and the default is used; of a list of tags only the bad pair is
skipped. All text that leaves here is `str` of the running Python; in 2.7 that is UTF-8.
"""

import os
import sys

TRUE = ("true", "1", "yes", "on")
FALSE = ("false", "0", "no", "off")

UNNAMED = "unnamed-python-service"
RESOURCE = "/profiling/v1/input"

# Name in the core's configuration, environment variable, default, least, greatest.
NUMBERS = (
    ("sample_hz", "DD_PROFILING_SAMPLE_HZ", 100, 1, 10000),
    ("cpu_budget", "DD_PROFILING_CPU_BUDGET", 1.0, 0.0, 100.0),
    ("max_frames", "DD_PROFILING_MAX_FRAMES", 512, 1, 4096),
    ("upload_interval", "DD_PROFILING_UPLOAD_INTERVAL", 60.0, 0.1, 3600.0),
    ("api_timeout_ms", "DD_PROFILING_API_TIMEOUT_MS", 10000, 1, 600000),
)
SWITCHES = (
    ("timeline", "DD_PROFILING_TIMELINE_ENABLED", True),
    ("stack_enabled", "DD_PROFILING_STACK_ENABLED", True),
    ("ignore_profiler", "DD_PROFILING_IGNORE_PROFILER", False),
)

if sys.version_info[0] == 2:
    TEXT = unicode  # noqa: F821

    def native(text):
        """Bytes or text -> str."""
        return text.encode("utf-8") if isinstance(text, TEXT) else str(text)
else:
    TEXT = str

    def native(text):
        """Bytes or text -> str; what is not UTF-8 is replaced."""
        if isinstance(text, bytes):
            return text.decode("utf-8", "replace")
        return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Settings(object):
    """What a session runs with. `core` is the configuration of _core.start but for its tags; `tags` are ordered pairs."""

    def __init__(self, core, tags, headers, debug):
        self.core = core
        self.tags = tags
        self.headers = headers  # that https adds: empty but where agentless
        self.debug = debug

    def https_url(self):
        """The whole address of uploads over https."""
        return self.core["url"] if self.headers else self.core["url"].rstrip("/") + RESOURCE

    def __eq__(self, other):
        return isinstance(other, Settings) and vars(self) == vars(other)

    def __ne__(self, other):
        return not self == other

    __hash__ = None


def read(environ, given, warn):
    """Settings from the environment and from a Profiler's arguments, which win."""
    core = {}
    for name, variable, default, least, most in NUMBERS:
        core[name] = number(environ, variable, default, least, most, warn)
    for name, variable, default in SWITCHES:
        core[name] = switch(environ, variable, default, warn)
    core["output_pprof"] = output_prefix(environ, warn)
    url, headers = destination(environ, given.get("url"), warn)
    core["url"] = url
    core["https"] = url.startswith("https://")
    core["zlib_path"] = zlib_path()
    tags = all_tags(environ, given, warn)
    core["service"] = dict(tags)["service"]
    return Settings(core, tags, headers, switch(environ, "DD_TRACE_DEBUG", False, warn))


def profiling_enabled(environ, warn):
    return switch(environ, "DD_PROFILING_ENABLED", False, warn)


def switch(environ, variable, default, warn):
    text = environ.get(variable, "").strip().lower()
    if text in TRUE:
        return True
    if text and text not in FALSE:
        warn("%s is %r, which is neither true nor false; it stays %s" % (variable, native(environ[variable]), str(default).lower()))
        return default
    return False if text else default


def number(environ, variable, default, least, most, warn):
    """A number of the default's type within its limits."""
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:  # not-a-number is not within any limits
        warn("%s is %r, which is no number from %s to %s; it stays %s" % (variable, native(text), least, most, default))
        return default
    return value


def output_prefix(environ, warn):
    prefix = native(environ.get("DD_PROFILING_OUTPUT_PPROF", ""))
    if not prefix:
        return None
    path = os.path.abspath(prefix)  # the program may change its directory
    if not os.path.isdir(os.path.dirname(path)):
        warn("DD_PROFILING_OUTPUT_PPROF is %r, but there is no such directory: no file is written" % prefix)
        return None
    return path


def zlib_path():
    """The file of the interpreter's own zlib module, found without importing it; None where it is built in."""
    try:
        from _imp import extension_suffixes

        suffixes = extension_suffixes()
    except ImportError:
        suffixes = (".so", "module.so")
    for directory in sys.path:
        if directory.endswith("lib-dynload"):
            for suffix in suffixes:
                path = os.path.join(directory, "zlib" + suffix)
                if os.path.exists(path):
                    return native(path)
    return None


# --- where to ---


def destination(environ, given_url, warn):
    """(URL, headers of https). An API key alone sends nothing anywhere: only DD_PROFILING_AGENTLESS makes use of it."""
    if given_url is None and switch(environ, "DD_PROFILING_AGENTLESS", False, warn):
        return agentless(environ, warn)
    for source, url in (("the argument url", given_url), ("DD_TRACE_AGENT_URL", environ.get("DD_TRACE_AGENT_URL"))):
        if url:
            problem = url_problem(native(url).strip())
            if not problem:
                return native(url).strip(), {}
            warn("%s is %r: %s; it is ignored" % (source, native(url), problem))
    host = environ.get("DD_AGENT_HOST", "").strip() or "localhost"
    port = number(environ, "DD_TRACE_AGENT_PORT", 8126, 1, 65535, warn)
    url = "http://%s:%d" % ("[%s]" % host if ":" in host else host, port)
    problem = url_problem(native(url))
    if problem:
        warn("DD_AGENT_HOST is %r: %s; it is ignored" % (native(host), problem))
        url = "http://localhost:%d" % port
    return native(url), {}


def agentless(environ, warn):
    key = environ.get("DD_API_KEY", "").strip()
    site = environ.get("DD_SITE", "").strip() or "datadoghq.com"
    url = "https://intake.profile.%s/api/v2/profile" % site
    if not is_plain(key):
        warn("DD_PROFILING_AGENTLESS is set, but DD_API_KEY holds no key: nothing is uploaded")
        return "", {}
    if not is_plain(site) or "/" in site or url_problem(url):
        warn("DD_SITE is %r, which is no host name: nothing is uploaded" % native(site))
        return "", {}
    return native(url), {"DD-API-KEY": native(key)}


def is_plain(text):
    """Whether text is not empty and all visible ASCII."""
    return bool(text) and all("!" <= c <= "~" for c in text)


def url_problem(url):
    """What is wrong with an Agent's URL, or None."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https", "unix"):
        return "it begins with none of http://, https://, unix://"
    if scheme == "unix":
        return None if rest.startswith("/") and len(rest) < 108 else "a socket's path begins with / and has at most 107 bytes"
    if not is_plain(rest) or "@" in rest or "?" in rest or "#" in rest:
        return "only a host, a port and a path belong there"
    authority = rest.partition("/")[0]
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        host = bracket and host
    else:
        host, colon, port = authority.partition(":")
        port = colon + port
    if not host:
        return "there is no host in it"
    if port and not (port[:1] == ":" and port[1:].isdigit() and 0 < int(port[1:]) < 65536):
        return "its port is no number from 1 to 65535"
    return None


# --- tags ---


def parse_tags(text, source, warn):
    """ "k:v,k2:v2" -> pairs; without a comma, spaces separate as well."""
    text = native(text).strip()
    pieces = text.split(",")
    if len(pieces) == 1 and all(":" in piece for piece in text.split()):
        pieces = text.split()
    pairs = []
    for piece in pieces:
        key, colon, value = piece.strip().partition(":")
        if colon and key.strip() and value.strip():
            pairs.append((key.strip(), value.strip()))
        elif piece.strip():
            warn("%s has %r, which is no name:value; that one is skipped" % (source, piece.strip()))
    return pairs


def given_tags(tags, warn):
    """A dict of bytes or text -> pairs."""
    try:
        return [(native(key), native(value)) for key, value in tags.items()]
    except Exception:
        warn("the argument tags is no dict of text; it is ignored")
        return []


def all_tags(environ, given, warn):
    """The tags that do not depend on the process: service, env and version first, then the user's."""
    users = {}
    order = []
    pairs = parse_tags(environ.get("DD_TAGS", ""), "DD_TAGS", warn)
    pairs += parse_tags(environ.get("DD_PROFILING_TAGS", ""), "DD_PROFILING_TAGS", warn)
    pairs += given_tags(given["tags"], warn) if given.get("tags") else []
    for key, value in pairs:
        if key not in users:
            order.append(key)
        users[key] = value
    tags = []
    for key, variable in (("service", "DD_SERVICE"), ("env", "DD_ENV"), ("version", "DD_VERSION")):
        value = given.get(key) or environ.get(variable, "").strip() or users.get(key)
        if not value and key == "service":
            value = script_name()
        if value:
            tags.append((key, native(value)))
    return tags + [(key, users[key]) for key in order if key not in ("service", "env", "version")]


def process_tags(tags, runtime_id, profiler_version, forked):
    """All tags of one life of the core: those of this process, then the user's (of which only `host` replaces ours)."""
    host = dict(tags).get("host") or os.uname()[1]
    known = [(key, value) for key, value in tags if key in ("service", "env", "version")]
    known += [
        ("host", host),
        ("runtime-id", runtime_id),
        ("language", "python"),
        ("runtime", "CPython"),
        ("runtime_version", sys.version.split()[0]),
        ("runtime_platform", "%s-%s" % (os.uname()[4], sys.platform.rstrip("0123456789"))),
        ("profiler_version", profiler_version),
        ("process_id", str(os.getpid())),
    ]
    if forked:
        known.append(("process_type", "fork"))
    taken = set(key for key, _ in known) | set(["profile_seq"])
    return known + [(key, value) for key, value in tags if key not in taken]


def tags_text(pairs):
    """tags_profiler: "k:v,k2:v2", where neither a comma nor a control character can come from a value."""
    return ",".join("%s:%s" % (safe(key).replace(":", "_"), safe(value)) for key, value in pairs)


def safe(text):
    text = native(text)
    return "".join("_" if c == "," or c < " " or c == "\x7f" else c for c in text)


# --- the service's name ---


def script_name():
    """The name of the script or module that this interpreter runs, from its command line: sys.argv is not there yet."""
    try:
        return name_from_command(command_line()) or UNNAMED
    except Exception:
        return UNNAMED


def command_line():
    line = getattr(sys, "orig_argv", None)
    if line:
        return list(line)
    with open("/proc/self/cmdline", "rb") as f:
        return [native(word) for word in f.read().split(b"\0")[:-1]]


def name_from_command(words):
    """`python -u app/main.py x` -> "main.py", `python -m pkg.mod` -> "pkg.mod", `python -c ...` -> None, `uwsgi ...` -> "uwsgi"."""
    program = os.path.basename(words[0])
    if "python" not in program.lower():
        return program or None
    i = 1
    while i < len(words) and words[i].startswith("-") and words[i] != "-":
        word = words[i]
        if word == "--check-hash-based-pycs":
            i += 1
        elif not word.startswith("--"):
            # Short options may be joined: -Bm pkg, -Wignore; of those with a value it is the rest of the word or the next one.
            for at, letter in enumerate(word[1:], 2):
                if letter in "cmWXQ":
                    value = word[at:] or (words[i + 1] if i + 1 < len(words) else "")
                    if letter in "cm":
                        return value if letter == "m" and value else None
                    i += not word[at:]
                    break
        i += 1
    if i >= len(words) or words[i] == "-":
        return None
    name = os.path.basename(words[i].rstrip("/"))
    if name == "__main__.py":
        name = os.path.basename(os.path.dirname(os.path.abspath(words[i])))
    return name or None
