"""What only a graphics card can say, in eight minutes: ``python -m benchmarks.card --out DIR [SECTION[.PART] ...]``.

Each section is a process with its share of the time. ``DIR/card.json`` is rewritten after each, and so is
``DIR/card.md``, which says what each figure must be. The exit code is 0 if all are so, else 1. ``--dry`` runs all of it
tiny on a CPU: it shows that the sections run to their end, and no figure of it means anything.
"""

import argparse
import math
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.card.place import Place
from benchmarks.card.runs import DRY_FACTOR, MINUTES, SHARES, Result, about_card, run_sections, write_json
from benchmarks.card.table import Row, as_markdown, as_text, table_rows
from src.atomic import replace_text
from src.errors import EXIT_FAILED, UserError, run_command, unknown
from src.folders import user_path
from src.provenance import provenance


def main(argv: list[str]) -> int:
    begun = time.perf_counter()
    options = parse(argv)
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a killed sweep may still be writing
        place = Place(Path(folder), Path(folder) / "main.json", options.dry, options.memory_gib)
        about = describe(place, options.commit)
        content: dict[str, Any] = {"about": about, "dry": options.dry, "sections": {}}

        def keep(name: str, result: Result) -> None:
            content["sections"][name] = result
            write_json(out / "card.json", content)
            replace_text(out / "card.md", f"{heading(content, '- ')}\n\n{as_markdown(rows_of(content))}\n")
            print(f"{name}: {result['state']} after {result['seconds']} s", flush=True)

        seconds = 60 * options.minutes * (DRY_FACTOR if options.dry else 1.0)
        run_sections(place, options.sections, begun + seconds, keep)
    rows = rows_of(content)
    print(f"\n{heading(content, '')}\n\n{as_text(rows)}\n\n{verdict(rows, options.dry)}")
    return EXIT_FAILED if any(row.verdict == "NOT" for row in rows) else 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The options; an unknown section, or a file in place of the folder, is a ``UserError``.

    ``sections`` maps each section that is asked for to the parts that are, or to none where all are.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.card", description=(__doc__ or "").partition("\n")[0])
    names = f"{', '.join(SHARES)}; a part of one as the table names it: heal.dpt"
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"all if none is named: {names}")
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="where card.json and card.md go")
    parser.add_argument("--memory-gib", type=float, default=8.0, help="of the card that is meant; torch uses no more")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all sections together")
    parser.add_argument("--commit", help="what to call the code where there is no git to ask")
    parser.add_argument("--dry", action="store_true", help="tiny sizes on a CPU; no figure means anything")
    options = parser.parse_args(argv)
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out={options.out} is a file; legal: a folder, or a path that is not there yet.")
    for option, value in (("memory-gib", options.memory_gib), ("minutes", options.minutes)):
        if not 0 < value < math.inf:
            raise UserError(f"--{option}={value:g}: legal are numbers above 0.")
    options.sections = by_section(options.sections or list(SHARES))
    return options


def by_section(words: Sequence[str]) -> dict[str, list[str]]:
    """The parts of each section; none where the whole section is named. An unknown section is a ``UserError``."""
    found = dict[str, list[str]]()
    for word in words:
        name, _, part = word.partition(".")
        if name not in SHARES:
            raise unknown("section", name, SHARES)
        found.setdefault(name, []).append(part)
    return {name: [] if "" in parts else list(dict.fromkeys(parts)) for name, parts in found.items()}


def describe(place: Place, commit: str | None) -> dict[str, Any]:
    """Card, driver, versions and commit. Without a card that torch can use, a real check is a ``UserError``."""
    about = dict(about_card(place))
    if about["card"] is None and not place.dry:
        raise UserError("torch finds no graphics card that it can use here; --dry runs the sections on the CPU.")
    found = provenance()
    changed = " with changes" if found["dirty"] else ""
    return about | {"memory_gib": place.memory_gib, "commit": commit or f"{found['commit'] or 'not known'}{changed}"}


def rows_of(content: Mapping[str, Any]) -> list[Row]:
    return [row for name, found in content["sections"].items() for row in table_rows(name, found, content["dry"])]


def heading(content: Mapping[str, Any], mark: str) -> str:
    """What the figures are of, a line each."""
    lines = [f"{mark}{name}: {value}" for name, value in content["about"].items()]
    seconds = ", ".join(f"{name} {found['seconds']}" for name, found in content["sections"].items())
    dry = [f"{mark}dry run on a CPU with tiny sizes: no figure means anything"] if content["dry"] else []
    return "\n".join([*lines, f"{mark}seconds: {seconds}", *dry])


def verdict(rows: list[Row], dry: bool) -> str:
    """One sentence for the end."""
    wrong = [f"{row.section} {row.figure}" for row in rows if row.verdict == "NOT"]
    if wrong:
        return f"NOT as it must be: {'; '.join(wrong)}"
    return "All sections ran to their end." if dry else "All figures are as they must be."


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a section is ended too
    sys.exit(run_command(main))
