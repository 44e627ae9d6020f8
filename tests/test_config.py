"""The configuration: ``python -m pytest tests/test_config.py``."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from dotenv import dotenv_values

from src import config as config_module
from src.config import (
    CONFIG_DIR,
    PATHS,
    ROOTS,
    compose_values,
    expand_files,
    group_choices,
    load_config,
    load_overrides,
    rejoin_lists,
    save_overrides,
    value_at,
    with_data_root,
)
from src.errors import UserError
from src.schema import OWN, Config, SmpModel, SwinUnetModel

ROOT = Path(__file__).parents[1]


def every_option() -> list[str]:
    """Each file under configs/ but the root, as the override that selects it: ``training.loss=dice_bce``."""
    files = sorted(path.relative_to(CONFIG_DIR).with_suffix("") for path in CONFIG_DIR.rglob("*.yaml"))
    chosen: list[str] = []
    for file in files:
        if len(file.parts) == 1:
            continue
        group = file.parent
        name = file.name
        if group.name in ("architectures", "dataloader"):
            group, name = group.parent, f"{group.name}/{name}"
        chosen.append(f"{'.'.join(group.parts)}={name}")
    return chosen


def leaves(values: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value that is not itself a mapping, ``("training", "epochs")``."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*place, key))
        else:
            yield (*place, key)


def refusal(*overrides: str) -> str:
    """The sentence with which these overrides are refused."""
    with pytest.raises(UserError) as caught:
        load_config(overrides)
    return str(caught.value)


def test_no_override_gives_the_defaults_of_the_yaml_files() -> None:
    config = load_config()
    assert (config.training.epochs, config.data.image_size, config.model.architecture) == (100, (512, 512), "unet")
    assert config.training.optimizer.lr == config.model.encoder.base_lr == 5e-4
    assert config.data.cache_dir == Path("outputs/cache")


def test_the_defaults_list_is_the_one_that_the_guide_promises() -> None:
    root = yaml.safe_load((CONFIG_DIR / "config.yaml").read_text())
    assert root["defaults"] == [
        {"data": "dataloader/default"},
        {"model": "architectures/unet"},
        {"training": "default"},
        {"evaluation": "default"},
        "_self_",
    ]


def test_a_dotted_key_that_is_a_directory_selects_a_group() -> None:
    assert load_config(["training.loss=dice_focal"]).training.loss.keys() == {"dice", "focal"}
    assert load_config(["data.augmentation=strong"]).data.augmentation.keys() > {"Affine", "CLAHE"}
    assert load_config(["model.encoder=resnet50"]).model.encoder.name == "resnet50"
    assert load_config(["training.lr_scheduler=poly"]).training.lr_scheduler.name == "poly"


def test_hydras_own_spelling_of_a_group_means_the_same() -> None:
    assert load_config(["training/loss=dice_focal"]) == load_config(["training.loss=dice_focal"])


def test_the_model_is_selected_with_its_own_encoder_and_decoder() -> None:
    model = load_config(["model=architectures/swin_unet", "model.encoder.embed_dim=96"]).model
    assert isinstance(model, SwinUnetModel)
    assert (model.encoder.embed_dim, model.encoder.name) == (96, "swin_tiny_patch4_window7_224")


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.loss=dice_focal", "training.loss.focal.gamma=3"],
        ["model=architectures/swin_unet", "model.encoder.embed_dim=48"],
        ["training.lr_scheduler=poly", "training.lr_scheduler.power=2"],
        ["model.encoder=mit_b0", "training.optimizer.lr_scale=2", "model.encoder.depth=4"],
    ],
)
def test_the_order_of_a_group_and_a_value_inside_it_does_not_matter(overrides: list[str]) -> None:
    assert load_config(overrides) == load_config(overrides[::-1])


def test_a_value_inside_a_selected_group_is_the_one_that_holds() -> None:
    config = load_config(["training.loss.focal.gamma=3", "training.loss=dice_focal"])
    assert config.training.loss["focal"]["gamma"] == 3


def test_of_repeated_keys_and_groups_the_last_wins() -> None:
    assert load_config(["training.epochs=3", "training.epochs=7"]).training.epochs == 7
    assert set(load_config(["training.loss=bce", "training/loss=focal", "training.loss=dice"]).training.loss) == {
        "dice"
    }


def test_the_learning_rate_follows_the_encoder_unless_it_is_given() -> None:
    assert load_config(["model.encoder=mit_b0"]).training.optimizer.lr == 1e-4
    assert load_config(["model.encoder=mit_b0", "training.optimizer.lr=0.1"]).training.optimizer.lr == 0.1


def test_a_list_that_the_shell_split_at_its_spaces_is_joined_again() -> None:
    words = ["seed=1", 'evaluation.metrics=["iou",', '"f1",', '"precision",', '"recall"]', "training.epochs=3"]
    assert rejoin_lists(words) == ["seed=1", 'evaluation.metrics=["iou", "f1", "precision", "recall"]', words[-1]]
    config = load_config(words)
    assert (config.evaluation.metrics, config.training.epochs) == (("iou", "f1", "precision", "recall"), 3)


def test_a_mapping_that_the_shell_split_is_joined_again() -> None:
    assert rejoin_lists(["a={x:", "[1,", "2]}", "b=1"]) == ["a={x: [1, 2]}", "b=1"]


@pytest.mark.parametrize(
    ("override", "hint", "legal"),
    [
        ("training.epoch=3", "Did you mean 'training.epochs'?", "training.gradient_accumulation_steps"),
        ("trainin.epochs=3", "Did you mean 'training.epochs'?", "evaluation"),
        ("training.batch_size=3", "Did you mean 'data.batch_size'?", "training.optimizer"),
        ("training.lr=3", "Did you mean 'training.optimizer.lr'?", "training.optimizer"),
        ("training.loss=dice_bc", "Did you mean 'dice_bce'?", "dice_focal"),
        ("model.encoder=resnet43", "Did you mean 'resnet34'?", "mobilenet_v2"),
        ("model=unet", "Did you mean 'architectures/unet'?", "architectures/swin_unet"),
        ("model=deeplabv3", "Did you mean 'architectures/deeplabv3'?", "architectures/swin_unet"),
        ("model=architectures/unett", "Did you mean 'architectures/unet'?", "architectures/swin_unet"),
        ("training.loss.dice.smoth=1", "Did you mean 'training.loss.dice.smooth'?", "training.loss.dice.weight"),
        ("training.epochs.deep=3", "Unknown key 'training.epochs.deep'", ""),
        ("hydra.job.name=mine", "Unknown key 'hydra.job.name'", "experiment_name"),
        ("hydra/launcher=basic", "Unknown key 'hydra/launcher'", "experiment_name"),
    ],
)
def test_an_unknown_key_or_option_is_refused_with_a_suggestion_and_the_legal_ones(
    override: str, hint: str, legal: str
) -> None:
    sentence = refusal(override)
    assert hint in sentence
    assert "Legal: " in sentence
    assert legal in sentence.partition("Legal: ")[2]


def test_a_key_of_an_option_that_is_not_selected_is_unknown() -> None:
    assert "Unknown key 'training.loss.focal.gamma'" in refusal("training.loss.focal.gamma=3")


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("training.optimizer.momentum", "training.optimizer=rmsprop, training.optimizer=sgd"),
        ("training.lr_scheduler.power", "training.lr_scheduler=poly"),
        ("training.loss.focal.gamma", "training.loss=dice_focal, training.loss=focal"),
        ("data.crop.crack_share", "data.crop=crack"),
        ("model.encoder.embed_dim", "model.encoder=swin_tiny"),
    ],
)
def test_a_key_of_another_option_is_refused_with_the_options_that_have_it(key: str, options: str) -> None:
    sentence = refusal(f"{key}=1")
    assert sentence.startswith(f"Unknown key '{key}'. It is there with {options}. Legal: ")


def test_one_number_is_a_square_and_is_kept_as_height_and_width() -> None:
    config = load_config(["data.image_size=384"])
    assert config == load_config(["data.image_size=[384,384]"])
    assert config.model_dump(mode="json")["data"]["image_size"] == [384, 384]


def test_an_optimizer_that_is_named_alone_has_no_keys_of_another_ones_file() -> None:
    assert group_choices(["training.optimizer.name=lion"])["training/optimizer"] == "timm"
    named = load_config(["training.optimizer.name=lion"]).training.optimizer
    chosen = load_config().training.optimizer
    assert named.own == {}
    shared = {"lr", "lr_scale", "encoder_lr_mult", "layer_decay", "weight_decay"}
    assert named.model_dump(include=shared) == chosen.model_dump(include=shared)  # what adamw's file has
    both = load_config(["training.optimizer.name=sgdw", "training.optimizer=sgd"]).training.optimizer
    assert both.own == {"momentum": 0.9, "nesterov": True}


def test_momentum_of_nesterov_cannot_be_none() -> None:
    assert "nesterov=false" in refusal("training.optimizer=sgd", "training.optimizer.momentum=0.0")
    plain = load_config(
        ["training.optimizer=sgd", "training.optimizer.momentum=0.0", "training.optimizer.nesterov=false"]
    )
    assert plain.training.optimizer.momentum == 0


def test_the_unknown_one_among_good_overrides_is_the_one_that_is_named() -> None:
    sentence = refusal("training.loss=dice_focal", "training.loss.focal.gamma=3", "training.epcohs=3")
    assert "Unknown key 'training.epcohs'" in sentence


def test_a_word_that_is_no_override_is_refused() -> None:
    assert "'epochs' is not an override: write key=value" in refusal("epochs")


@pytest.mark.parametrize("override", ["training.epochs=[1", "training.epochs=${no.such.key}", "+new.key=3", "~seed"])
def test_what_hydra_cannot_read_is_a_sentence_too(override: str) -> None:
    assert refusal(override)


@pytest.mark.parametrize("override", ["=3", "training.loss=null", "training.loss=5"])
def test_a_group_choice_that_is_no_word_is_a_sentence_too(override: str) -> None:
    assert refusal(override)


@pytest.mark.parametrize(
    ("override", "key", "rule"),
    [
        ("training.epochs=0", "training.epochs=0", "greater than or equal to 1"),
        ("training.epochs=many", "training.epochs=many", "integer"),
        ("training.optimizer.lr=-1", "training.optimizer.lr=-1", "greater than 0"),
        ("training.lr_scheduler.warmup_fraction=2", "training.lr_scheduler.warmup_fraction=2", "less than or equal"),
        ("training.lr_scheduler.name=linear", "training.lr_scheduler", "'cosine'"),
        ("data.image_size=[8,512]", "data.image_size.0", "greater than or equal to 16"),
        ("data.image_size=wide", "data.image_size=wide", "in brackets"),
        ("data.image_size=8", "data.image_size=8", "greater than or equal to 16"),
        ("evaluation.metrics=[iou,dice]", "evaluation.metrics.1", "'recall'"),
        ("evaluation.split=validation", "evaluation.split=validation", "'val'"),
        ("model.encoder.depth=6", "model.encoder.depth=6", "less than or equal to 5"),
        ("model.architecture=fpnn", "model", "'swin_unet'"),
        ("training.metric.mode=min", "training.metric", "val/iou_best cannot be chosen by its minimum"),
        ("training.mixed_precision=fp8", "training.mixed_precision=fp8", "'bf16'"),
        ("experiment_name=a/b", "experiment_name=a/b", "match pattern"),
        ("device=gpu", "device=gpu", "'cuda'"),
        ("seed=-1", "seed=-1", "greater than or equal to 0"),
    ],
)
def test_an_illegal_value_is_refused_with_its_dotted_key_and_the_rule(override: str, key: str, rule: str) -> None:
    sentence = refusal(override)
    assert key in sentence
    assert rule in sentence


def test_an_illegal_item_of_a_list_is_shown_with_its_own_value() -> None:
    assert "data.image_size.0=8:" in refusal("data.image_size=[8,512]")


def test_a_configuration_without_any_loss_is_refused() -> None:
    assert "training.loss: dictionary should have at least 1 item" in refusal(
        "training.loss=dice_bce", "~training.loss.dice", "~training.loss.bce"
    )


def test_all_illegal_values_are_named_at_once() -> None:
    sentence = refusal("training.epochs=0", "model.encoder.depth=9", "training.ema_decay=1")
    assert all(key in sentence for key in ("training.epochs=0", "model.encoder.depth=9", "training.ema_decay=1"))


@pytest.mark.parametrize("override", every_option())
def test_every_option_of_every_group_composes_and_is_legal(override: str) -> None:
    needs_swin = override in ("model.encoder=swin_tiny", "model.decoder=swin_unet")
    config = load_config(["model=architectures/swin_unet", override] if needs_swin else [override])
    assert isinstance(config, Config)


def test_an_encoder_of_another_architecture_is_refused() -> None:
    assert "model.encoder" in refusal("model.encoder=swin_tiny")
    assert "model.encoder" in refusal("model=architectures/swin_unet", "model.encoder=resnet34")


@pytest.mark.parametrize("word", ["a=" + "[" * 3000 + "]" * 3000, "a=" + "{b: " * 3000, "x" * 10**6, "data.root=a\0b"])
def test_what_is_too_long_too_nested_or_no_text_is_one_short_sentence(word: str) -> None:
    sentence = refusal(word)
    assert "longer or more nested than an override can be, or not text" in sentence
    assert len(sentence) < 200


def test_the_group_choices_are_the_options_in_force() -> None:
    choices = group_choices(["training.loss=dice_focal", "model=architectures/swin_unet"])
    ours = {group: choice for group, choice in choices.items() if not group.startswith("hydra")}
    assert ours == {
        "data": "dataloader/default",
        "data/augmentation": "light",
        "data/crop": "none",
        "model": "architectures/swin_unet",
        "model/encoder": "swin_tiny",
        "model/decoder": "swin_unet",
        "training": "default",
        "training/optimizer": "adamw",
        "training/lr_scheduler": "cosine",
        "training/loss": "dice_focal",
        "training/metric": "iou_best",
        "evaluation": "default",
    }


def test_overrides_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    overrides = [
        "training.epochs=3",
        'evaluation.metrics=["iou", "f1"]',
        "data.root=/a b/ü",
        f"seed={10**9}",
        "x=" * 99,
    ]
    save_overrides(overrides, tmp_path / "overrides.yaml")
    assert load_overrides(tmp_path / "overrides.yaml") == overrides


def test_a_yaml_argument_stands_for_the_overrides_in_it(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    save_overrides(["training.epochs=3", "seed=1"], path)
    assert expand_files(["seed=0", str(path), "seed=2"]) == ["seed=0", "training.epochs=3", "seed=1", "seed=2"]
    config = load_config([str(path), "seed=2"])
    assert (config.training.epochs, config.seed) == (3, 2)


def test_a_value_that_ends_in_yaml_is_no_file() -> None:
    assert expand_files(["data.root=some.yaml"]) == ["data.root=some.yaml"]


def test_a_file_of_overrides_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "lr=0.01 [a]" / "overrides.yaml"
    path.parent.mkdir()
    save_overrides(["training.epochs=3"], path)
    assert load_config([str(path), "seed=2"]).training.epochs == 3


@pytest.mark.parametrize("content", [b"training: 3", b"- 3", b"a: [", b"\xff\xfe\x00", b""])
def test_a_file_that_lists_no_overrides_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    assert "bad.yaml" in refusal(str(tmp_path / "bad.yaml"))


def test_a_missing_overrides_file_is_refused_by_name(tmp_path: Path) -> None:
    assert "none.yaml" in refusal(str(tmp_path / "none.yaml"))


def test_the_configuration_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_config(["training.loss=dice_focal"])
    monkeypatch.chdir(tmp_path)
    assert load_config(["training.loss=dice_focal"]) == expected


def test_a_copy_of_the_checkout_anywhere_reads_its_own_configuration(tmp_path: Path) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    (tmp_path / "src").mkdir()
    for name in ("__init__", "config", "errors", "folders", "schema"):
        shutil.copy(ROOT / "src" / f"{name}.py", tmp_path / "src")
    changed = (tmp_path / "configs" / "config.yaml").read_text().replace("seed: 42", "seed: 43")
    (tmp_path / "configs" / "config.yaml").write_text(changed)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from src.config import load_config as load"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(load().seed)"], cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "43"


def test_the_configuration_cannot_be_written() -> None:
    config = load_config()
    for section, name in ((config, "seed"), (config.training, "epochs"), (config.model.encoder, "name")):
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(section, name, getattr(section, name))


def test_a_value_is_found_by_its_dotted_key() -> None:
    values = {"training": {"optimizer": {"lr": 0.5}}}
    assert value_at(values, "training.optimizer.lr") == 0.5
    with pytest.raises(UserError, match=r"Did you mean 'training\.optimizer\.lr'\?"):
        value_at(values, "training.optimizer.lrr")


def test_every_key_that_is_accepted_is_read_somewhere() -> None:
    """A key that nothing reads looks like a setting and is none."""
    sources = [path for folder in ("src", "trainable", "sweeps", "analysis") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources if path.name != "schema.py")
    free_form = ("data.augmentation", "training.loss", "model.decoder")  # arguments of libraries, passed on whole
    own = {f"training.optimizer.{name}" for name in OWN}  # so are these; test_optimization has them
    unread: set[str] = set()
    for overrides in ([], ["model=architectures/swin_unet"], ["training.lr_scheduler=poly"]):
        for path in leaves(load_config(overrides).model_dump()):
            dotted = ".".join(path)
            owner = next((key for key in free_form if dotted.startswith(f"{key}.")), dotted)
            if dotted not in own and not re.search(rf"\.{owner.rpartition('.')[2]}\b", code):
                unread.add(dotted)
    unread -= {"model.checkpoint_path"}  # read from the command line before there is a configuration; tested beside it
    assert not unread


def test_an_error_inside_the_yaml_files_is_told_in_hydras_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    (tmp_path / "configs" / "training" / "loss" / "broken.yaml").write_text('bce: {weight: "${nowhere}"}')
    monkeypatch.setattr(config_module, "CONFIG_DIR", tmp_path / "configs")
    sentence = refusal("training.loss=broken")
    assert "does not compose" in sentence
    assert "nowhere" in sentence


def test_a_file_in_configs_that_is_no_yaml_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    (tmp_path / "configs" / "training" / "loss" / "broken.yaml").write_text("bce: {weight")
    monkeypatch.setattr(config_module, "CONFIG_DIR", tmp_path / "configs")
    assert "broken.yaml" in refusal("training.loss=broken")


def test_the_default_network_is_one_of_smp() -> None:
    assert isinstance(load_config().model, SmpModel)


def run_in(folder: Path, *words: str, **environment: str) -> str:
    """What ``run.py`` prints in that folder, where its ``.env`` counts, with these variables set beforehand."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON_DOTENV_DISABLED"}
    command = [sys.executable, str(ROOT / "run.py"), *words]
    env = {**inherited, **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def shown(folder: Path, *overrides: str, **environment: str) -> dict[str, Any]:
    return yaml.safe_load(run_in(folder, *overrides, "--show", **environment))


def test_a_dotenv_file_says_where_things_are_the_environment_wins_and_an_override_over_both(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_DATA_ROOT=/mine # comment\nCRACK_DEVICE=cpu\nCRACK_THREADS=3\n")
    found = shown(tmp_path, "threads=1", CRACK_DEVICE="cuda", CRACK_OUTPUT_ROOT="elsewhere")
    assert (found["data"]["root"], found["device"], found["threads"]) == ("/mine", "cuda", 1)
    assert (found["output_root"], found["data"]["cache_dir"]) == ("elsewhere", "elsewhere/cache")


def test_the_example_of_a_dotenv_file_changes_nothing_and_names_every_variable():
    example = dotenv_values(ROOT / ".env.example")
    read = set(re.findall(r"oc\.env:(\w+)", "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml"))))
    assert read == example.keys()
    defaults = dict(
        re.findall(r"oc\.env:(\w+),(\w+)", "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml")))
    )
    assert defaults == example


def test_empty_variables_count_as_not_set(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_OUTPUT_ROOT=\nCRACK_THREADS=\n")
    found = shown(tmp_path)
    assert (found["output_root"], found["data"]["cache_dir"], found["threads"]) == ("outputs", "outputs/cache", "auto")


def test_what_a_run_leaves_says_which_data_it_had_though_the_environment_did(tiny: list[str], tmp_path: Path):
    (root,) = (word.partition("=")[2] for word in tiny if word.startswith("data.root="))
    (tmp_path / ".env").write_text(f"CRACK_DATA_ROOT={root}\n")
    run_in(tmp_path, *(word for word in tiny if not word.startswith("data.root=")))
    (kept,) = (tmp_path / "outputs" / "experiments").glob("*/overrides.yaml")
    assert f"data.root={root}" in load_overrides(kept)


def test_a_data_root_that_is_named_is_not_replaced_by_that_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRACK_DATA_ROOT", "/env")
    assert with_data_root(["seed=1"]) == ["data.root=/env", "seed=1"]
    assert with_data_root(["data.root=/mine"]) == ["data.root=/mine"]
    monkeypatch.delenv("CRACK_DATA_ROOT")
    assert with_data_root(["seed=1"]) == ["seed=1"]


@pytest.mark.parametrize("name", ["run (1)", "a,b", "x=1", "Größe é", "it's", "[x]", "~z", "a#b", "{c}", "a: b", "$d"])
def test_a_path_may_have_any_name(name: str):
    config = load_config([f"model.checkpoint_path={name}/best.pth", f"data.root={name}", f"output_root={name}"])
    assert (str(config.model.checkpoint_path), str(config.data.root)) == (f"{name}/best.pth", name)
    assert str(config.data.cache_dir) == f"{name}/cache"


@pytest.mark.parametrize("key", PATHS)
def test_a_tilde_is_the_home_folder_in_every_path(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert value_at(compose_values([f"{key}=~/a b"]), key) == "/home/me/a b"
    assert value_at(compose_values([f"{key}=a/~/b"]), key) == "a/~/b"


def test_a_tilde_without_any_home_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert "HOME" in refusal("data.root=~/x")


def test_a_tilde_in_a_dotenv_file_is_the_home_folder_too(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_DATA_ROOT=~/photos\nCRACK_OUTPUT_ROOT=~/results\n")
    found = shown(tmp_path, HOME="/home/me")
    assert (found["data"]["root"], found["output_root"]) == ("/home/me/photos", "/home/me/results")


def test_every_variable_of_the_environment_that_is_a_path_is_known_as_one():
    text = "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml"))
    assert set(re.findall(r"oc\.env:(\w+_ROOT)", text)) == ROOTS


@pytest.mark.parametrize("content", ["CRACK_DATA_ROOT=x".encode("utf-16"), "CRACK_DATA_ROOT=Straße".encode("latin-1")])
def test_a_dotenv_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    (tmp_path / ".env").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    assert str(tmp_path / ".env") in refusal()


def test_a_path_that_is_quoted_or_refers_to_a_key_is_taken_as_hydra_takes_it():
    assert str(load_config(["data.root='a b'"]).data.root) == "a b"
    assert str(load_config(["output_root=x", "data.root=${output_root}/y"]).data.root) == "x/y"
    assert load_config(["training.resume_from=null"]).training.resume_from is None


def test_an_override_cannot_look_into_the_environment():
    assert "may hold secrets" in refusal("experiment_name=${oc.env:HOME}")


def test_what_else_a_dotenv_file_holds_is_in_no_result(tiny: list[str], tmp_path: Path):
    (tmp_path / ".env").write_text("HF_TOKEN=canary-in-the-mine\n")
    run_in(tmp_path, *tiny)
    written = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
    assert any(path.name == "best_model.pth" for path in written)
    assert not [path for path in written if b"canary-in-the-mine" in path.read_bytes()]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.mean=64", "data.mean=64: must be a list in brackets, as [512,512] is one."),
        (
            "data.image_size=true",
            "data.image_size=True: must be height and width in brackets, as [512,384], or one number " "for a square.",
        ),
        ("data.image_size=[64,96", "'data.image_size=[64,96': a bracket is not closed."),
    ],
)
def test_a_list_that_is_none_is_told_how_lists_are_written(override: str, sentence: str):
    assert refusal(override) == sentence
