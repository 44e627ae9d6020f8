"""Trains the best configurations of a sweep again, as a sweep of its own in ``{output_root}/retrain/{name}/``.

Same session, ledger and executor as the search, but the sampler is a race, and no trial is stopped.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from analysis.image_counts import ImageCounts, groups_of
from analysis.results import SweepResults
from analysis.retrain.race import SEED, Contender, Race
from analysis.verdict import Run
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.errors import UserError
from src.folders import move_aside
from src.scoring.evaluate import evaluate
from src.scoring.inference import load_network
from sweeps.identity import differences, surroundings
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan, chosen_by
from sweeps.search.trial import Trial, TrialState
from sweeps.session import Session, open_session
from sweeps.spec import Budget, NoStopping, SweepSpec
from trainable.card_memory import fit_networks, refuse_misfits
from trainable.resources import Resources
from trainable.smoke_test import run_smoke_test
from trainable.trial import trial_overrides

SET_ANEW = ("seed", "threads", "training.epochs", "training.metric", "output_root")
"""Keys of the search that a retraining sets itself."""
KEPT = "asked"
"""The key in a ledger of what a race was begun with."""
TEST_DATA = "test data"
"""The name of its fingerprint in a race's identity; older ledgers do not have it."""


@dataclass(frozen=True)
class RaceSettings:
    """What is trained again."""

    top: int
    """How many of the best configurations, beside the default."""
    seeds: int
    epochs: int | None
    """Of each training. None: as many as the sweep's longest."""
    metric: str


@dataclass(frozen=True)
class Retraining:
    """A race that is open in its folder."""

    session: Session
    race: Race
    sweep_begun: str
    """When the sweep was begun whose best these are."""

    @property
    def plan(self) -> SweepPlan:
        return self.session.plan

    @property
    def trials(self) -> list[Trial]:
        return list(self.session.study.trials.values())

    @property
    def epochs(self) -> int:
        """Of each training."""
        return self.plan.spec.scheduler.max_epochs

    def groups(self) -> tuple[str, ...]:
        """Of the test images, in their order."""
        data = self.plan.config.data
        return groups_of(data.root, open_split(data, "test").stems)

    def runs(self) -> list[Run]:
        """All trainings that came to their end, each scored on the test split, which is done once."""
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        return [score(trial, self.race.contender_of(trial), self.plan) for trial in complete]


def contenders_of(sweep: SweepResults, settings: RaceSettings) -> list[Contender]:
    """The default first, then the best others, by the best value of the metric over their epochs."""
    values = best_values(sweep, settings.metric)
    if not values:
        raise UserError(f"{sweep.folder} holds no trial with a {settings.metric}: so there is no best.")
    if any(SEED in params for params in sweep.params.values()):
        raise UserError(
            f"{sweep.name} has searched the key '{SEED}', so its trials differ by seed; retrain-best, which uses fresh "
            "seeds, cannot compare them."
        )
    default = str(sweep.trials.sort_values("number")["trial"].iloc[0])
    best = [name for name in sorted(values, key=lambda name: (-values[name], name)) if name != default]
    names = (default, *best[: settings.top])
    return [Contender(name, sweep.params[name], values.get(name), epochs_of(sweep, name)) for name in names]


def epochs_of(sweep: SweepResults, trial: str) -> int:
    """How long the search has trained a trial; one that early stopping has ended counts as trained to the end."""
    row = sweep.trials.set_index("trial").loc[trial].to_dict()
    return sweep.rungs[-1] if row["state"] == "complete" else int(row["epochs"])


def best_values(sweep: SweepResults, metric: str) -> dict[str, float]:
    """The best value over its epochs of each trial that did not fail."""
    if metric == sweep.metric:
        found = sweep.ranked
        return dict(zip(found["trial"], found["score"].astype(float), strict=True))
    if metric not in sweep.reports:
        raise UserError(f"--metric {metric}: the sweep's trials have not reported it.")
    best: dict[str, float] = sweep.reports.groupby("trial")[metric].max().to_dict()  # type: ignore[reportUnknownMemberType]
    return {name: best[name] for name in sweep.ranked["trial"] if name in best}


def folder_of(sweep: SweepResults) -> Path:
    """Where the best of a sweep are trained again."""
    return sweep.folder.parents[1] / "retrain" / sweep.name


def fixed_of(sweep: SweepResults, data_root: Path | None = None) -> Overrides:
    """The search's fixed overrides, without what is decided anew; ``data_root``: where its data is now."""
    fixed = Overrides.parse(sweep.about["fixed"]).without(*SET_ANEW)
    if data_root:
        fixed = fixed.without("data.root").plus([f"data.root={data_root}"])
    root = load_config(fixed).data.root
    if not root.is_dir():
        raise UserError(
            f"{root}, where the data of {sweep.name} was, is not a folder: give its place now with --data-root."
        )
    return fixed


def plan_of(
    sweep: SweepResults,
    settings: RaceSettings,
    contenders: Sequence[Contender],
    resources: Resources,
    data_root: Path | None = None,
) -> SweepPlan:
    """The race as a sweep on the machine it runs on, which need not be the search's."""
    kept = fixed_of(sweep, data_root)
    epochs = settings.epochs or sweep.rungs[-1]
    budget: dict[str, Any] = sweep.about["budget"]
    root = sweep.folder.parents[1]
    place = () if root == load_config().output_root else (f"output_root={root}",)
    fixed = kept.plus([*place, chosen_by(settings.metric), f"training.epochs={epochs}", *resources.overrides()])
    spec = SweepSpec(
        fixed=tuple(fixed),
        space={},
        scheduler=NoStopping(max_epochs=epochs),
        budget=Budget(
            trials=len(contenders) * settings.seeds,
            hang_minutes=budget["hang_minutes"],
            checkpoints_gib=float("inf"),  # they are what one wants
        ),
        metric=settings.metric,
    )
    points = tuple({SEED: 0, **contender.params} for contender in contenders)
    return SweepPlan(sweep.name, spec, 0, fixed, {}, points, resources, parent_folder="retrain")


def open_retraining(
    sweep: SweepResults,
    settings: RaceSettings,
    resources: Resources,
    resume: bool,
    fresh: bool,
    data_root: Path | None = None,
) -> Retraining:
    """Begin the race, or continue it.

    If one is there of other configurations, epochs, data or code, that is a ``UserError`` with the differences.
    ``resume``: its configurations and options count, and not what the sweep would propose now; only the number of
    seeds may be another (0: as before).
    """
    folder = folder_of(sweep)
    if fresh and folder.exists():
        print(f"What was there is now {move_aside(folder)}.")
    before = read_kept(folder)
    if resume and before is None:
        raise UserError(f"{folder} holds nothing to continue: leave out --resume.")
    if resume and before:
        then = RaceSettings(**before["asked"])
        settings = replace(then, seeds=settings.seeds or then.seeds)
        contenders = [Contender(**found) for found in before["contenders"]]
    else:
        contenders = contenders_of(sweep, settings)
    plan = plan_of(sweep, settings, contenders, resources, data_root)
    names = ", ".join(found.trial for found in contenders)
    now = {"sweep begun": sweep.begun, "configurations": names, "metric": settings.metric}
    now |= surroundings(plan) | {TEST_DATA: open_split(plan.config.data, "test").fingerprint}
    if before and (changes := differences({TEST_DATA: now[TEST_DATA]} | before["identity"], now)):
        raise UserError(
            f"{folder} was begun with something else:\n" + "\n".join(changes) + "\n--fresh moves it aside and starts "
            "anew; --resume continues what was begun, if code and data are the same."
        )
    changed = [name for name in now if (name in sweep.identity and name == "data") or name.endswith((".py", ".yaml"))]
    if changed := [name for name in changed if sweep.identity.get(name, now[name]) != now[name]]:
        print(f"Changed since the search, so its scores are of something else: {', '.join(changed)}.")
    check(plan, contenders)
    race = Race(contenders, contenders[0].trial, fresh_seeds(sweep, settings.seeds))
    kept = {"asked": asdict(settings), "contenders": [asdict(one) for one in contenders], "identity": now}
    question = f"Which of the best of {plan.name}, and is it better than the default?"
    folder.mkdir(parents=True, exist_ok=True)
    session = open_session(plan, Ledger(folder / LEDGER_FILE), race, now, {KEPT: kept}, question)
    return Retraining(session, race, now["sweep begun"])


def read_kept(folder: Path) -> dict[str, Any] | None:
    """What the race in a folder was begun with; None: there is none."""
    if not (folder / LEDGER_FILE).is_file():
        return None
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    found = ledger.get(KEPT)
    ledger.close()
    return cast(dict[str, Any] | None, found)


def check(plan: SweepPlan, contenders: Sequence[Contender]) -> None:
    """Check before the race begins: images, and that every configuration still builds, steps and fits on its card."""
    data = plan.config.data
    for split in SPLITS:
        open_split(data, split)
    overrides = (trial_overrides(plan.fixed, found.params) for found in contenders)
    networks = run_smoke_test(overrides, bool(plan.resources.cards))
    fits = fit_networks(networks, plan.resources, plan.fixed)
    refuse_misfits(fits, plan.resources.share_mib)
    for fit in fits:
        if fit.halved:
            print(fit)


def fresh_seeds(sweep: SweepResults, count: int) -> list[int]:
    """0, 1, 2, ... without the seed that the search has used."""
    used = load_config(sweep.about["fixed"]).seed
    return [seed for seed in range(count + 1) if seed != used][:count]


def score(trial: Trial, contender: str, plan: SweepPlan) -> Run:
    """A training's test scores: its best network on the test split, at the threshold that validation chose."""
    folder, data = plan.folder / trial.name, plan.config.data
    counted = ImageCounts.load(folder)
    if counted is None:
        asked = [f"data.root={data.root}", "evaluation.split=test", "evaluation.metrics=[iou]", "evaluation.tta=none"]
        scores = evaluate(load_network(folder / "checkpoints" / "best_model.pth", asked))
        counted = ImageCounts(scores.histogram, scores.threshold, scores.stems, groups_of(data.root, scores.stems))
        counted.save(folder)
    assert trial.score is not None
    return Run(
        contender=contender,
        seed=trial.params[SEED],
        folder=trial.name,
        validated=trial.score,
        threshold=counted.threshold,
        scores=counted.scores,
        parts=counted.parts(plan.spec.metric),
        epoch_seconds=trial.seconds / trial.epochs,
    )
