"""Pictures that became no part of a data set."""

from pathlib import Path

from src.datasets.leftovers import unused

ROOT = Path("home/photos")


def test_pictures_in_no_use_are_counted_by_folder():
    paths = [ROOT / name for name in ("a.jpg", "previews/1.jpg", "previews/2.PNG", "b.heic", "c.txt", "d.csv")]
    assert unused(ROOT, paths, {ROOT / "a.jpg"}) == [
        "2 image files were not used: 2 in previews/.",
        "1 image files are of an unsupported kind (convert them to PNG or JPEG): 1 in photos/.",
    ]
    assert unused(ROOT, paths[:3], paths[:3]) == []


def test_of_many_folders_those_with_most_pictures_are_named():
    paths = [ROOT / f"f{folder}" / f"{number}.jpg" for folder in range(9) for number in range(folder + 1)]
    (said,) = unused(ROOT, paths, set())
    assert said.startswith("45 image files were not used: 9 in f8/, 8 in f7/")
    assert said.endswith("10 in 4 other folders.")
