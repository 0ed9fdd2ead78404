"""Check of an XGBoost JSON before the library parses it: native code believes every count and index in it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MOST_TREES, MOST_NODES = 2000, 15
# Of the root, which has no parent.
NOWHERE = 2**31 - 1
BASE_SCORE = re.compile(r"\[-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:E[+-]?[0-9]{1,2})?\]")
NUMBERS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
FLAGS = ("default_left", "split_type")
LINKS = ("left_children", "right_children", "parents", "split_indices")
CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
TREE_FIELDS = {*NUMBERS, *FLAGS, *LINKS, *CATEGORIES, "id", "tree_param"}


def check_json(content: bytes, features: tuple[str, ...]) -> None:
    """Refuse what no training of ours writes.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    try:
        found = json.loads(content.decode(), parse_constant=_refuse_constant, object_pairs_hook=_once_each)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    trees = _trees(found, features)
    if len(trees) > MOST_TREES:
        raise ValueError(f"it has more than {MOST_TREES} trees")
    for number, tree in enumerate(trees):
        _check_tree(tree, number, len(features))


def _trees(found: Any, features: tuple[str, ...]) -> list[Any]:
    """Trees of a file all the rest of which is as training writes it."""
    try:
        learner = found["learner"]
        base, model = learner["learner_model_param"]["base_score"], learner["gradient_booster"]["model"]
        trees, version = model["trees"], found["version"]
    except (KeyError, TypeError, IndexError):
        raise ValueError("it does not have the fields of a model") from None
    if not isinstance(trees, list) or not isinstance(base, str) or not BASE_SCORE.fullmatch(base):
        raise ValueError("it has no trees or no base score")
    if learner.get("feature_names") != list(features):
        raise ValueError("it was trained on other features")
    if not (
        isinstance(version, list)
        and len(version) == 3
        and all(type(part) is int and 0 <= part < 100 for part in version)
    ):
        raise ValueError("its version is unreadable")
    if json.dumps(found, sort_keys=True) != json.dumps(_wrapping(features, base, trees, version), sort_keys=True):
        raise ValueError("it is not a regression by trees as training writes it")
    return trees


def _wrapping(features: tuple[str, ...], base: str, trees: list[Any], version: list[int]) -> dict[str, Any]:
    """All of a file, from what may differ between one and another."""
    model = {
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(len(trees) + 1)),
        "tree_info": [0] * len(trees),
        "trees": trees,
    }
    parameters = {
        "base_score": base,
        "boost_from_average": "0",
        "num_class": "0",
        "num_feature": str(len(features)),
        "num_target": "1",
    }
    learner = {
        "attributes": {},
        "feature_names": list(features),
        "feature_types": [],
        "gradient_booster": {"model": model, "name": "gbtree"},
        "learner_model_param": parameters,
        "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
    }
    return {"learner": learner, "version": version}


def _check_tree(tree: Any, number: int, features: int) -> None:
    fields = _fields(tree, TREE_FIELDS)
    left = fields["left_children"]
    nodes = len(left) if isinstance(left, list) else 0
    if not 1 <= nodes <= MOST_NODES:
        raise ValueError(f"tree {number} does not have 1 to {MOST_NODES} nodes")
    parameters = {"num_deleted": "0", "num_feature": str(features), "num_nodes": str(nodes), "size_leaf_vector": "1"}
    if fields["id"] != number or fields["tree_param"] != parameters or any(fields[name] != [] for name in CATEGORIES):
        raise ValueError(f"tree {number} is of another kind")
    for name in (*NUMBERS, *FLAGS, *LINKS):
        values = fields[name]
        if not isinstance(values, list) or len(values) != nodes or not all(map(_number, values)):
            raise ValueError(f"tree {number} does not have {nodes} numbers as {name}")
        if name not in NUMBERS and not all(isinstance(value, int) for value in values):
            raise ValueError(f"tree {number} has fractions as {name}")
    if any(flag not in (0, 1) for flag in fields["default_left"]) or any(fields["split_type"]):
        raise ValueError(f"tree {number} splits in another way")
    if not all(0 <= index < features for index in fields["split_indices"]):
        raise ValueError(f"tree {number} splits by a feature that there is not")
    _check_links(fields, nodes, number)


def _check_links(fields: dict[str, Any], nodes: int, number: int) -> None:
    """Every node but the first hangs below exactly one node that comes before it."""
    parents = [NOWHERE] + [-1] * (nodes - 1)
    for node, (left, right) in enumerate(zip(fields["left_children"], fields["right_children"], strict=True)):
        if (left, right) == (-1, -1):
            continue
        if left == right or not all(node < child < nodes and parents[child] == -1 for child in (left, right)):
            raise ValueError(f"tree {number} is not a tree")
        parents[left] = parents[right] = node
    if parents != fields["parents"]:
        raise ValueError(f"tree {number} is not a tree")


def _fields(given: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) != names:
        raise ValueError(f"it does not have the fields {', '.join(sorted(names))}")
    return given


def _number(given: Any) -> bool:
    # Single precision, as the library holds them.
    return type(given) in (int, float) and math.isfinite(given) and abs(given) < 3.4e38


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it has {name} where a number has to be")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a field twice")
    return found
