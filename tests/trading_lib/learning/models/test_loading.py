"""Native files that are not what training wrote are refused in one line, before a library sees them."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest

from tests.contracts.model_contract import CONFIG, DATA
from trading_lib.domain.errors import InputError
from trading_lib.learning.models import loading
from trading_lib.learning.models.learners import LEARNERS, make_learner
from trading_lib.learning.models.loading import files_digest, load_model

ROWS = np.arange(len(DATA))
FILES = {kind: dict(make_learner(kind, CONFIG).fit(DATA, ROWS, 7).files()) for kind in LEARNERS}
NAMES = {"ridge": "ridge.json", "lightgbm": "lightgbm.txt", "xgboost": "xgboost.json"}


def refusal(kind: str, files: dict[str, bytes]) -> str:
    with pytest.raises(InputError) as refused:
        load_model(kind, DATA.features, files)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("name", ["MLmodel", "loader.py", "model.pkl", "weights.pth", "../ridge.json"])
def test_a_file_beside_the_model_is_refused_by_name(kind: str, name: str) -> None:
    assert name in refusal(kind, FILES[kind] | {name: b"import os"})


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_missing_file_is_named(kind: str) -> None:
    for name in FILES[kind]:
        assert f"{name} is missing" in refusal(kind, {k: v for k, v in FILES[kind].items() if k != name})


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_cut_off_anywhere_is_refused(kind: str) -> None:
    content = FILES[kind][NAMES[kind]]
    for end in {0, 1, 40, *np.linspace(50, len(content.rstrip()) - 1, 40).astype(int).tolist()}:
        assert NAMES[kind] in refusal(kind, {NAMES[kind]: content[:end]})


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_a_model_of_another_kind_under_its_name_is_refused(kind: str, other: str) -> None:
    if kind != other:
        assert NAMES[kind] in refusal(kind, {NAMES[kind]: FILES[other][NAMES[other]]})


@pytest.mark.parametrize("kind", NAMES)
def test_bytes_changed_at_random_never_get_past_as_something_else_than_numbers(kind: str) -> None:
    """A digit may change unseen here (that is what the registered digest is for); anything else is refused."""
    content, random = FILES[kind][NAMES[kind]], np.random.default_rng(4)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        for at in random.integers(0, len(content), 3):
            changed[at] = random.integers(0, 256)
        try:
            model = load_model(kind, DATA.features, {NAMES[kind]: bytes(changed)})
        except InputError as error:
            refused += NAMES[kind] in str(error)
        else:
            assert model.predict(DATA.x[:9], DATA.features).shape == (9,)
    assert refused > 100


class Executed:
    """Says so when a pickle of it is read."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return pytest.fail, ("a pickle was read",)


@pytest.mark.parametrize("kind", NAMES)
def test_a_pickle_under_its_name_is_not_executed(kind: str) -> None:
    assert NAMES[kind] in refusal(kind, {NAMES[kind]: pickle.dumps(Executed())})


TEXT = FILES["lightgbm"]["lightgbm.txt"].decode()


def first(pattern: str, replacement: str) -> str:
    """The text with its first match replaced, and the first tree's size told as it is then."""
    changed, count = re.subn(pattern, replacement, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1
    if "Tree" not in pattern and "end" not in pattern and changed.index("Tree=0") == TEXT.index("Tree=0"):
        size = int(re.findall(r"^tree_sizes=(\d+)", TEXT, re.MULTILINE)[0])
        longer = size + len(changed) - len(TEXT)
        changed = changed.replace(f"tree_sizes={size}", f"tree_sizes={longer}")
    return changed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (first("^num_leaves=.*", "num_leaves=200000000"), "1 to 8 leaves"),
        (first("^num_leaves=.*", "num_leaves=-3"), "1 to 8 leaves"),
        (first("^num_leaves=.*", "num_leaves=2"), "numbers as"),
        (first("^max_feature_idx=.*", "max_feature_idx=99999"), "other features"),
        (first("^num_class=.*", "num_class=1000000"), "header"),
        (first("^split_feature=[0-9]+", "split_feature=6"), "by a feature"),
        (first("^left_child=-?[0-9]+", "left_child=0"), "back"),
        (first("^right_child=-?[0-9]+", "right_child=5000"), "not a tree"),
        (first("^num_cat=0", "num_cat=1000000"), "another kind"),
        (first("^is_linear=0", "is_linear=1"), "another kind"),
        (first("^threshold=", "threshold=nan "), "no numbers"),
        (first("^leaf_value=", "leaf_value=1e9999999 "), "no numbers"),
        (first("^tree_sizes=", "tree_sizes=999999 "), "fields of a tree"),
        (first("^Tree=1$", "Tree=7"), "fields of a tree"),
        (first("^end of trees", "end of trees\n\nparameters:\n[boosting: gbdt]\nend of parameters"), "follows"),
        (TEXT.replace("pandas_categorical:null", "pandas_categorical:[[1]]"), "follows"),
        (TEXT.replace(DATA.features[0], "elsewhere", 1), "other features"),
    ],
)
def test_counts_and_indices_of_a_lightgbm_text_are_checked(text: str, reason: str) -> None:
    assert reason in refusal("lightgbm", {"lightgbm.txt": text.encode()})


def a_tree(found: dict) -> dict:
    return found["learner"]["gradient_booster"]["model"]["trees"][0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: a_tree(found)["left_children"].__setitem__(0, 1_000_000), "not a tree"),
        (lambda found: a_tree(found)["left_children"].__setitem__(1, 0), "not a tree"),
        (lambda found: a_tree(found)["split_indices"].__setitem__(0, 6), "by a feature"),
        (lambda found: a_tree(found)["split_conditions"].__setitem__(0, 1e39), "numbers as"),
        (lambda found: a_tree(found)["split_conditions"].pop(), "numbers as"),
        (lambda found: a_tree(found)["split_type"].__setitem__(0, 1), "another way"),
        (lambda found: a_tree(found)["tree_param"].update(num_nodes="4000000000"), "another kind"),
        (lambda found: a_tree(found)["left_children"].extend([-1] * 50), "1 to 15 nodes"),
        (lambda found: a_tree(found).pop("parents"), "fields"),
        (lambda found: found["learner"]["learner_model_param"].update(num_target="99999999"), "training writes"),
        (lambda found: found["learner"]["learner_model_param"].update(base_score="[nan]"), "base score"),
        (lambda found: found["learner"]["gradient_booster"].update(name="dart"), "training writes"),
        (lambda found: found["learner"]["attributes"].update(run="this"), "training writes"),
        (lambda found: found["learner"]["gradient_booster"]["model"].update(tree_info=[0]), "training writes"),
        (lambda found: found["learner"].update(feature_names=["elsewhere"]), "other features"),
        (lambda found: found.update(version=[3, 2]), "version"),
        (lambda found: found.pop("learner"), "fields"),
    ],
)
def test_counts_and_indices_of_an_xgboost_json_are_checked(change: Callable[[dict], object], reason: str) -> None:
    found = json.loads(FILES["xgboost"]["xgboost.json"])
    change(found)
    assert reason in refusal("xgboost", {"xgboost.json": json.dumps(found).encode()})


@pytest.mark.parametrize(
    "content",
    [b"[" * 200_000, b'{"learner": NaN}', b'{"learner": {}, "learner": {}}', b"null", b"\xff\xfe", b"1" * 10_000],
)
@pytest.mark.parametrize("kind", ["ridge", "xgboost"])
def test_json_made_to_break_a_reader_is_refused(kind: str, content: bytes) -> None:
    assert NAMES[kind] in refusal(kind, {NAMES[kind]: content})


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"1"', "true", "null", "[1]", "1" * 400])
def test_a_weight_that_is_no_number_is_refused(value: str) -> None:
    text = re.sub(r'"intercept": [^\n]*', f'"intercept": {value}', FILES["ridge"]["ridge.json"].decode())
    assert "ridge.json" in refusal("ridge", {"ridge.json": text.encode()})


def test_a_file_larger_than_any_model_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LARGEST", 100)
    assert "no model has more than 100" in refusal("ridge", FILES["ridge"])


@pytest.mark.parametrize(
    "members", ['["ridge", "ridge"]', '["ensemble"]', '["../ridge"]', "[]", '"ridge"', "[1]", '["ridge", "svm"]']
)
def test_an_ensembles_members_must_be_learners_each_once(members: str) -> None:
    manifest = json.dumps({"kind": "ensemble", "features": list(DATA.features), "members": json.loads(members)})
    assert "ensemble.json" in refusal("ensemble", FILES["ensemble"] | {"ensemble.json": manifest.encode()})


def test_an_ensembles_broken_member_is_named() -> None:
    broken = FILES["ensemble"] | {"lightgbm/lightgbm.txt": b"tree\n"}
    assert "lightgbm/lightgbm.txt" in refusal("ensemble", broken)


@pytest.mark.parametrize("kind", ["momentum_12_1", "svm", ""])
def test_what_is_never_stored_is_no_kind(kind: str) -> None:
    assert "no stored model of the kind" in refusal(kind, {})


def test_the_digest_tells_contents_and_names_apart() -> None:
    files = {"a": b"12", "b": b"3"}
    digests = {files_digest(f) for f in (files, {"a": b"1", "b": b"23"}, {"b": b"12", "a": b"3"}, {"a": b"12"})}
    assert len(digests) == 4
    assert files_digest(dict(reversed(files.items()))) == files_digest(files)
