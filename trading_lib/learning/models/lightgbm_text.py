"""Check of a LightGBM text before the library parses it: native code believes every count and index in it."""

from __future__ import annotations

import re

MOST_TREES, MOST_LEAVES = 2000, 8
HEADER = re.compile(
    r"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=(?P<last>[0-9]{1,5})\n"
    r"objective=regression\nfeature_names=(?P<names>[^\n]*)\nfeature_infos=(?P<ranges>[^\n]*)\n"
    r"tree_sizes=(?P<sizes>[0-9]{1,6}(?: [0-9]{1,6})*)\n\n"
)
TAIL = re.compile(r"end of trees\n\nfeature_importances:\n(?:[^\n=]+=[0-9]{1,9}\n)*\npandas_categorical:null\n")
NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,30})?(?:e[+-]?[0-9]{1,3})?"
RANGE = re.compile(rf"none|\[{NUMBER}:{NUMBER}\]")
NUMBERS = re.compile(rf"(?:{NUMBER}(?: {NUMBER})*)?")
COUNTS = re.compile(r"(?:-?[0-9]{1,9}(?: -?[0-9]{1,9})*)?")
# Fields of a tree in the library's order, and whether they are one number, one a node, or one a leaf.
ONE, NODES, LEAVES = "one", "nodes", "leaves"
FIELDS = {
    "num_leaves": ONE,
    "num_cat": ONE,
    "split_feature": NODES,
    "split_gain": NODES,
    "threshold": NODES,
    "decision_type": NODES,
    "left_child": NODES,
    "right_child": NODES,
    "leaf_value": LEAVES,
    "leaf_weight": LEAVES,
    "leaf_count": LEAVES,
    "internal_value": NODES,
    "internal_weight": NODES,
    "internal_count": NODES,
    "is_linear": ONE,
    "shrinkage": ONE,
}
WHOLE = {"num_leaves", "num_cat", "split_feature", "decision_type", "left_child", "right_child", "is_linear"} | {
    "leaf_count",
    "internal_count",
}


def check_text(text: str, features: tuple[str, ...]) -> None:
    """Refuse what no training of ours writes.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    header = HEADER.match(text)
    if header is None:
        raise ValueError("its header is not one of a regression of this version")
    if tuple(header["names"].split(" ")) != features or int(header["last"]) != len(features) - 1:
        raise ValueError("it was trained on other features")
    ranges = header["ranges"].split(" ")
    if len(ranges) != len(features) or not all(RANGE.fullmatch(one) for one in ranges):
        raise ValueError("its feature ranges are unreadable")
    sizes = [int(size) for size in header["sizes"].split(" ")]
    if len(sizes) > MOST_TREES:
        raise ValueError(f"it has more than {MOST_TREES} trees")
    content = text[header.end() :].encode()
    begin = 0
    for number, size in enumerate(sizes):
        _check_tree(content[begin : begin + size].decode(), number, len(features))
        begin += size
    if TAIL.fullmatch(content[begin:].decode()) is None:
        raise ValueError("something other than importances follows its trees")


def _check_tree(text: str, number: int, features: int) -> None:
    lines = text.rstrip("\n").split("\n")
    if lines[0] != f"Tree={number}" or [line.partition("=")[0] for line in lines[1:]] != list(FIELDS):
        raise ValueError(f"tree {number} does not have the fields of a tree")
    values: dict[str, list[float]] = {}
    for line in lines[1:]:
        name, _, given = line.partition("=")
        if (COUNTS if name in WHOLE else NUMBERS).fullmatch(given) is None:
            raise ValueError(f"tree {number} has no numbers as {name}")
        values[name] = [float(one) for one in given.split()]
    leaves = values["num_leaves"][:1]
    if not leaves or not 1 <= leaves[0] <= MOST_LEAVES:
        raise ValueError(f"tree {number} does not have 1 to {MOST_LEAVES} leaves")
    _check_lengths(values, int(leaves[0]), number)
    if values["num_cat"] != [0] or values["is_linear"] != [0]:
        raise ValueError(f"tree {number} is of another kind")
    if not all(0 <= feature < features for feature in values["split_feature"]):
        raise ValueError(f"tree {number} splits by a feature that there is not")
    _check_links(values, int(leaves[0]), number)


def _check_lengths(values: dict[str, list[float]], leaves: int, number: int) -> None:
    expected = {ONE: 1, NODES: leaves - 1, LEAVES: leaves}
    for name, per in FIELDS.items():
        alone = name == "leaf_weight" and leaves == 1
        if len(values[name]) != (0 if alone else expected[per]):
            raise ValueError(f"tree {number} has {len(values[name])} numbers as {name}")


def _check_links(values: dict[str, list[float]], leaves: int, number: int) -> None:
    """Every node but the first, and every leaf, hangs below exactly one node that comes before it."""
    found = []
    for side in ("left_child", "right_child"):
        for node, child in enumerate(values[side]):
            if 0 <= child <= node:
                raise ValueError(f"tree {number} leads back to where it came from")
            found.append(int(child))
    if sorted(found) != [*range(-leaves, 0), *range(1, leaves - 1)] and leaves > 1:
        raise ValueError(f"tree {number} is not a tree")
