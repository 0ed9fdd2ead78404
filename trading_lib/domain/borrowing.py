"""Arrays without reference counting inside a kernel."""

from __future__ import annotations

from typing import Any, TypeVar

from numba.core import types
from numba.extending import intrinsic, overload

A = TypeVar("A")


def borrowed(arrays: A) -> A:
    """Return the same array, or tuple of arrays, for the use of the kernel whose argument it is.

    For every mention of an array numba counts a reference with a locked instruction, which in a kernel that hands on
    dozens takes longer than the work. Whoever called the kernel keeps its arguments alive, so that inside it nobody
    need count. What is made of a borrowed array must not leave the kernel: its memory could be freed too early.
    """
    return arrays


@overload(borrowed, strict=False)
def _borrow(arrays: Any) -> Any:
    return lambda arrays: _uncounted(arrays)  # type: ignore[call-arg]


@intrinsic
def _uncounted(_: Any, kind: Any) -> Any:
    """Take the owner from every array: numba counts nothing where there is none."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owner(context, builder, signature.args[0], arguments[0])

    return kind(kind), code


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = array.meminfo.type(None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        for place, type_of_array in enumerate(kinds):
            part = _without_owner(context, builder, type_of_array, builder.extract_value(value, place))
            value = builder.insert_value(value, part, place)
    return value
