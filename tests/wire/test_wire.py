import pkgutil
import re
import subprocess
import sys

from concentra import wire

MODULES = [module.name for module in pkgutil.iter_modules(wire.__path__)]
UNWANTED = {"numpy", "pandas", "pyarrow", "web3", "socket", "asyncio", "_socket", "ssl", "random", "secrets"}


def test_importing_the_codecs_loads_neither_tables_nor_sockets_nor_chance() -> None:
    program = f"import sys; from concentra.wire import {', '.join(MODULES)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert {f"concentra.wire.{name}" for name in MODULES} <= set(loaded.split())
    assert UNWANTED.isdisjoint(loaded.split())


def test_every_codec_stands_in_the_table_of_the_package() -> None:
    table = (wire.__doc__ or "").split("=\n", 1)[1]
    assert sorted(re.findall(r"^([a-z]\w*) {2,}\S", table, re.MULTILINE)) == sorted(MODULES)
