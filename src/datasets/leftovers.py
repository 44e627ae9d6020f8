"""Reports the pictures in a user's folder that were not used in the data set."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES

OTHER_SUFFIXES = frozenset(
    {".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jxl", ".pgm", ".ppm"}
    | {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raw", ".rw2"}
)
"""Endings of picture files that are not supported."""
SHOWN = 5


def unused(root: Path, files: Sequence[Path], used: Collection[Path]) -> list[str]:
    """Sentences that count the unused pictures by folder."""
    left = [path for path in files if path not in used]
    return [
        *count_by_folder(
            root, [path for path in left if path.suffix.lower() in IMAGE_SUFFIXES], "image files were not used"
        ),
        *count_by_folder(
            root,
            [path for path in left if path.suffix.lower() in OTHER_SUFFIXES],
            "image files are of an unsupported kind (convert them to PNG or JPEG)",
        ),
    ]


def count_by_folder(root: Path, paths: Sequence[Path], what: str) -> list[str]:
    """A list of one sentence that counts the files of each folder; empty if there are no files."""
    counts = Counter(path.parent.relative_to(root).as_posix() for path in paths)
    shown = [f"{count} in {root.name if folder == '.' else folder}/" for folder, count in counts.most_common(SHOWN)]
    if more := counts.total() - sum(count for _, count in counts.most_common(SHOWN)):
        shown.append(f"{more} in {len(counts) - SHOWN} other folders")
    return [f"{len(paths)} {what}: {', '.join(shown)}."] if paths else []
