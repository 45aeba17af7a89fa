"""What is compared, and in which number format."""

from __future__ import annotations

import pytest

from bridge.bench.systems import BRIDGE, BRIDGE_INT8, REFERENCES, System


@pytest.mark.parametrize(
    ("system", "device", "expected"),
    [
        (BRIDGE, "cpu", "bfloat16"),
        (BRIDGE_INT8, "cpu", "int8"),
        (REFERENCES["mxbai-rerank"], "cpu", "float32"),
        (REFERENCES["mxbai-rerank"], "cuda", "bfloat16"),
    ],
)
def test_a_row_names_the_format_that_is_computed_in(system: System, device: str, expected: str) -> None:
    """mxbai-rerank turns its weights into float32 on CPUs, whatever it was asked for, and its row says so."""
    assert system.precision_on(device, "bfloat16") == expected
