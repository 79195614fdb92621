"""Builds the distribution vigil-profiler: the package `ddtrace`, its C extension and the launcher `ddtrace-run`.

setuptools alone, and nothing that Python 2.7's last setuptools (44) does not know. The C compiler and Python's headers are all
that is needed: no library is linked but those of the C runtime.
"""

import io
import os
import shutil
import sys
import tempfile

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

EXTENSION = "ddtrace.profiling._core"
LAUNCHER = "src/profiler/launcher/ddtrace_run.c"
PLATFORM = "macos" if sys.platform == "darwin" else "linux"
PLATFORMS = ("linux", "macos")

FLAGS = ["-std=gnu11", "-O2", "-g0", "-fvisibility=hidden"]
WISHED_FLAGS = ["-fno-plt"]


def read(name):
    with io.open(name, encoding="utf-8") as f:
        return f.read()


def files_under(directory, suffix):
    """Paths from here, with slashes, in one order on every machine."""
    found = []
    for where, _, names in os.walk(directory):
        found += [os.path.join(where, name).replace(os.sep, "/") for name in names if name.endswith(suffix)]
    return sorted(found)


def layout():
    """The file with the facts on this Python; without one the package installs and says at run time what is not supported."""
    name = "src/profiler/cpython/layout_%d_%d.c" % sys.version_info[:2]
    return name if os.path.exists(name) else "src/profiler/cpython/layout_none.c"


def is_wanted(path):
    """Of files named after a platform, only ours; of the layouts, only the one."""
    stem = os.path.basename(path)[: -len(".c")]
    if path.startswith("src/profiler/cpython/layout_"):
        return path == layout()
    if path.startswith("src/profiler/launcher/"):
        return False
    return stem.rpartition("_")[2] not in PLATFORMS or stem.endswith("_" + PLATFORM)


def sources():
    return (
        files_under("src/base", ".c")
        + ["src/pprof/wire.c", "src/pprof/write.c"]
        + [path for path in files_under("src/profiler", ".c") if is_wanted(path)]
    )


def python_name():
    """As in the names of directories: python3.12, python3.13t."""
    return "python%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if "t" in getattr(sys, "abiflags", "") else "")


class BuildPython(build_py):
    """Adds the version; begins anew each time, so that a module that was removed is not installed from an older build."""

    def run(self):
        shutil.rmtree(os.path.join(self.build_lib, "ddtrace"), ignore_errors=True)
        build_py.run(self)
        with io.open(os.path.join(self.build_lib, "ddtrace", "_version.py"), "w", encoding="utf-8") as f:
            f.write(u'__version__ = "%s"\n' % VERSION)


class BuildNative(build_ext):
    """Compiles the extension with the flags that this compiler knows, then the launcher."""

    def build_extensions(self):
        flags = FLAGS + [flag for flag in WISHED_FLAGS if self.knows(flag)]
        for extension in self.extensions:
            extension.extra_compile_args = flags
        build_ext.build_extensions(self)
        self.build_launcher()

    def knows(self, flag):
        directory = tempfile.mkdtemp()
        try:
            source = os.path.join(directory, "flag.c")
            with io.open(source, "w") as f:
                f.write(u"int main(void) { return 0; }\n")
            self.compiler.compile([source], output_dir=directory, extra_postargs=["-Werror", flag])
            return True
        except Exception:
            return False
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def build_launcher(self):
        macros = MACROS + [("VG_PYTHON", '"%s"' % python_name())]
        objects = self.compiler.compile([LAUNCHER], output_dir=self.build_temp, macros=macros, extra_postargs=FLAGS)
        self.compiler.link_executable(objects, "ddtrace-run", output_dir=self.build_temp)
        # A program among the data: what setuptools calls scripts must be text.
        self.distribution.data_files = [("bin", [os.path.join(self.build_temp, "ddtrace-run")])]


os.chdir(os.path.dirname(os.path.abspath(__file__)))
VERSION = read("VERSION").strip()
MACROS = [("NDEBUG", "1"), ("_GNU_SOURCE", "1"), ("VG_VERSION", '"%s"' % VERSION)]

setup(
    name="vigil-profiler",
    version=VERSION,
    description="Continuous profiler for Python: CPU and wall time of every thread, always on",
    long_description=read("README.md") if os.path.exists("README.md") else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*",
    package_dir={"": "python"},
    packages=["ddtrace", "ddtrace.bootstrap", "ddtrace.commands", "ddtrace.profiling"],
    package_data={"ddtrace": ["py.typed", "*.pyi"], "ddtrace.profiling": ["*.pyi"]},
    ext_modules=[
        Extension(
            EXTENSION,
            sources=sources(),
            depends=files_under("src", ".h"),
            include_dirs=["src"],
            define_macros=MACROS,
            libraries=["pthread", "dl"],
        )
    ],
    cmdclass={"build_py": BuildPython, "build_ext": BuildNative},
    zip_safe=False,
    classifiers=[
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Python :: 2.7",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: Implementation :: CPython",
    ],
)
