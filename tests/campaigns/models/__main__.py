"""Do models that know nothing pass, and is what is planted found? `make models`, a quarter of an hour of two cores.

Every world is judged as a training is. Writes evidence/model_evidence.json, or the file that --out names; exit code 1
when a finding is not as it has to be. With --keep FILE judged worlds are appended to a file as they are done, and those
in it are not judged again by the same code.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.campaigns.evidence import MODEL_CAMPAIGNS, covered_hash, write_evidence
from tests.campaigns.models.campaign import ALL, NOISE_SEEDS, PLANTED_SEEDS, Judged, counted, findings, judged, worlds
from tests.campaigns.models.leaks import leaks_refused
from tests.campaigns.models.worlds import World


def main() -> None:
    """Judge the worlds and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", type=int, default=len(NOISE_SEEDS))
    parser.add_argument("--planted", type=int, default=len(PLANTED_SEEDS))
    parser.add_argument("--noise-years", type=int, nargs="+", choices=(3, 16), default=[16, 3])
    parser.add_argument("--models", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    listed = worlds(range(given.noise), range(given.planted), tuple(given.models), given.noise_years)
    code = covered_hash(MODEL_CAMPAIGNS["model_evidence"])
    found = [*_kept(given.keep, listed, code)]
    done = [_world(one) for one in found]
    left = [world for world in listed if world not in done]

    def tell(one: Judged) -> None:
        if given.keep:
            with given.keep.open("a") as file:
                file.write(json.dumps(one | {"code": code}) + "\n")
        said = {kind: f"ic {model['ic']}, found {model['found']}" for kind, model in one["models"].items()}
        print(f"{_world(one).name}: {said}, {one['seconds']} s", file=sys.stderr, flush=True)

    found += judged(left, given.processes, tell)
    groups = counted(found)
    leaks = leaks_refused()
    wrong = [*findings(groups), *(f"not refused: {name}" for name, line in leaks.items() if not line)]
    result = {"models": given.models, "leaks": leaks, **groups, "findings": wrong}
    if given.out:
        given.out.write_text(json.dumps(result, indent=2) + "\n")
    elif not wrong:
        write_evidence("model_evidence", result, MODEL_CAMPAIGNS["model_evidence"])
    print(json.dumps(result, indent=2))
    sys.exit(1 if wrong else 0)


def _kept(file: Path | None, listed: list[World], code: str) -> list[Judged]:
    if file is None or not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [one for one in lines if one["code"] == code and _world(one) in listed]


def _world(one: Judged) -> World:
    about = one["world"]
    return World(about["years"], about["ic"], about["seed"], tuple(about["models"]))


if __name__ == "__main__":
    main()
