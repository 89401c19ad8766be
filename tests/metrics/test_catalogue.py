from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import concentra.metrics

PACKAGE = Path(concentra.metrics.__file__).parent
NOT_INDICES = {
    "positive_counts", "units_needed",  # helpers that two modules share
    "any_completion",  # what the bounds are made of
    "hhi", "effective_number", "largest_share", "concentration_ratio", "nakamoto",  # namesakes in `bootstrap`
}  # fmt: skip


@pytest.mark.parametrize(
    "module",
    [
        "concentration",
        "bounds",
        "membership",
        "intervals",
        "bootstrap",
        "scores",
        "network_size",
        "log_linear",
        "largest_sets",
        "set_effective_numbers",
        "identified_intervals",
    ],
)
def test_the_catalogue_names_every_public_function(module: str) -> None:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    public = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    catalogue = concentra.metrics.__doc__ or ""
    assert {name for name in public - NOT_INDICES if f"`{name}`" not in catalogue} == set()


def test_numpy_is_loaded_by_the_bootstrap_and_by_models_only() -> None:
    program = (
        "import sys, concentra.metrics.bounds, concentra.metrics.concentration, concentra.metrics.intervals\n"
        "import concentra.metrics.network_size\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
