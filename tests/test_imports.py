"""What is loaded, and that loading starts nothing."""

import pkgutil
import subprocess
import sys

import pytest

import concentra

HEAVY = {
    "pandas",
    "web3",
    "ipwhois",
    "pyarrow",
    "dask",
    "jinja2",
    "altair",
    "requests",
    "aiohttp",
    "httpx",
    "urllib3",
    "http.client",
    "urllib.request",
    "ssl",
    "dns",
    "asyncio",
    "multiprocessing",
}
FOR_COMMANDS = {"numpy", "rich", "msgspec", "coincurve"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(concentra.__path__, "concentra.")
    if not module.name.endswith("__main__")  # which is the program
)


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that a process has loaded when the command line is done."""
    program = (
        "import sys\n"
        f"sys.argv = ['concentra', *{list(arguments)!r}]\n"
        "from concentra.cli import main\n"
        "try: main()\n"
        "except SystemExit as exit: assert exit.code in (0, None), exit.code\n"
        "print('\\nLOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("audit", "--help")], ids=" ".join)
def test_help_loads_nothing_that_a_command_needs(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert "typer" in loaded
    assert loaded & (HEAVY | FOR_COMMANDS) == set()
    if arguments[0] == "audit":
        others = {f"concentra.cli.{name}" for name in ("check", "maps", "snapshot", "schema")}
        assert loaded & others == set()


@pytest.mark.parametrize("options", [(), ("--json",), ("--unit", "prefix")], ids=["text", "json", "prefix"])
def test_an_audit_of_a_network_loads_no_frames_no_arrow_and_no_network_client(
    options: tuple[str, ...],
) -> None:
    loaded = loaded_by("audit", "ethereum", *options)
    assert "numpy" in loaded
    assert loaded & HEAVY == set()


def test_importing_every_module_starts_nothing() -> None:
    """No file is opened but code, no process, thread or socket: an audit hook sees each of them."""
    program = f"""
import sys, importlib.machinery, threading, time
libraries = (
    "numpy", "msgspec", "rich.console", "rich.table", "rich.text", "typer", "coincurve", "sha3", "tomli_w",
    "csv", "json", "tempfile", "difflib", "textwrap", "concurrent.futures", "gzip", "lzma", "tarfile",
)
for name in libraries:
    importlib.import_module(name)
import typer.main, typer.core, numpy.lib.format
started = []
FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.", "os.mkdir", "os.remove",
    "os.rename", "os.chmod", "shutil.", "urllib.", "ctypes.dlopen", "_thread.start", "time.sleep",
)
loading = importlib.machinery.all_suffixes()
def hook(event, arguments):
    if event.startswith(FORBIDDEN):
        started.append((event, str(arguments)[:200]))
    if event == "open":
        path, mode = str(arguments[0]), arguments[1] or "r"
        source = path.endswith(tuple(loading)) or ".pyc." in path or path.endswith(".pth")
        if not source and ("w" in mode or "concentra" in path or path.endswith((".toml", ".csv", ".map"))):
            started.append((event, path, mode))
sys.addaudithook(hook)
before = threading.active_count()
for name in {MODULES!r}:
    importlib.import_module(name)
assert threading.active_count() == before
assert started == [], started
print(len({MODULES!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) == len(MODULES) > 40
