"""The table of a verdict: a row for each configuration."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from analysis.intervals import Interval
from analysis.verdict import ConfigResult, SearchScore, Verdict, interval_text
from src.tables import fitted

HEADS = (
    "trial",
    "seeds",
    "search",
    "validation",
    "optimism",
    "test",
    "sd",
    "test 95 %",
    "gain",
    "gain 95 %",
    "s per epoch",
)
LEGEND = (
    "optimism: search score minus validation on fresh seeds, if both were trained for the same number of epochs; "
    "otherwise the search's epochs are in brackets. sd: over the seeds. gain: test score minus the default's, seed by "
    "seed."
)


def name_of(contender: str, default: str) -> str:
    return f"{contender} (default)" if contender == default else contender


def cells(line: ConfigResult, default: str, epochs: int) -> list[str]:
    """The cells of a configuration in the order of ``HEADS``. ``epochs``: the epochs of each retraining."""
    gain = (
        ["", ""]
        if line.gain is None
        else [f"{line.gain.mean:+.4f}", interval_text(line.gain) if line.gain.is_defined else "-"]
    )
    test = [f"{line.test.mean:.4f}", f"{line.test.sd:.4f}" if line.test.sd > 0 else "-", score_interval(line.test)]
    name = name_of(line.contender, default)
    head = [
        name,
        str(line.test.seeds),
        search_cell(line.search, epochs),
        f"{line.validated:.4f}",
        optimism(line, epochs),
    ]
    return [*head, *test, *gain, f"{line.epoch_seconds:.1f}"]


def search_cell(search: SearchScore, epochs: int) -> str:
    """The score in the search; with its epochs in brackets if they differ from those of the retraining."""
    if search.score is None:
        return "-"
    return f"{search.score:.4f}{f' ({search.epochs})' if search.epochs not in (0, epochs) else ''}"


def optimism(line: ConfigResult, epochs: int) -> str:
    """Search score minus validation on fresh seeds, if both were trained for the same number of epochs."""
    search = line.search
    return "-" if search.score is None or search.epochs != epochs else f"{search.score - line.validated:+.4f}"


def score_interval(found: Interval) -> str:
    """The interval of a score, limited to 0 and 1."""
    return f"[{max(0.0, found.low):.4f}, {min(1.0, found.high):.4f}]" if found.is_defined else "-"


def render_tables(verdict: Verdict, default: str, epochs: int, width: int) -> Iterator[Table]:
    """The verdict's table, split to fit ``width``."""
    styles = [
        "bold" if line.contender == verdict.chosen else "dim" if line.dropped else None for line in verdict.results
    ]
    return fitted(HEADS, [cells(line, default, epochs) for line in verdict.results], width, ("trial",), styles)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
