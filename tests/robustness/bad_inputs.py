"""What bad input comes to: ``python -m tests.robustness.bad_inputs [FAMILY ...] [--json FILE]``.

Each input stands alone in a data set, a command line or a folder that is otherwise good, and a command meets it in a
process of its own. Counted is how many were named: exit code 2, one sentence that says which file, key or value it is,
before anything was trained. The others were refused in another way, took too long, or got through; and whatever was
said, it is harm if code out of an input ran or a good file changed. The exit code is 1 if one input was not named.
``test_bad_inputs.py`` has a test for each of them.
"""

import argparse
import contextlib
import hashlib
import io
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from src.errors import EXIT_FAILED, EXIT_USER, UserError, run_command, unknown
from src.folders import user_path
from src.synthetic import write_dataset
from sweeps import spec, specs
from tests.robustness import bad_commands, bad_data, bad_masks
from tests.robustness.bad_commands import of_checkpoints, of_overrides, of_sweeps, of_yaml
from tests.robustness.bad_data import of_folders, of_photographs, of_sources
from tests.robustness.bad_home import Case, Home
from tests.robustness.bad_masks import of_masks, of_photographs_to_predict, of_words

LONGEST_SECONDS = 60.0
START = "forkserver"
"""How processes begin: out of a fresh one, because torch's gradients do not survive a fork of one that used cards."""
PRELOADED = ("tests.robustness.bad_inputs", "src.training.run", "src.scoring.evaluate", "sweeps.dry_run")
"""What takes seconds to import, once for all cases."""
KINDS = ("named", "another refusal", "too long", "through", "harm")
PROGRAMS = {
    name: import_module("run" if name == "run.py" else name).main
    for name in (
        "run.py",
        *(f"src.{name}" for name in ("evaluation", "predict", "measure", "label", "export", "prepare")),
        "sweeps.run",
    )
}
RESULTS = ("experiments", "sweeps", "predictions", "measures", "labels", "prepared")
"""Folders that a command makes when it has nothing to refuse."""


FAMILIES = (
    of_photographs,
    of_folders,
    of_sources,
    of_checkpoints,
    of_yaml,
    of_overrides,
    of_sweeps,
    of_photographs_to_predict,
    of_masks,
    of_words,
)


class Outcome(NamedTuple):
    kind: str
    """One of ``KINDS``."""
    seconds: float
    said: str


def cases() -> list[Case]:
    return [case for family in FAMILIES for case in family()]


def good_cases() -> list[Case]:
    """What is not to be refused."""
    return [*bad_commands.good_ones(), *bad_data.good_ones(), *bad_masks.good_ones()]


def make_home(root: Path) -> Home:
    """The good one, of which every case gets a copy."""
    home = Home(root)
    write_dataset(home.data, images=20, seed=1, size=32)
    with contextlib.redirect_stdout(io.StringIO()):
        PROGRAMS["run.py"](home.words())
    (folder,) = (root / "outputs" / "experiments").iterdir()
    shutil.copy(folder / "checkpoints" / "last.pth", home.network)
    shutil.rmtree(root / "outputs")
    return home


def judge(case: Case, good: Home, root: Path) -> Outcome:
    """Run the case's command on a copy of the good folder, and look at what it leaves."""
    home = Home(Path(shutil.copytree(good.root, root)))
    words = case.spoil(home)
    before, there_before = contents(home.root), results(home.root)
    begun = time.monotonic()
    code, said = run_apart(case.program, words, home)
    seconds = time.monotonic() - begun
    after = contents(home.root)
    if home.canary.exists() or any(after.get(path) != content for path, content in before.items()):
        kind = "harm"
    elif code is None:
        kind = "too long"
    elif code == 0 or results(home.root) != there_before:
        kind = "through"
    else:
        errors = [line for line in said.splitlines() if "error: " in line]
        kind = "named" if code == EXIT_USER and len(errors) == 1 and case.named in errors[0] else "another refusal"
    shutil.rmtree(root)
    return Outcome(kind, seconds, said)


def run_apart(program: str, words: list[str], home: Home) -> tuple[int | None, str]:
    """The command in a process of its own: its exit code, none if it takes too long, and all that it says."""
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context(START)
    context.set_forkserver_preload([*PRELOADED])
    process = context.Process(target=speak, args=(program, words, home, there))
    process.start()
    there.close()
    try:
        answer = here.recv() if here.poll(LONGEST_SECONDS) else (None, "")
    except EOFError:
        answer = (EXIT_FAILED, "the process died")
    process.kill()
    process.join()
    return answer


def speak(program: str, words: list[str], home: Home, there: Connection) -> None:
    said = io.StringIO()
    torch.set_num_threads(1)
    sys.argv = [program, *words]
    spec.SPECS_DIR = home.spec.parent
    specs.__path__[:] = [str(home.spec.parent)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = run_command(PROGRAMS[program])
        except SystemExit as error:
            code = error.code
        except BaseException as error:
            code, _ = EXIT_FAILED, said.write(repr(error))
    there.send((code, said.getvalue()))


def contents(root: Path) -> dict[Path, str]:
    """A fingerprint of each file, but for caches."""
    files = (path for path in root.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def results(root: Path) -> set[Path]:
    folders = {path for name in RESULTS for path in root.rglob(f"{name}/*") if path.is_dir()}
    return folders | set(root.rglob("exported"))


def table(counts: dict[str, Counter[str]]) -> Table:
    drawn = Table("input", "tried", *KINDS)
    for family, count in counts.items():
        drawn.add_row(family, str(count.total()), *(str(count[kind]) for kind in KINDS))
    total = sum(counts.values(), Counter[str]())
    drawn.add_row("all", str(total.total()), *(str(total[kind]) for kind in KINDS), style="bold")
    return drawn


def try_all(chosen: Sequence[Case], folder: Path) -> Iterator[tuple[Case, Outcome]]:
    """What each comes to, after what is good has been shown not to be refused."""
    good = make_home(folder / "good")
    for case in good_cases():
        outcome = judge(case, good, folder / "case")
        if outcome.kind != "through":
            raise UserError(f"Good input is refused, {case.name}: {outcome.said}")
    for case in chosen:
        yield case, judge(case, good, folder / "case")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.bad_inputs", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="those to try, if not all")
    parser.add_argument("--json", type=user_path, help="file for every outcome")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    families = list(dict.fromkeys(case.family for case in cases()))
    if foreign := sorted(set(options.families) - set(families)):
        raise unknown("family of bad inputs", foreign[0], families)
    counts: dict[str, Counter[str]] = {}
    outcomes: list[dict[str, object]] = []
    chosen = [case for case in cases() if case.family in (options.families or families)]
    with tempfile.TemporaryDirectory() as folder:
        for case, outcome in try_all(chosen, Path(folder).resolve()):
            counts.setdefault(case.family, Counter())[outcome.kind] += 1
            outcomes.append({"family": case.family, "name": case.name, **outcome._asdict()})
            if outcome.kind != "named":
                print(f"{outcome.kind}: {case.family}, {case.name!r}: {outcome.said.strip()[-400:]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(outcomes, indent=1))
    Console(width=120).print(table(counts))
    return EXIT_FAILED if any(outcome["kind"] != "named" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
