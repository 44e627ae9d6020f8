"""Bad checkpoints, files of overrides, words of a command line, and sweeps."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sweeps.ledger import LEDGER_FILE
from tests.robustness.bad_files import CHECKPOINTS, OF_A_RUN, OF_A_START, OF_A_TRAINING, checkpoint, yaml_files
from tests.robustness.bad_home import Case, Home
from tests.robustness.bad_words import GOOD_SPACE, MODULES, OPTIONS, OVERRIDES, SHAPES, SPACES

LEDGERS = {"empty": b"", "text": b"not a database\n", "a head": b"SQLite format 3\0" + bytes(84), "zeros": bytes(4096)}


def good_ones() -> Iterator[Case]:
    """What is not to be refused, for every program."""
    yield Case("good", "a run", "", "run.py", Home.words)
    yield Case("good", "a sweep", "", "sweeps.run", partial(give_sweep, module_of(), "--dry-run"))
    for program in ("src.evaluation", "src.predict", "src.export", "run.py"):
        yield Case("good", f"a network, for {program}", "", program, partial(give_checkpoint, None, program))
    yield Case("good", "a network to start from", "", "run.py", partial(give_start, None))


def of_checkpoints() -> Iterator[Case]:
    """A network from elsewhere: to evaluate, to predict with, to export, to go on training from, to start from."""
    for program in ("src.evaluation", "src.predict", "src.export", "run.py"):
        for name in CHECKPOINTS:
            if name in (OF_A_RUN if program == "run.py" else OF_A_TRAINING):
                continue
            yield Case(
                "checkpoints", f"{name}, for {program}", "given.pth", program, partial(give_checkpoint, name, program)
            )
    for name in OF_A_START:
        yield Case("checkpoints", f"{name}, to start from", "given.pth", "run.py", partial(give_start, name))
    for name in ("text", "half of one", "bare weights", "a scale of nothing"):
        for program in ("src.predict", "src.export"):
            words = partial(give_ensemble, name, program)
            yield Case("checkpoints", f"{name} beside a good one, for {program}", "given.pth", program, words)
    for program in ("src.predict", "src.export"):
        words = partial(give_ensemble, None, program)
        yield Case("checkpoints", f"the same network twice, for {program}", "given twice", program, words)


def give_start(name: str | None, home: Home) -> list[str]:
    path = home.root / "given.pth"
    path.write_bytes(checkpoint(name, home.network, home.canary) if name else home.network.read_bytes())
    return [*home.words(), f"model.init_from={path}"]


def give_ensemble(name: str | None, program: str, home: Home) -> list[str]:
    """A good network and one from elsewhere; without a name: the good one twice."""
    path = home.root / "given.pth"
    if name:
        path.write_bytes(checkpoint(name, home.network, home.canary))
    else:
        path.hardlink_to(home.network)
    return [str(home.network), str(path), *words_beside(program, home)]


def words_beside(program: str, home: Home) -> list[str]:
    """The words after the checkpoints."""
    if program == "src.export":
        out = str(home.root / "exported")
        return ["--format", "torch-export", "--out", out, f"data.root={home.data}"]
    return [str(home.data / "test" / "images"), "--out", str(home.root / "predictions"), "device=cpu"]


def give_checkpoint(name: str | None, program: str, home: Home) -> list[str]:
    """Without a name: a good one."""
    path = home.root / "given.pth"
    path.write_bytes(checkpoint(name, home.network, home.canary) if name else home.network.read_bytes())
    if program in ("src.predict", "src.export"):
        return [str(path), *words_beside(program, home)]
    if program == "src.evaluation":
        return [f"model.checkpoint_path={path}", f"data.root={home.data}", "device=cpu"]
    return [*home.words(), "training.epochs=3", f"training.resume_from={path}"]


def of_yaml() -> Iterator[Case]:
    """A file of overrides from elsewhere."""
    for name in yaml_files(Path("canary")):
        named = "training.epoch" if name == "an unknown key" else "given.yaml"
        yield Case("files of overrides", name, named, "run.py", partial(give_yaml, name))


def give_yaml(name: str, home: Home) -> list[str]:
    path = home.root / "given.yaml"
    path.write_text(yaml_files(home.canary)[name])
    return [str(path), *home.words()]


def of_overrides() -> Iterator[Case]:
    """One word of the command line that is wrong."""
    for word, named in OVERRIDES.items():
        yield Case(
            "overrides",
            f"{word[:80]} ({len(word)} characters)" if len(word) > 80 else word,
            named,
            "run.py",
            partial(say, word),
        )


def say(word: str, home: Home) -> list[str]:
    return [*home.words(), word.replace("CANARY", str(home.canary))]


def of_sweeps() -> Iterator[Case]:
    """Options and modules of sweeps, and ledgers that are none."""
    for words, named in OPTIONS.items():
        yield sweep_case("options of sweeps", words, named, module_of(), words)
    for space, named in SPACES.items():
        yield sweep_case("spaces of sweeps", space, named, module_of(f"space={space}"))
    for part, named in SHAPES.items():
        yield sweep_case("specs of sweeps", part, named, module_of(part))
    for name, (module, named) in MODULES.items():
        yield sweep_case("specs of sweeps", name, named, module)
    for name in ("", "../bad", "/etc/passwd", "bad.py", "os", "quikstart", "sweeps.specs.quickstart"):
        yield Case("names of sweeps", name, name or "Unknown spec", "sweeps.run", partial(name_sweep, name))
    for words in ("--resume", "--check", "--extend 2", "--warm-start bad --name other"):
        for name, content in LEDGERS.items():
            spoil = partial(give_ledger, content, words)
            yield Case("ledgers of sweeps", f"{name}, for {words}", LEDGER_FILE, "sweeps.run", spoil)


def sweep_case(family: str, name: str, named: str, module: str, words: str = "") -> Case:
    return Case(family, name, named, "sweeps.run", partial(give_sweep, module, words))


def give_sweep(module: str, words: str, home: Home) -> list[str]:
    home.spec.parent.mkdir()
    home.spec.write_text(module)
    return ["bad", *home.sweep_words(), *words.split()]


def name_sweep(name: str, home: Home) -> list[str]:
    return [word for word in [name, *home.sweep_words()] if word]


def give_ledger(content: bytes, words: str, home: Home) -> list[str]:
    folder = home.root / "outputs" / "sweeps" / "bad"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("name: bad\n")
    (folder / LEDGER_FILE).write_bytes(content)
    return give_sweep(module_of(), words, home)


def module_of(*parts: str) -> str:
    """A sweep's module of these parts and, where they say nothing, good ones."""
    good = {
        "space": GOOD_SPACE,
        "scheduler": "Asha(grace_period=1, reduction_factor=3, max_epochs=3)",
        "budget": "Budget(trials=2)",
    }
    said = good | dict(part.split("=", 1) for part in parts)
    arguments = ", ".join(f"{name}={value}" for name, value in said.items())
    return f"""\"\"\"Is this refused?\"\"\"
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweeps.spec import Asha, Budget, Hyperband, NoStopping, SweepSpec
SPEC = SweepSpec({arguments})
"""
