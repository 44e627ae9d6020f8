"""Retrains the best configurations of a sweep, as a separate sweep in ``{output_root}/retrain/{name}/``.

It uses the same session, ledger and executor as a search, but the sampler is a race, and no scheduler stops
a training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import numpy as np

from analysis.image_counts import ImageCounts, groups_of
from analysis.results import SweepResults
from analysis.retrain.contenders import SEED, Contender, RaceSettings, contenders_of, fixed_of, folder_of, fresh_seeds
from analysis.retrain.folds import FOLDER as FOLDS
from analysis.retrain.folds import describe_folds, make_folds, photographs_of
from analysis.retrain.race import Race, block_of
from analysis.verdict import ComparedOn, Run
from src.config.compose import load_config
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.data.pairs import find_pairs
from src.errors import UserError
from src.folders import move_aside
from src.scoring.ensemble import load_networks
from src.scoring.evaluate import evaluate
from sweeps.identity import differences, digests, surroundings
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan, keep_best_by, with_absolute_paths
from sweeps.search.trial import Trial, TrialState
from sweeps.session import Session, open_session
from sweeps.spec import Budget, NoStopping, SweepSpec
from trainable.card_memory import fit_networks, refuse_misfits
from trainable.overrides import trial_overrides
from trainable.resources import Resources
from trainable.smoke_test import run_smoke_test

RACE_KEY = "asked"
"""The ledger's key for the race's settings and contenders."""
RACE = Path(__file__).with_name("race.py")
"""The code that decides which configuration gets the next seed."""
TEST_DATA = "test data"
"""The name of the test data's fingerprint in a race's identity; older ledgers do not have it."""


@dataclass(frozen=True)
class Retraining:
    """A race with its open session."""

    session: Session
    race: Race
    settings: RaceSettings
    sweep_begun: str
    """The start time of the sweep whose configurations are retrained."""

    @property
    def plan(self) -> SweepPlan:
        return self.session.plan

    @property
    def trials(self) -> list[Trial]:
        return list(self.session.study.trials.values())

    @property
    def epochs(self) -> int:
        """Epochs of each training."""
        return self.plan.spec.scheduler.max_epochs

    def images(self) -> ComparedOn:
        """The test images, in their order; with folds, those of all folds."""
        folds = self.race.folds
        roots = folds or {"": self.plan.config.data.root}
        stems = {name: [pair.image.stem for pair in find_pairs(root, "test")] for name, root in roots.items()}
        if not folds:
            return ComparedOn(groups_of(roots[""], stems[""]))
        return ComparedOn([fold for fold in folds for _ in stems[fold]], by_fold=True)

    def runs(self) -> list[Run]:
        """All complete trainings, scored on the test split. Each one is scored only once; the counts are stored."""
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        return [self.score(trial) for trial in complete]

    def score(self, trial: Trial) -> Run:
        """Score a training's best network on the test split, at the threshold that was chosen on validation."""
        folder, block = self.plan.folder / trial.name, block_of(trial)
        counts = ImageCounts.load(folder)
        if counts is None:
            root = self.race.folds[block.fold] if block.fold else self.plan.config.data.root
            counts = count_on_test(self.plan, [best_checkpoint(folder)], root)
            counts.save(folder)
        assert trial.score is not None
        return Run(
            contender=self.race.contender_of(trial),
            seed=block.seed,
            folder=trial.name,
            validated=trial.score,
            threshold=counts.threshold,
            scores=counts.scores,
            parts=counts.parts(self.plan.spec.metric),
            epoch_seconds=trial.seconds / trial.epochs,
            fold=block.fold,
        )

    def pooled(self, runs: Sequence[Run]) -> list[Run]:
        """The trainings as they are compared: with folds, those of a configuration and seed on all folds as one.

        Where a fold is missing, the configuration has no result with that seed.
        """
        if not self.race.folds:
            return list(runs)
        by_seed = dict[tuple[str, int], dict[str, Run]]()
        for run in runs:
            by_seed.setdefault((run.contender, run.seed), {})[run.fold] = run
        complete = (found for found in by_seed.values() if len(found) == len(self.race.folds))
        return [pool([found[fold] for fold in self.race.folds]) for found in complete]


def plan_of(
    sweep: SweepResults,
    settings: RaceSettings,
    contenders: Sequence[Contender],
    resources: Resources,
    data_root: Path | None = None,
) -> SweepPlan:
    """The plan of the race as a sweep on this machine, which may differ from the search's machine."""
    search_overrides = fixed_of(sweep, data_root)
    epochs = settings.epochs or sweep.rungs[-1]
    budget: dict[str, Any] = sweep.about["budget"]
    root = sweep.folder.parents[1]
    output = () if root == load_config().output_root else (f"output_root={root}",)
    own = [*output, keep_best_by(settings.metric), f"training.epochs={epochs}", *resources.overrides()]
    fixed = search_overrides.plus(own)
    if resources.nodes:
        fixed = with_absolute_paths(fixed)
    spec = SweepSpec(
        fixed=tuple(fixed),
        space={},
        scheduler=NoStopping(max_epochs=epochs),
        budget=Budget(
            trials=len(contenders) * settings.seeds * max(1, settings.folds),
            hang_minutes=budget["hang_minutes"],
            checkpoints_gib=float("inf"),  # the checkpoints are the result
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
    """Start the race, or continue an existing one.

    An existing race with other configurations, epochs, data or code is a ``UserError`` with the differences. With
    ``resume`` its configurations and options are used again, even if the sweep has other best trials now. Only the
    number of seeds may change (0: as before).
    """
    folder = folder_of(sweep)
    if fresh and folder.exists():
        print(f"The previous retraining was moved to {move_aside(folder)}.")
    before = read_race(folder)
    if resume and before is None:
        raise UserError(f"There is no retraining to continue in {folder}: leave out --resume.")
    if resume and before:
        then = settings_of(before)
        settings = replace(then, seeds=settings.seeds or then.seeds)
        contenders = [Contender(**one) for one in before["contenders"]]
    else:
        contenders = contenders_of(sweep, settings)
    plan = plan_of(sweep, settings, contenders, resources, data_root)
    now = identity_of(sweep, settings, plan, contenders)
    if before and (changes := differences({TEST_DATA: now[TEST_DATA]} | before["identity"], now)):
        raise UserError(
            f"The retraining in {folder} was started with other settings, code or data:\n"
            + "\n".join(changes)
            + f"\nIt was started with {settings_of(before).options}. Use --resume to continue it like that, if code "
            "and data are the same, or --fresh to move it aside and start over."
        )
    changed = [name for name in now if (name in sweep.identity and name == "data") or name.endswith((".py", ".yaml"))]
    if changed := [name for name in changed if sweep.identity.get(name, now[name]) != now[name]]:
        print(f"Changed since the search, so the search scores are not comparable: {', '.join(changed)}.")
    folds = make_folds(plan.config.data, settings.folds, folder / FOLDS) if settings.folds else []
    check_contenders(plan, contenders, folds)
    race = Race(contenders, contenders[0].trial, fresh_seeds(sweep, settings.seeds), folds)
    kept = {"asked": asdict(settings), "contenders": [asdict(one) for one in contenders], "identity": now}
    question = f"Which of the best configurations of {plan.name} is to be used, and is it better than the default?"
    folder.mkdir(parents=True, exist_ok=True)
    session = open_session(plan, Ledger(folder / LEDGER_FILE), race, now, {RACE_KEY: kept}, question)
    return Retraining(replace(session, label=race.label), race, settings, now["sweep begun"])


def settings_of(race: Mapping[str, Any]) -> RaceSettings:
    """The settings with which a race was started."""
    asked = race["asked"]
    return RaceSettings(**asked | {"within": tuple(asked.get("within", ()))})


def identity_of(
    sweep: SweepResults, settings: RaceSettings, plan: SweepPlan, contenders: Sequence[Contender]
) -> dict[str, str]:
    """What must be the same for a race to go on, as names and texts."""
    data, names = plan.config.data, ", ".join(one.trial for one in contenders)
    now = {"sweep begun": sweep.begun, "configurations": names, "metric": settings.metric}
    now |= surroundings(plan) | digests({RACE}) | {TEST_DATA: open_split(data, "test").fingerprint}
    if settings.within:
        now["within"] = ", ".join(settings.within)
    return now | ({"folds": describe_folds(photographs_of(data), settings.folds)} if settings.folds else {})


def read_race(folder: Path) -> dict[str, Any] | None:
    """The settings, contenders and identity of the race in a folder; None if there is no race."""
    if not (folder / LEDGER_FILE).is_file():
        return None
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    race = ledger.get(RACE_KEY)
    ledger.close()
    return cast(dict[str, Any] | None, race)


def check_contenders(plan: SweepPlan, contenders: Sequence[Contender], folds: Sequence[Path] = ()) -> None:
    """Check the images, and that every configuration can still be built and trained and fits on its card."""
    data = plan.config.data
    for root in folds or [data.root]:
        for split in SPLITS:
            open_split(data.model_copy(update={"root": root}), split)
    overrides = (trial_overrides(plan.fixed, one.params) for one in contenders)
    networks = run_smoke_test(overrides, bool(plan.resources.cards))
    fits = fit_networks(networks, plan.resources, plan.fixed)
    refuse_misfits(fits, plan.resources.share_mib)
    for fit in fits:
        if fit.halved:
            print(fit)


def pool(runs: Sequence[Run]) -> Run:
    """The trainings of one configuration and seed on all folds as one; threshold and folder mean nothing of it."""
    return replace(
        runs[0],
        fold="",
        folder="",
        threshold=float("nan"),
        scores={},
        validated=fmean(run.validated for run in runs),
        parts=np.concatenate([run.parts for run in runs]),
        epoch_seconds=fmean(run.epoch_seconds for run in runs),
    )


def best_checkpoint(run: Path) -> Path:
    """The best network of a training's folder."""
    return run / "checkpoints" / "best_model.pth"


def count_on_test(plan: SweepPlan, checkpoints: Sequence[Path], root: Path) -> ImageCounts:
    """Score a network, or the mean of several, on the test split of a data folder.

    The threshold is the best one on its validation split.
    """
    overrides = [
        f"data.root={root}",
        "evaluation.split=test",
        "evaluation.metrics=[iou]",
        "evaluation.tta=none",
        *(["device=auto"] if plan.config.device == "cuda" else []),  # this machine may have none
    ]
    scores = evaluate(load_networks(checkpoints, overrides))
    return ImageCounts(scores.histogram, scores.threshold, scores.stems, groups_of(root, scores.stems))
