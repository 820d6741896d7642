"""Writes the table of the fixture into the manual, from the results of `bench.truth.run`.

    python -m bench.truth.report RESULT... [--peers 530] [--page docs/concepts/shadow.md]

Each RESULT is a file that `bench.truth.run --write` made; parts of one setting add up. With
`--peers`, Diffy's rule and a plain deep difference are fed with so many answers of every kind, here
and now: about as many seconds as that.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.truth import peers
from bench.truth.kinds import kinds

BEGIN, END = "<!-- truth -->", "<!-- /truth -->"
IN_TIME = round(1.3 * 472)
"""Pairs within which 99 % are to be proven: 472 are what the bound needs."""
_ROWS = (
    ("kinds of real difference", "real"),
    ("of these found", "found"),
    ("missed", "missed"),
    ("hidden as noise, or drowned in it", "hidden"),
    ("told, but not confirmed by then", "unconfirmed"),
    ("kinds that a sort of request has (a parameter, a cookie, an origin...)", "caused"),
    ("of these, with the sort named", "named"),
    ("a sort named where there is none", "invented"),
    ("kinds of noise", "noise"),
    ("of these called different, at any moment", "false"),
    ("refuted", "refuted"),
    ("proven to agree on 99 %", "proven"),
    ("of these within 1.3 times the 472 pairs that the bound needs", "in_time"),
    ("requests", "requests"),
    ("of these compared", "compared"),
    ("reads added at legacy", "reads"),
)
_ENDINGS = ("match", "mismatch", "new_failed", "unconfirmed", "not_comparable", "stale")


def figures(results: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The figures of one setting, of all its parts."""
    sums: defaultdict[str, int] = defaultdict(int)
    for result in results:
        words = [row["wrong"] for row in result["rows"]]
        real = [row for row in result["rows"] if row["real"]]
        sums["real"] += len(real)
        sums["noise"] += len(result["rows"]) - len(real)
        for name in ("missed", "hidden", "refuted"):
            sums[name] += words.count(name)
        sums["false"] += words.count("false") + words.count("refuted")
        after = [row["proven_after"] for row in result["rows"] if not row["real"]]
        sums["proven"] += sum(map(bool, after))
        sums["in_time"] += sum(0 < seen <= IN_TIME for seen in after)
        unknown = [row for row in real if row["wrong"] in ("", "undecided") and not row["found"]]
        sums["unconfirmed"] += len(unknown)
        sums["compared"] += sum(row[name] for row in result["rows"] for name in _ENDINGS)
        sums["found"] += len([row for row in real if row["found"]])
        if "causes" in result:  # an earlier run does not say
            told = result["causes"]
            sums["named"] += told.get("named", 0)
            sums["caused"] += told.get("named", 0) + told.get("unnamed", 0)
            sums["invented"] += told.get("invented", 0)
        sums["requests"] += result["requests"]
        sums["reads"] += result["read_again_at_legacy"]
    return dict(sums)


def of_peer(rule: Any, requests: int) -> dict[str, int]:
    """The figures of a simpler rule."""
    every = kinds()
    count = peers.judged(every, requests, rule)
    real = sum(kind.real for kind in every)
    return {
        "real": real,
        "found": count.found,
        "missed": count.missed,
        "hidden": count.drowned,
        "noise": len(every) - real,
        "false": count.false,
        "requests": requests * len(every),
        "reads": requests * len(every) if rule is peers.diffy else 0,
    }


def table(columns: dict[str, dict[str, int]]) -> str:
    """The table in Markdown."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for title, name in _ROWS:
        cells = [_cell(found.get(name)) for found in columns.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(number: int | None) -> str:
    return "-" if number is None else f"{number:,}".replace(",", " ")


def main() -> None:
    """Write the table between the markers of the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument(
        "--peers", type=int, default=0, help="requests for each kind, for the peers"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/concepts/shadow.md"))
    given = parser.parse_args()
    settings: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in given.results:
        result = json.loads(path.read_text(encoding="utf-8"))
        settings[result["legacy_reads"]].append(result)
    columns = {f"Figway, `{reads}`": figures(parts) for reads, parts in settings.items()}
    if given.peers:
        columns["Diffy's rule"] = of_peer(peers.diffy, given.peers)
        columns["deepdiff, plain"] = of_peer(peers.plain, given.peers)
    before, _, rest = given.page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n{table(columns)}\n{END}{after}"
    given.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
