"""Crops of photographs: where they lie, and what training and scoring see of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Redness, network_of
from slow_rest import slow_rest

from src.config.compose import load_config
from src.config.schema import CrackCrop, RandomCrop
from src.data.cache import CachedSplit, load_split
from src.data.crops import RandomCrops, TiledSplit
from src.data.files import UInt8Array
from src.data.masks import read_mask
from src.evaluation import main as evaluation_main
from src.predict import main as predict_main
from src.scoring.evaluate import evaluate
from src.scoring.pictures import write_picture
from src.training.run import train
from src.training.trainer import Trainer

SIZE = (32, 32)
SIZES = {"a": (40, 100), "b": (20, 50), "c": (64, 64)}
ANYWHERE = RandomCrop(name="random", per_photograph="auto")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three photographs of different sizes in each split; their cracks are few: a red line, and none in the second."""
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for name, (height, width) in SIZES.items():
            mask: UInt8Array = np.zeros((height, width), np.uint8)
            mask[height // 2, 5 : width // 2] = name != "b"
            image = random.integers(0, 120, (height, width, 3)).astype(np.uint8)
            image[mask == 1, 0] = 255
            write_picture(image, tmp_path / "data" / split / "images" / f"{name}.png")
            write_picture(mask * 255, tmp_path / "data" / split / "masks" / f"{name}.png")
    return tmp_path / "data"


@pytest.fixture
def split(data: Path, tmp_path: Path) -> CachedSplit:
    return load_split(data, "train", None, tmp_path / "cache")


def tiny_on(data: Path, tmp_path: Path, *more: str) -> list[str]:
    places = [f"data.root={data}", f"data.cache_dir={tmp_path / 'cache'}", f"output_root={tmp_path / 'outputs'}"]
    network = ["model.encoder=tiny", "model.decoder=tiny", "data.image_size=[32,32]", "data.batch_size=4"]
    return [*network, "training.epochs=1", "threads=1", "device=cpu", *places, *more]


def test_photographs_of_different_sizes_are_cached_as_they_are(split: CachedSplit):
    assert [tuple(size) for size in split.sizes] == list(SIZES.values())
    assert split.scale == (1.0, 1.0)
    for index, (height, width) in enumerate(SIZES.values()):
        image, mask = split.sample(index)
        assert (image.shape, mask.shape) == ((height, width, 3), (height, width))
        assert ((image[..., 0] == 255) == (mask == 1)).all()
        assert (split.crack_rows(index) == mask.sum(axis=1)).all()


def test_tiles_show_every_pixel_of_every_photograph(split: CachedSplit):
    tiles = TiledSplit(split, SIZE)
    assert len(tiles) == 2 * 4 + 1 * 2 + 2 * 2
    shown = [np.zeros(size, bool) for size in split.sizes]
    for index, (photograph, top, left) in enumerate(tiles.tiles):
        image, mask = tiles.sample(index)
        assert (image.shape, mask.shape) == ((*SIZE, 3), SIZE)
        part = split.image(photograph)[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(image[: len(part)], part)
        shown[photograph][top : top + 32, left : left + 32] = True
    assert all(pixels.all() for pixels in shown)


def test_an_epoch_has_as_many_crops_of_a_photograph_as_cover_it_or_as_many_as_are_asked_for(split: CachedSplit):
    assert np.bincount(RandomCrops(split, SIZE, ANYWHERE, 0).photographs).tolist() == [8, 2, 4]
    three = RandomCrop(name="random", per_photograph=3)
    assert np.bincount(RandomCrops(split, SIZE, three, 0).photographs).tolist() == [3, 3, 3]


@given(seed=st.integers(0, 1000), epoch=st.integers(0, 50), data=st.data())
def test_a_crop_is_a_piece_of_its_photograph_and_depends_on_seed_epoch_and_number_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, epoch: int, data: st.DataObject
):
    split = striped(tmp_path_factory)
    crops = RandomCrops(split, SIZE, ANYWHERE, seed)
    index = data.draw(st.integers(0, len(crops) - 1))
    image, mask = crops.sample(index, epoch)
    again, _ = RandomCrops(split, SIZE, ANYWHERE, seed).sample(index, epoch)
    np.testing.assert_array_equal(image, again)
    top, left = image[0, 0, :2]  # the photograph's pixels hold their own row and column
    np.testing.assert_array_equal(image[..., 0], np.repeat(np.arange(top, top + 32)[:, None], 32, axis=1))
    np.testing.assert_array_equal(image[..., 1], np.repeat(np.arange(left, left + 32)[None], 32, axis=0))
    assert mask.shape == SIZE


def striped(factory: pytest.TempPathFactory) -> CachedSplit:
    """One photograph of 100 x 90 whose pixels say where they are; its crack is one pixel at row 70, column 11."""
    root = factory.getbasetemp() / "striped"
    if not root.is_dir():
        for kind in ("images", "masks"):
            (root / "train" / kind).mkdir(parents=True)
        rows, columns = np.indices((100, 90)).astype(np.uint8)
        write_picture(np.stack([rows, columns, rows * 0], axis=2), root / "train" / "images" / "a.png")
        write_picture(((rows == 70) & (columns == 11)).astype(np.uint8) * 255, root / "train" / "masks" / "a.png")
    return load_split(root, "train", None, root / "cache")


def test_of_crack_crops_the_asked_share_holds_crack(tmp_path_factory: pytest.TempPathFactory):
    split = striped(tmp_path_factory)
    shares = list[float]()
    for share in (0.0, 0.5, 1.0):
        crops = RandomCrops(split, SIZE, CrackCrop(name="crack", per_photograph=400, crack_share=share), 0)
        found = [crops.sample(index)[1] for index in range(400)]
        shares.append(float(np.mean([mask.any() for mask in found])))
    chance = shares[0]
    assert 0 < chance < 0.4
    assert shares[1] == pytest.approx(0.5 + chance / 2, abs=0.08)
    assert shares[2] == 1.0
    places = {tuple(np.argwhere(mask)[0].tolist()) for mask in found}
    assert len(places) > 100  # the crack is not always in the middle


def test_a_photograph_without_crack_is_cropped_anywhere(split: CachedSplit):
    crops = RandomCrops(split, SIZE, CrackCrop(name="crack", per_photograph=5, crack_share=1.0), 0)
    drawn = [crops.sample(index)[1] for index in np.flatnonzero(crops.photographs == 1).tolist()]
    assert not any(mask.any() for mask in drawn)


@pytest.mark.parametrize("crop", slow_rest(["crack", "random"]))
def test_training_on_crops_is_the_same_with_any_number_of_workers(data: Path, tmp_path: Path, crop: str):
    reports = list[dict[str, float]]()
    for workers in (0, 2):
        words = tiny_on(data, tmp_path, f"data.crop={crop}", f"data.num_workers={workers}")
        trainer = Trainer(load_config(words), words)
        assert len(trainer.train_loader.dataset) == len(trainer.val_loader.dataset) == 14
        metrics = trainer.train_epoch().metrics
        reports.append({key: value for key, value in metrics.items() if "second" not in key})
    assert reports[0] == reports[1]


def test_a_network_of_crops_is_scored_on_whole_photographs(data: Path, tmp_path: Path):
    network = network_of(Redness(), tiny_on(data, tmp_path, "data.crop=random"), threshold=0.9)
    shown = []
    scores = evaluate(network, shown.append)
    assert [(seen.stem, seen.image.shape[:2]) for seen in shown] == list(SIZES.items())
    assert scores.metrics["iou"] == 1.0  # the crack is what is red, pixel for pixel
    assert scores.histogram.sum() == sum(height * width for height, width in SIZES.values())


def test_a_network_of_whole_photographs_can_be_scored_at_their_own_size(data: Path, tmp_path: Path):
    words = tiny_on(data, tmp_path, "evaluation.resolution=native")
    shown = []
    evaluate(network_of(Redness(), words, threshold=0.9), shown.append)
    assert [seen.predicted.shape for seen in shown] == list(SIZES.values())
    resized = evaluate(network_of(Redness(), tiny_on(data, tmp_path), threshold=0.9))
    assert resized.histogram.sum() == 3 * 32 * 32


def test_what_is_scored_of_a_network_of_crops_is_what_it_predicts(data: Path, tmp_path: Path):
    words = tiny_on(data, tmp_path, "data.crop=crack")
    checkpoint = train(load_config(words), words) / "checkpoints" / "best_model.pth"
    evaluation_main([f"model.checkpoint_path={checkpoint}", "evaluation.save_predictions=true"])
    predict_main([str(checkpoint), str(data / "test" / "images"), "--out", str(tmp_path / "out")])
    for name, size in SIZES.items():
        scored = read_mask(checkpoint.parents[1] / "results" / "test" / "masks" / f"{name}.png")
        assert scored.shape == size
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / "masks" / f"{name}.png"), scored)
