"""Turn a folder of photographs and masks into a data set: ``python -m src.prepare SOURCE --out data/NAME``.

SOURCE holds an image and a mask folder paired by file stem, or is CrackForest (``image/``, ``groundTruth/*.mat``).
The result is OUT/{train,val,test}/{images,masks}/ and OUT/manifest.csv; files of one group stay in one split.
"""

import argparse
import csv
import random
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import rich.table
from scipy.io import loadmat  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from src.data.files import IMAGE_SUFFIXES, UInt8Array, read_image, read_mask
from src.errors import UserError, run_command, unknown

SPLITS = ("train", "val", "test")
IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs"})
MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels", "groundtruth", "ground_truth", "gt"})
WRONG_MASK = "042"  # CrackForest gives this image the mask of another one
Pair = tuple[Path, Path]  # photograph, mask


class Row(NamedTuple):
    """One line of manifest.csv: ``source`` is relative to SOURCE, sizes are pixels, ``crack_share`` lies in 0..1."""

    file: str
    split: str
    group: str
    source: str
    width: int
    height: int
    crack_share: float


def find_pairs(source: Path, exclude: Collection[str], allow_unpaired: bool) -> dict[str, Pair]:
    """Stem to image and mask, sorted; prints what it leaves out.

    ``UserError``: no such folders, a stem twice, an unknown stem in ``exclude``, files without partner, no pair at all.
    """
    images = files_by_stem(find_folder(source, IMAGE_FOLDERS), IMAGE_SUFFIXES)
    crackforest = files_by_stem(find_folder(source, MASK_FOLDERS), {".mat"})
    masks = crackforest or files_by_stem(find_folder(source, MASK_FOLDERS), IMAGE_SUFFIXES)
    if foreign := sorted(set(exclude) - images.keys() - masks.keys()):
        raise UserError(f"--exclude: {source} has no file of the stem (name without ending) {first_five(foreign)}.")
    skipped = {*exclude, *(_crackforest_skips(images, masks) if crackforest else ())}
    alone = sorted((images.keys() ^ masks.keys()) - skipped)
    names = first_five([str((images | masks)[stem].relative_to(source)) for stem in alone])
    if alone and not allow_unpaired:
        raise UserError(f"{source}: no partner of the same stem for {names}. Add it, or skip them: --allow-unpaired.")
    if alone:
        print(f"Skipped {len(alone)} files without a partner of the same stem: {names}.")
    pairs = {stem: (images[stem], masks[stem]) for stem in images if stem in masks and stem not in skipped}
    if not pairs:
        raise UserError(f"{source} has no image and mask with the same stem.")
    return pairs


def _crackforest_skips(images: Collection[str], masks: Collection[str]) -> set[str]:
    bare = {stem for stem in images if stem not in masks}
    if bare:
        print(f"CrackForest: skipped {len(bare)} images (rule: an image without a .mat of its stem has no mask).")
    if WRONG_MASK in masks:
        print(f"CrackForest: left out {WRONG_MASK} (rule: the mask of stem {WRONG_MASK} belongs to another image).")
    return bare | {WRONG_MASK}


def first_five(items: Sequence[str]) -> str:
    """Up to five items as words, and how many more there are."""
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")


def find_folder(source: Path, names: Collection[str]) -> Path:
    """The one folder in ``source`` with one of these names, in any letter case; none or several is a ``UserError``."""
    if not source.is_dir():
        raise UserError(f"{source} is not a folder.")
    found = [path for path in source.iterdir() if path.is_dir() and path.name.lower() in names]
    if len(found) != 1:
        raise UserError(f"{source} needs exactly one folder named {' or '.join(sorted(names))}; it has {len(found)}.")
    return found[0]


def files_by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Stem to file for the visible files with these endings, sorted; a stem twice is a ``UserError``."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        visible = not path.name.startswith(".")  # macOS puts ._NAME.jpg beside NAME.jpg
        if visible and path.suffix.lower() in suffixes and found.setdefault(path.stem, path) != path:
            raise UserError(f"{found[path.stem]} and {path} have the same stem: rename or remove one of them.")
    return found


def read_labels(path: Path) -> UInt8Array:
    """Mask of a CrackForest .mat: (H, W) uint8 in {0, 1}, 1 = labels 2 and 4 of 1..4. ``UserError`` naming the file."""
    try:
        labels = np.asarray(cast(Any, loadmat(path, simplify_cells=True))["groundTruth"]["Segmentation"])
    except Exception as error:  # a damaged file makes scipy raise anything from OSError to zlib.error
        raise UserError(f"Cannot read {path} as CrackForest's groundTruth.Segmentation: {error!r}.") from error
    if labels.ndim != 2 or not np.isin(labels, (1, 2, 3, 4)).all():
        raise UserError(f"{path}: groundTruth.Segmentation must be a matrix of labels 1 to 4.")
    return np.isin(labels, (2, 4)).astype(np.uint8)


def read_groups(path: Path, column: str | None) -> dict[str, str]:
    """File name or stem to group, from the columns ``file`` and ``column`` (None: the last one); prints which.

    ``UserError``: unreadable, no such column, one file in two groups. Lines with an empty group are left out.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            header, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error
    column = column or next((name for name in reversed(header) if name != "file"), "")
    if "file" not in header or column not in header:
        raise unknown(f"column of {path}", column if "file" in header else "file", header)
    print(f"Groups: column '{column}' of {path}.")
    groups: dict[str, str] = {}
    for row in rows:
        file, group = (str(row[name] or "").strip() for name in ("file", column))
        if group and groups.setdefault(file, group) != group:
            raise UserError(f"{path}: {file} is in two groups, '{groups[file]}' and '{group}'.")
    return groups


def choose_groups(pairs: Mapping[str, Pair], source: Path, given: Path | None, column: str | None) -> dict[str, str]:
    """Stem to group from ``given``, else from groups.csv in ``source``, else each file alone with a printed warning.

    ``UserError``: a column without a group file, images missing from the file, and what ``read_groups`` raises.
    """
    path = given or source / "groups.csv"
    if not given and not path.is_file():
        if column:
            raise UserError(f"--group-column {column} needs a group file: no --groups given and no {path}.")
        print("Warning: no groups.csv, so every file is its own group; tiles of one photo may leak between the splits.")
        return {stem: stem for stem in pairs}
    table = read_groups(path, column)
    groups = {stem: table.get(image.name) or table.get(stem, "") for stem, (image, _) in pairs.items()}
    if missing := [pairs[stem][0].name for stem, group in groups.items() if not group]:
        raise UserError(f"{path} gives no group for {first_five(missing)}.")
    return groups


def split_groups(groups: Mapping[str, str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """File to 'train', 'val' or 'test' for file to group: whole groups, file counts near the three ``shares``.

    The order of ``groups`` does not matter. Where each share is worth the largest group or more, every count misses its
    share by less than that group. ``UserError``: shares not summing to 1 (+-1e-6), fewer groups than shares above 0.
    """
    if len(shares) != len(SPLITS) or min(shares) < 0 or not abs(sum(shares) - 1) <= 1e-6:
        raise UserError(f"--split must be three shares of at least 0 with sum 1; got {shares}, sum {sum(shares):g}.")
    sizes = Counter(groups.values())
    targets = {split: share * len(groups) for split, share in zip(SPLITS, shares, strict=True) if share > 0}
    if len(sizes) < len(targets):
        raise UserError(f"{len(sizes)} groups cannot fill {len(targets)} splits: set a share of --split to 0.")
    shuffler, order = random.Random(seed), sorted(sizes)
    tries = min(100, 1 + 20_000 // len(order))  # one shuffle of few, large groups can end far off, the nearest rarely
    fills = (_fill(shuffler.sample(order, len(order)), sizes, targets) for _ in range(tries))
    _, split_of = min(fills, key=lambda fill: fill[0])
    return {file: split_of[groups[file]] for file in sorted(groups)}


def _fill(order: Sequence[str], sizes: Mapping[str, int], targets: Mapping[str, float]) -> tuple[float, dict[str, str]]:
    """Each group in turn to the split that lacks most; returns the largest miss in files, and group to split."""
    lacks, empty, placed = dict(targets), set(targets), dict[str, str]()
    for group in order:
        last = len(order) - len(placed) <= len(empty)  # keep the last groups for the splits that have none
        split = max((name for name in targets if not last or name in empty), key=lacks.__getitem__)
        placed[group] = split
        lacks[split] -= sizes[group]
        empty.discard(split)
    return max(map(abs, lacks.values())), placed


def write(pairs: Mapping[str, Pair], groups: Mapping[str, str], splits: Mapping[str, str], out: Path) -> list[Row]:
    """Copy images, write masks (L PNG, {0, 255}) and manifest.csv; ``out`` appears only when all of it is there.

    ``UserError``: an unreadable file, unequal sizes, or a disk that refuses.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    try:
        for folder in (partial / split / kind for split in SPLITS for kind in ("images", "masks")):
            folder.mkdir(parents=True)
        rows = [_write_pair(*pair, splits[stem], groups[stem], partial) for stem, pair in pairs.items()]
        with (partial / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
            lines = [(*row[:-1], f"{row.crack_share:.6f}") for row in rows]
            csv.writer(stream, lineterminator="\n").writerows([Row._fields, *lines])
        partial.rename(out)  # an empty folder gives way
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return rows


def _write_pair(image: Path, mask: Path, split: str, group: str, root: Path) -> Row:
    height, width = read_image(image).shape[:2]
    crack = read_labels(mask) if mask.suffix.lower() == ".mat" else read_mask(mask)
    if crack.shape != (height, width):
        raise UserError(f"{image} is {width}x{height} pixels, its mask {mask} {crack.shape[1]}x{crack.shape[0]}.")
    shutil.copyfile(image, root / split / "images" / image.name)
    (root / split / "masks" / f"{image.stem}.png").write_bytes(cv2.imencode(".png", crack * 255)[1].tobytes())
    return Row(image.stem, split, group, f"{image.parent.name}/{image.name}", width, height, float(crack.mean()))


def summary(rows: Sequence[Row]) -> rich.table.Table:
    """Images, groups and share of crack pixels of each split."""
    table = rich.table.Table("split", "images", "groups", "crack pixels")
    for split in SPLITS:
        mine = [row for row in rows if row.split == split]
        pixels = sum(row.width * row.height for row in mine)
        crack = sum(row.crack_share * row.width * row.height for row in mine)
        table.add_row(split, str(len(mine)), str(len({row.group for row in mine})), f"{crack / max(pixels, 1):.2%}")
    return table


def main(argv: list[str]) -> None:
    """The command line. Every mistake is a ``UserError``, and then nothing is left at --out."""
    parser = argparse.ArgumentParser(prog="python -m src.prepare", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, help="new folder, such as data/NAME")
    parser.add_argument("--groups", type=Path, help="CSV with a column 'file' (default: SOURCE/groups.csv)")
    parser.add_argument("--group-column", metavar="COLUMN", help="column of the group (default: the last)")
    parser.add_argument("--split", type=float, nargs=3, default=[0.7, 0.15, 0.15], metavar=("TRAIN", "VAL", "TEST"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--exclude", nargs="+", action="extend", default=[], metavar="STEM", help="leave out")
    parser.add_argument("--allow-unpaired", action="store_true", help="skip files without partner")
    args = parser.parse_args(argv)
    if args.out.is_file() or (args.out.is_dir() and any(args.out.iterdir())):
        raise UserError(f"{args.out} exists and is not empty: remove it or choose another --out.")
    pairs = find_pairs(args.source, args.exclude, args.allow_unpaired)
    groups = choose_groups(pairs, args.source, args.groups, args.group_column)
    rows = write(pairs, groups, split_groups(groups, args.split, args.seed), args.out)
    rich.print(summary(rows))
    print(f"Wrote {len(rows)} pairs to {args.out}.")


if __name__ == "__main__":
    sys.exit(run_command(main))
