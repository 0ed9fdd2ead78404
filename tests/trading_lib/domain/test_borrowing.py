"""A borrowed array is the same array, and nobody counts it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trading_lib.domain.borrowing import borrowed
from trading_lib.domain.kernels import compiled, inlined


class Inner(NamedTuple):
    numbers: NDArray[np.int64]
    rate: float


class Outer(NamedTuple):
    inner: Inner
    table: NDArray[np.float64]


@inlined
def work(outer: Outer, count: int) -> float:
    for row in range(outer.table.shape[0]):
        view = outer.table[row]
        view[:count] += outer.inner.rate
        outer.inner.numbers[row] += 1
    return float(outer.table.sum())


def counting(outer: Outer, count: int) -> float:
    return work(outer, count)


def borrowing(outer: Outer, count: int) -> float:
    return work(borrowed(outer), count)


raise_numbers = compiled(borrowing)


def example() -> Outer:
    return Outer(Inner(np.arange(3), 0.5), np.zeros((3, 4)))


def test_a_kernel_writes_to_what_it_borrowed_like_its_python_version() -> None:
    fast, plain = example(), example()
    assert raise_numbers(fast, 2) == borrowing(plain, 2) == 3.0
    np.testing.assert_array_equal(fast.table, plain.table)
    np.testing.assert_array_equal(fast.inner.numbers, [1, 2, 3])


def test_an_array_is_owned_by_as_many_after_the_kernel_as_before() -> None:
    outer = example()
    before = sys.getrefcount(outer.table), sys.getrefcount(outer.inner.numbers)
    for _ in range(100):
        raise_numbers(outer, 4)
    assert (sys.getrefcount(outer.table), sys.getrefcount(outer.inner.numbers)) == before


def test_fewer_references_are_counted_to_a_borrowed_array() -> None:
    assert counted(borrowing) < counted(counting)


def counted(function: Callable[[Outer, int], float]) -> int:
    """Places in the machine code of ``function`` that count one more reference; cached code would not tell."""
    kernel = njit(function)
    kernel(example(), 1)
    (code,) = kernel.inspect_llvm().values()
    return int(code.count("call void @NRT_incref"))
