"""The best configurations of a sweep, trained again: a sweep of its own, in ``{output_root}/retrain/{name}/``.

Same executor, same ledger, same share of the machine as the search, but a race in place of a sampler and no rungs.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from analysis.counted import Counted, groups_of
from analysis.race import SEED, Contender, Race
from analysis.results import SweepResults
from analysis.verdict import Run
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.errors import UserError
from src.folders import move_aside
from src.provenance import provenance
from src.scoring.evaluate import evaluate
from src.scoring.inference import load_network
from sweeps.identity import differences, surroundings
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Ledger
from sweeps.plan import SweepPlan, chosen_by
from sweeps.spec import Asha, Budget, SweepSpec
from sweeps.study import Study
from trainable.card_memory import fit_networks, refuse_misfits
from trainable.rehearsal import rehearse
from trainable.resources import Resources
from trainable.trial import trial_overrides

OURS = ("seed", "threads", "training.epochs", "training.metric", "output_root")
"""Keys that the finals decide anew."""
TEST_DATA = "test data"
"""Its fingerprint, as a part of what a race is; older ledgers do not have it."""


@dataclass(frozen=True)
class Asked:
    """What is to be trained again."""

    top: int
    seeds: int
    epochs: int | None
    metric: str


@dataclass(frozen=True)
class Finals:
    """A race that is open in its folder."""

    plan: SweepPlan
    race: Race
    study: Study
    ledger: Ledger

    @property
    def groups(self) -> tuple[str, ...]:
        """Of the test images, in their order."""
        data = self.plan.config.data
        return groups_of(data.root, open_split(data, "test").stems)

    @property
    def epochs(self) -> int:
        """Of each training."""
        return self.plan.spec.asha.max_epochs

    @property
    def begun(self) -> str:
        """When the sweep was, whose best these are."""
        return self.ledger.get("asked")["identity"]["sweep begun"]

    def runs(self) -> list[Run]:
        """All trainings that came to their end, each scored on the test split, which is done once."""
        complete = [row for row in self.study.rows.values() if row.state == "complete"]
        return [score(row, self.race.contender_of(row), self.plan) for row in complete]


def contenders_of(sweep: SweepResults, asked: Asked) -> list[Contender]:
    """The default first, then the best others, by the best value of the metric over their epochs."""
    values = best_values(sweep, asked.metric)
    if not values:
        raise UserError(f"{sweep.folder} holds no trial with a {asked.metric}: nothing can be called best.")
    if any(SEED in params for params in sweep.params.values()):
        raise UserError(
            f"{sweep.name} has searched {SEED}, which is no configuration: nothing can be trained on others."
        )
    default = str(sweep.trials.sort_values("number")["trial"].iloc[0])
    best = [name for name in sorted(values, key=lambda name: (-values[name], name)) if name != default]
    names = (default, *best[: asked.top])
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
    fixed = Overrides.parse(sweep.about["fixed"]).without(*OURS)
    if data_root:
        fixed = fixed.without("data.root").plus([f"data.root={data_root}"])
    root = load_config(fixed).data.root
    if not root.is_dir():
        raise UserError(
            f"{root}, where the data of {sweep.name} was, is no folder: say --data-root with where it is now."
        )
    return fixed


def plan_of(
    sweep: SweepResults,
    asked: Asked,
    contenders: Sequence[Contender],
    resources: Resources,
    data_root: Path | None = None,
) -> SweepPlan:
    """The race as a sweep on the machine it runs on, which need not be that of the search."""
    kept = fixed_of(sweep, data_root)
    epochs = asked.epochs or sweep.rungs[-1]
    budget: dict[str, Any] = sweep.about["budget"]
    root = sweep.folder.parents[1]
    place = () if root == load_config().output_root else (f"output_root={root}",)
    fixed = kept.plus([*place, chosen_by(asked.metric), f"training.epochs={epochs}", *resources.overrides()])
    spec = SweepSpec(
        fixed=tuple(fixed),
        space={},
        asha=Asha(grace_period=epochs, reduction_factor=2, max_epochs=epochs),  # no rungs
        budget=Budget(
            trials=len(contenders) * asked.seeds,
            hang_minutes=budget["hang_minutes"],
            checkpoints_gib=float("inf"),  # they are what one wants
        ),
        metric=asked.metric,
    )
    points = tuple({SEED: 0, **contender.params} for contender in contenders)
    return SweepPlan(sweep.name, spec, 0, fixed, {}, points, resources, home="retrain")


def open_finals(
    sweep: SweepResults,
    asked: Asked,
    resources: Resources,
    resume: bool,
    fresh: bool,
    data_root: Path | None = None,
) -> Finals:
    """Begin the race, or go on with it.

    If one is there of other configurations, epochs, data or code, that is a ``UserError`` with the differences.
    ``resume``: its configurations and options count, and not what the sweep would propose now; only the number of
    seeds may be another (0: as before).
    """
    folder = folder_of(sweep)
    if fresh and folder.exists():
        print(f"What was there is now {move_aside(folder)}.")
    before = read_asked(folder)
    if resume and before is None:
        raise UserError(f"{folder} holds nothing to go on with: leave out --resume.")
    if resume and before:
        then = Asked(**before["asked"])
        asked = replace(then, seeds=asked.seeds or then.seeds)
        contenders = [Contender(**found) for found in before["contenders"]]
    else:
        contenders = contenders_of(sweep, asked)
    plan = plan_of(sweep, asked, contenders, resources, data_root)
    names = ", ".join(found.trial for found in contenders)
    now = {"sweep begun": sweep.begun, "configurations": names, "metric": asked.metric}
    now |= surroundings(plan) | {TEST_DATA: open_split(plan.config.data, "test").fingerprint}
    if before and (changes := differences({TEST_DATA: now[TEST_DATA]} | before["identity"], now)):
        raise UserError(
            f"{folder} was begun with something else:\n" + "\n".join(changes) + "\n--fresh moves it aside and starts "
            "anew; --resume goes on with what was begun, if code and data are the same."
        )
    changed = [name for name in now if (name in sweep.identity and name == "data") or name.endswith((".py", ".yaml"))]
    if changed := [name for name in changed if sweep.identity.get(name, now[name]) != now[name]]:
        print(f"Changed since the search, so its scores are of something else: {', '.join(changed)}.")
    check(plan, contenders)
    folder.mkdir(parents=True, exist_ok=True)
    race = Race(contenders, contenders[0].trial, fresh_seeds(sweep, asked.seeds))
    return begin(
        plan, race, {"asked": asdict(asked), "contenders": [asdict(one) for one in contenders], "identity": now}
    )


def read_asked(folder: Path) -> dict[str, Any] | None:
    """What a race that is there was begun with."""
    if not (folder / NAME).is_file():
        return None
    ledger = Ledger(folder / NAME, read_only=True)
    found = ledger.get("asked")
    ledger.close()
    return cast(dict[str, Any] | None, found)


def begin(plan: SweepPlan, race: Race, asked: dict[str, Any]) -> Finals:
    """A session more of the race, in its ledger."""
    ledger = Ledger(plan.folder / NAME)
    study = Study(race, plan.spec.asha, plan.spec.budget, plan.spec.metric, ledger=ledger)
    study.replay(ledger.entries())
    about = provenance()
    with ledger.transaction():
        ledger.put("asked", asked)
        ledger.put("rules", {"asha": asdict(plan.spec.asha), "form": plan.spec.form, "metric": plan.spec.metric})
        study.begin_session(commit=about["commit"], packages=about["packages"])
    plan.save(plan.folder / "sweep.yaml", f"Which of the best of {plan.name}, and is it better than the default?")
    return Finals(plan, race, study, ledger)


def check(plan: SweepPlan, contenders: Sequence[Contender]) -> None:
    """What would end the race, before it begins: missing images, a configuration that cannot be built any more."""
    data = plan.config.data
    for split in SPLITS:
        open_split(data, split)
    overrides = (trial_overrides(plan.fixed, found.params) for found in contenders)
    networks = rehearse(overrides, bool(plan.resources.cards))
    fits = fit_networks(networks, plan.resources, plan.fixed)
    refuse_misfits(fits, plan.resources.share_mib)
    for fit in fits:
        if fit.halved:
            print(fit)


def fresh_seeds(sweep: SweepResults, count: int) -> list[int]:
    """0, 1, 2, ... without the seed that the search has used."""
    used = load_config(sweep.about["fixed"]).seed
    return [seed for seed in range(count + 1) if seed != used][:count]


def score(row: TrialRow, contender: str, plan: SweepPlan) -> Run:
    """A training's test scores: its best network on the test split, at the threshold that validation chose."""
    folder, data = plan.folder / row.name, plan.config.data
    counted = Counted.load(folder)
    if counted is None:
        asked = [f"data.root={data.root}", "evaluation.split=test", "evaluation.metrics=[iou]", "evaluation.tta=none"]
        scores = evaluate(load_network(folder / "checkpoints" / "best_model.pth", asked))
        counted = Counted(scores.histogram, scores.threshold, scores.stems, groups_of(data.root, scores.stems))
        counted.save(folder)
    assert row.score is not None
    return Run(
        contender=contender,
        seed=row.params[SEED],
        folder=row.name,
        validated=row.score,
        threshold=counted.threshold,
        scores=counted.scores,
        parts=counted.parts(plan.spec.metric),
        epoch_seconds=row.seconds / row.epochs,
    )
