"""Pictures in a user's folder that became no part of the data set: nothing is left out without a word."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES

OTHER_SUFFIXES = frozenset(
    {".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".pgm", ".ppm"}
    | {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raw", ".rw2"}
)
"""Of pictures that are not read."""
SHOWN = 5


def unused(root: Path, files: Sequence[Path], used: Collection[Path]) -> list[str]:
    """Sentences that count the pictures in no use, by the folder that they lie in."""
    left = [path for path in files if path not in used]
    return [
        *about(root, [path for path in left if path.suffix.lower() in IMAGE_SUFFIXES], "image files were not used"),
        *about(
            root,
            [path for path in left if path.suffix.lower() in OTHER_SUFFIXES],
            "image files are of a kind that is not read (convert them to PNG or JPEG)",
        ),
    ]


def about(root: Path, paths: Sequence[Path], what: str) -> list[str]:
    """One sentence, or none."""
    counts = Counter(path.parent.relative_to(root).as_posix() for path in paths)
    shown = [f"{count} in {root.name if folder == '.' else folder}/" for folder, count in counts.most_common(SHOWN)]
    if more := counts.total() - sum(count for _, count in counts.most_common(SHOWN)):
        shown.append(f"{more} in {len(counts) - SHOWN} other folders")
    return [f"{len(paths)} {what}: {', '.join(shown)}."] if paths else []
