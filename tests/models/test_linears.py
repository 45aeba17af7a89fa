"""Products with weights: what they equal, and how far off the quick ones may be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bridge.models.linears import Activation, Int8Linear, Linear, has_fast_int8

ACTIVATIONS = {"none": lambda x: x, "gelu": functional.gelu, "silu": functional.silu}
needs_int8 = pytest.mark.skipif(not has_fast_int8(), reason="this CPU has no products of bytes")


def made(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("activation", ["none", "gelu", "silu"])
@pytest.mark.parametrize("rows", [0, 1, 7, 1_500])
@pytest.mark.parametrize(
    ("kind", "dtype", "error"),
    [
        (Linear, torch.float32, 1e-6),
        (Linear, torch.bfloat16, 0.01),
        pytest.param(Int8Linear, torch.float32, 0.02, marks=needs_int8),
    ],
)
def test_a_product_is_that_of_the_plain_layer(
    kind: type[Linear], dtype: torch.dtype, error: float, rows: int, activation: Activation
) -> None:
    """With a bias or without, activated or not, of no rows or many: the errors are those of the number format."""
    x, weight, bias = made(rows, 96), made(40, 96, seed=1), made(40, seed=2)
    for own in (bias, None):
        wanted = ACTIVATIONS[activation](functional.linear(x, weight, own))
        product = kind(weight.to(dtype), None if own is None else own.to(dtype))
        found = product(x.to(dtype), activation)
        assert (found.shape, found.dtype) == (wanted.shape, dtype)
        assert not rows or relative_error(found.float(), wanted) < error


@pytest.mark.parametrize("kind", [Linear, pytest.param(Int8Linear, marks=needs_int8)])
def test_a_residual_is_added_and_kept(kind: type[Linear]) -> None:
    """The sum is that of product and residual, and neither input changes."""
    x, residual = made(9, 32), made(9, 24, seed=3)
    kept = x.clone(), residual.clone()
    product = kind(made(24, 32, seed=1), made(24, seed=2))
    assert torch.equal(product.plus(x, residual), product(x) + residual)
    assert torch.equal(x, kept[0])
    assert torch.equal(residual, kept[1])


@needs_int8
def test_rows_of_bytes_do_not_see_each_other() -> None:
    """A row has the same result alone and beside one that is a million times greater."""
    x = made(6, 64)
    x[3] *= 1e6
    product = Int8Linear(made(16, 64, seed=1), made(16, seed=2))
    together = product(x)
    for row in range(6):
        torch.testing.assert_close(product(x[row : row + 1])[0], together[row], rtol=1e-6, atol=0)


@needs_int8
def test_each_output_of_bytes_has_its_own_scale() -> None:
    """Small weights beside great ones lose nothing, and an output without weights is its bias."""
    weight = made(3, 64, seed=1) * torch.tensor([[1e-4], [1e4], [0.0]])
    x, bias = made(50, 64), torch.tensor([0.0, 0.0, 2.5])
    found, wanted = Int8Linear(weight, bias)(x), functional.linear(x, weight, bias)
    assert all(relative_error(found[:, output], wanted[:, output]) < 0.02 for output in range(3))


@needs_int8
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_does_not_become_one(bad: float) -> None:
    """A row that holds NaN or infinity gives NaN, as in float32, and never a number that looks sound."""
    x = made(3, 32)
    x[1, 5] = bad
    found = Int8Linear(made(8, 32, seed=1))(x)
    assert not found[1].isfinite().any()
    assert found[[0, 2]].isfinite().all()


@needs_int8
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_row_of_one_value_is_exact(value: float) -> None:
    """A row without a range, of zeros or not, gives the sum of the weights and no NaN."""
    weight, bias, x = made(8, 32, seed=1).mul(40).round(), made(8, seed=2), torch.full((1, 32), value)
    weight[:, 0] = 127  # the greatest, so that bytes hold the weights as they are
    wanted = functional.linear(x, weight.clamp_(-127, 127), bias)
    torch.testing.assert_close(Int8Linear(weight, bias)(x), wanted, rtol=1e-6, atol=1e-6)
