"""What every node of a cluster must have before a trial runs there, and one sentence for each thing that it lacks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from src.cards import Card
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.errors import UserError
from src.provenance import provenance
from sweeps.identity import training_code
from sweeps.plan import SweepPlan
from sweeps.search.space import few_corners
from sweeps.writer import lock_of
from trainable.corners import by_network
from trainable.guard import HELD_MIB
from trainable.node_report import NodeReport, Question
from trainable.overrides import trial_overrides
from trainable.resources import Node, Resources

LEAST_MIB = 1024
"""Main memory that a trial needs at least: torch, and a small network."""


@dataclass(frozen=True)
class Here:
    """What the machine has on which the sweep was started. Every node must have the same."""

    lock: Path
    lock_text: str
    python: str
    packages: Mapping[str, str | None]
    code: Mapping[str, str]
    data: Mapping[str, str]


def look_here(plan: SweepPlan) -> Here:
    """Read it. The sweep's folder is locked by this process."""
    about, lock = provenance(), lock_of(plan.folder)
    data = {split: open_split(plan.config.data, split).fingerprint for split in SPLITS}
    return Here(lock, lock.read_text(), about["python"], about["packages"], training_code(), data)


def question_for(plan: SweepPlan, here: Here) -> Question:
    """What the sweep asks each node."""
    points = [*few_corners(plan.spec.space), *plan.known_points]
    groups = by_network(trial_overrides(plan.fixed, point) for point in points)
    return Question(here.lock, tuple(here.code), plan.fixed, tuple(group[0] for group in groups))


def problems(node: Node, report: NodeReport, here: Here, resources: Resources) -> list[str]:
    """What a node lacks, a sentence each."""
    lacking = [
        *no_shared_folder(report, here),
        *other_software(report, here),
        *other_data(report, here),
        *little_memory(report, resources.places_on(node)),
    ]
    return [f"{node}: {sentence}" for sentence in lacking]


def no_shared_folder(report: NodeReport, here: Here) -> Iterator[str]:
    folder = here.lock.parent
    if report.lock_text != here.lock_text:
        yield f"{folder} is not the same folder as here. Put output_root on a disk that all nodes mount at one path."
    elif report.not_writable:
        yield f"cannot write to {report.not_writable}. All nodes need the right to write to output_root."


def other_software(report: NodeReport, here: Here) -> Iterator[str]:
    if report.python != here.python:
        yield f"has Python {report.python}, and here it is {here.python}. Use the same environment on all nodes."
    others = [
        f"{name} {report.packages.get(name) or 'missing'} (here {version})"
        for name, version in here.packages.items()
        if report.packages.get(name) != version
    ]
    if others:
        yield f"has other packages: {', '.join(others)}. Use the same environment on all nodes."
    files = [name for name, digest in here.code.items() if report.code.get(name) != digest]
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"has other code than here: {files[0]}{more}. Use the same checkout on all nodes."


def other_data(report: NodeReport, here: Here) -> Iterator[str]:
    for split, fingerprint in here.data.items():
        if (found := report.data.get(split, "")) != fingerprint:
            what = "has other images than here" if found.isalnum() else f"cannot read the images: {found}"
            yield f"{what} (split {split}). Put data.root on a disk that all nodes mount at one path, or copy it anew."
            return


def little_memory(report: NodeReport, places: int) -> Iterator[str]:
    if report.free_mib < places * LEAST_MIB:
        yield (
            f"has {report.free_mib} MiB of free memory, and {places} trials at once need {places * LEAST_MIB}. "
            "Use a smaller --trials-at-once, or free some memory."
        )


def lacking_weights(node: Node, report: NodeReport, known: Mapping[str, bool]) -> list[str]:
    """Pretrained weights that are ``known`` to be on another node and are not on this one."""
    lacking = [name for name, loaded in known.items() if loaded and not report.weights.get(name)]
    return [
        f"{node}: lacks the pretrained weights of {', '.join(lacking)}, which other nodes have: its trials would begin "
        "with random ones. Put HF_HOME on a disk that all nodes mount, or load the weights there once."
        for _ in lacking[:1]
    ]


def unusable_cards(
    node: Node, cards: tuple[Card, ...] | str, asked: int, share_mib: int | None, beside: int
) -> list[str]:
    """Why a node's graphics cards cannot be used: torch fails, it finds another number than Ray, or one is too small.

    ``share_mib``: memory that each trial must have, where it is known; ``beside``: trials on each card.
    """
    if isinstance(cards, str):
        return [f"{node}: {cards}"]
    if len(cards) != asked:
        return [
            f"{node}: Ray has {asked} graphics cards there, and torch finds {len(cards)}. Start Ray there with "
            f"--num-gpus={len(cards)}."
        ]
    least = 0 if share_mib is None else share_mib - HELD_MIB // beside
    small = [card for card in cards if card.share(beside) < least]
    return [
        f"{node}: {card} has {card.share(beside)} MiB for each trial, and this sweep was planned for {share_mib}."
        for card in small[:1]
    ]


def raise_if_any(lines: Iterable[str]) -> None:
    """Raise a ``UserError`` with these lines, if there are any."""
    if found := [*lines]:
        raise UserError("\n".join(found))
