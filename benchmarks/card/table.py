"""What each figure of the card check must be, and the table that says whether it is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from benchmarks.card.place import FAILED


@dataclass(frozen=True)
class Rule:
    """A figure's requirement, in words and as a test."""

    must: str
    holds: Callable[[Any], bool]


class Row(NamedTuple):
    """A line of the table. ``verdict`` is ok, NOT, - (nothing is required) or dry."""

    section: str
    figure: str
    value: str
    must: str
    verdict: str


def shown(value: object) -> str:
    """Four digits of a number, and of a text one line."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value) or "none"  # pyright: ignore[reportUnknownVariableType]
    return " ".join(str(value).split())


def at_most(limit: float, unit: str = "") -> Rule:
    return Rule(f"at most {limit:g}{unit}", lambda value: is_number(value) and value <= limit)


def at_least(limit: float) -> Rule:
    return Rule(f"at least {limit:g}", lambda value: is_number(value) and value >= limit)


def equal(expected: object) -> Rule:
    return Rule(shown(expected), lambda value: type(value) is type(expected) and value == expected)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


FINITE = Rule("finite", is_number)
NOTHING = equal([])
SOON = at_most(6, " s")
SEEN = at_least(64)  # MiB; else nvidia-smi does not tell the card's memory

RULES: Mapping[str, Mapping[str, Rule]] = {
    "numbers": {
        FAILED: NOTHING,
        "loss_error.float32": at_most(1e-4),
        "gradient_error.float32": at_most(1e-2),
        "iou_below_float32.bf16": at_most(0.02),
        "iou_below_float32.fp16": at_most(0.02),
        "waits_a_step": equal(0),
        "waits_a_step.resumed": equal(0),
    },
    "heal": {
        FAILED: NOTHING,
        "unet.micro_batch": at_most(16),  # else nothing was halved, and the section says nothing
        "accumulated.micro_batch": at_most(8),
        "swin_unet.micro_batch": at_most(16),
        "fp16.micro_batch": at_most(16),
        "averaged.micro_batch": at_most(16),
        "*.loss": FINITE,
        "*.left_mib": at_most(128, " MiB"),  # cuBLAS keeps a workspace of some tens
    },
    "speed": {
        FAILED: NOTHING,
        "unet_512_b4.ratio": at_least(0.95),
        "unet_512_b8.ratio": at_least(0.95),
        "unet_512_b8_bce.ratio": at_least(0.95),
        "swin_unet_512_b4.ratio": at_least(0.95),
    },
    "deterministic": {
        FAILED: NOTHING,
        "same_twice": equal(True),
        "same_resumed": equal(True),
        "refused_but_not_listed": NOTHING,
        "listed_but_not_refused": NOTHING,
    },
    "memory": {FAILED: NOTHING, "*.micro_batch": equal(4), "*.above_bound_mib": at_most(0, " MiB")},
    "packing": {FAILED: NOTHING, "*.halved": NOTHING},
    "sweep": {
        FAILED: NOTHING,
        "seconds_to_first_epoch": at_most(60, " s"),
        "mib_in_use": SEEN,
        "seconds_until_free": SOON,
        "resumed": equal(0),
        "checked": equal(0),
        "two_at_once": equal(0),
        "devices_beside_the_card": NOTHING,
    },
    "kill": {"mib_in_use": SEEN, "seconds_until_free": SOON, "processes_left": equal(0)},
    "scores": {"difference.float32.*": at_most(1e-4)},
}
"""By section: figures, with * for any name, and what they must be. Every other figure is only shown."""


def table_rows(section: str, result: Mapping[str, Any], dry: bool) -> list[Row]:
    """The lines of a section. One that failed or was left out has a line that says so, beside what it had found."""
    figures, state = result["figures"], result["state"]
    rows = [row_of(section, figure, value, dry) for figure, value in figures.items()]
    if state != "ended":
        rows.append(Row(section, state, shown(result.get("error", "")), "ended", "NOT"))
    elif not (dry or result.get("parts")):
        rows += missing(section, figures)
    return rows


def row_of(section: str, figure: str, value: object, dry: bool) -> Row:
    """A figure's line; a dry run's value means nothing and is not shown."""
    rule = rule_of(section, figure)
    must = rule.must if rule else "-"
    if dry and figure != FAILED:
        return Row(section, figure, "dry", must, "dry")
    verdict = "-" if rule is None else "ok" if rule.holds(value) else "NOT"
    return Row(section, figure, shown(value), must, verdict)


def rule_of(section: str, figure: str) -> Rule | None:
    rules = RULES.get(section, {})
    return next((rule for pattern, rule in rules.items() if fnmatchcase(figure, pattern)), None)


def missing(section: str, figures: Mapping[str, Any]) -> list[Row]:
    """A line for each requirement that no figure answers."""
    unanswered = {
        pattern: rule
        for pattern, rule in RULES.get(section, {}).items()
        if not any(fnmatchcase(figure, pattern) for figure in figures)
    }
    return [Row(section, pattern, "not measured", rule.must, "NOT") for pattern, rule in unanswered.items()]


def as_text(rows: list[Row]) -> str:
    """Columns for a terminal."""
    lines = [Row("section", "figure", "value", "must be", ""), *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(4)]
    widths[2] = min(widths[2], 48)
    return "\n".join(
        " ".join(f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in lines
    )


def as_markdown(rows: list[Row]) -> str:
    lines = [Row("section", "figure", "value", "must be", "verdict"), Row(*["---"] * 5), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)
