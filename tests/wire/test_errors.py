import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire.errors import QUOTED_LENGTH, quoted


@given(st.text() | st.binary())
def test_a_quotation_is_short_and_cannot_steer_a_terminal(found: str | bytes) -> None:
    shown = quoted(found)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= QUOTED_LENGTH * len(r"\U0010ffff") + len("''...")


@pytest.mark.parametrize(
    ("length", "cut"),
    [
        pytest.param(QUOTED_LENGTH, False, id="just-fits"),
        pytest.param(QUOTED_LENGTH + 1, True, id="one-too-many"),
    ],
)
def test_a_quotation_says_when_it_is_cut_off(length: int, cut: bool) -> None:
    assert quoted("x" * length).endswith("...") is cut
