import subprocess
import sys

MODULES = "enode, enr, errors, identity, keccak, rlp"
UNWANTED = {"numpy", "pandas", "pyarrow", "web3", "socket", "asyncio", "_socket", "ssl"}


def test_importing_the_codecs_loads_neither_tables_nor_sockets() -> None:
    program = f"import sys; from concentra.wire import {MODULES}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert "concentra.wire.enr" in loaded.split()
    assert UNWANTED.isdisjoint(loaded.split())
