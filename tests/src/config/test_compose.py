"""The configuration: ``python -m pytest tests/src/config/test_compose.py``."""

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
from checkout import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.config import compose as composing
from src.config import keys
from src.config.compose import PATHS, compose, load_config
from src.config.keys import CONFIG_DIR
from src.config.schema import OWN, Config, SmpModel, SwinUnetModel
from src.errors import UserError


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


VALUES = ("3", "0.5", "null", "true", "abc", "'a b'", "[1,2]", "[]", "{a: 1}", "${seed}", "", "choice(1,2)", "1e-3")
GROUPS = ("model=architectures/swin_unet", "training.loss=focal", "training.lr_scheduler=poly", "model.encoder=tiny")
KEYS = sorted(
    {".".join(place) for place in leaves(dict(compose().values))} | {"data.bach", "training", "model.encoder"}
)


def composes_to(words: list[str]) -> object:
    """What overrides compose to, or the sentence that refuses them."""
    try:
        return compose(words)
    except UserError as error:
        return str(error)


@settings(deadline=None, max_examples=6)
@example([], ["training.loss.dice={smooth: 0.5}"])
@example([], ["+data.x=1"])
@example([], ["~training.clip_grad_norm", "training.epochs=3"])
@example(["model.encoder=vit_base"], ["data.image_size=[224,320]"])
@example([], ["model.encoder.base_lr=0.5", "training.optimizer.lr=${model.encoder.base_lr}"])
@example([], ["experiment_name=${hydra.job.override_dirname}"])
@given(
    st.lists(st.sampled_from(GROUPS), max_size=2),
    st.lists(st.builds("{}={}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)), min_size=1, max_size=3),
)
def test_values_that_are_set_in_a_kept_composition_are_what_hydra_composes(groups: list[str], values: list[str]):
    found = composes_to([*groups, *values])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composing, "_changed", lambda composed, values: None)
        patch.setattr(composing, "_composed", composing._composed.__wrapped__)
        assert composes_to([*groups, *values]) == found


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
        ("hydra/launcher=basic", "Unknown key 'hydra.launcher'", "experiment_name"),
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
    assert sentence.startswith(f"Unknown key '{key}'. It exists with {options}. Legal: ")


def test_one_number_is_a_square_and_is_kept_as_height_and_width() -> None:
    config = load_config(["data.image_size=384"])
    assert config == load_config(["data.image_size=[384,384]"])
    assert config.model_dump(mode="json")["data"]["image_size"] == [384, 384]


def test_an_optimizer_that_is_named_alone_has_no_keys_of_another_ones_file() -> None:
    assert compose(["training.optimizer.name=lion"]).choices["training.optimizer"] == "timm"
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


@pytest.mark.parametrize("override", ["training.epochs=[1", "training.epochs=${no.such.key}", "+new.key=3", "~seed"])
def test_what_hydra_cannot_read_is_a_sentence_too(override: str) -> None:
    assert refusal(override)


@pytest.mark.parametrize("override", ["=3", "training.loss=null", "training.loss=5", "~training.loss=dice_bce"])
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


def test_the_group_choices_are_the_options_in_force() -> None:
    choices = compose(["training.loss=dice_focal", "model=architectures/swin_unet"]).choices
    ours = {group: choice for group, choice in choices.items() if not group.startswith("hydra")}
    assert ours == {
        "data": "dataloader/default",
        "data.augmentation": "light",
        "data.crop": "none",
        "model": "architectures/swin_unet",
        "model.encoder": "swin_tiny",
        "model.decoder": "swin_unet",
        "training": "default",
        "training.optimizer": "adamw",
        "training.lr_scheduler": "cosine",
        "training.loss": "dice_focal",
        "training.metric": "iou_best",
        "evaluation": "default",
    }


def test_the_configuration_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_config(["training.loss=dice_focal"])
    monkeypatch.chdir(tmp_path)
    assert load_config(["training.loss=dice_focal"]) == expected


def test_a_copy_of_the_checkout_anywhere_reads_its_own_configuration(tmp_path: Path) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    shutil.copytree(ROOT / "src" / "config", tmp_path / "src" / "config")
    for name in ("__init__", "atomic", "errors", "folders", "rankable"):
        shutil.copy(ROOT / "src" / f"{name}.py", tmp_path / "src")
    changed = (tmp_path / "configs" / "config.yaml").read_text().replace("seed: 42", "seed: 43")
    (tmp_path / "configs" / "config.yaml").write_text(changed)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from src.config.compose import load_config as load"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(load().seed)"], cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "43"


def test_the_configuration_cannot_be_written() -> None:
    config = load_config()
    for section, name in ((config, "seed"), (config.training, "epochs"), (config.model.encoder, "name")):
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(section, name, getattr(section, name))


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
    monkeypatch.setattr(keys, "CONFIG_DIR", tmp_path / "configs")
    sentence = refusal("training.loss=broken")
    assert "does not compose" in sentence
    assert "nowhere" in sentence


def test_a_file_in_configs_that_is_no_yaml_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "configs")
    (tmp_path / "configs" / "training" / "loss" / "broken.yaml").write_text("bce: {weight")
    monkeypatch.setattr(keys, "CONFIG_DIR", tmp_path / "configs")
    assert "broken.yaml" in refusal("training.loss=broken")


def test_the_default_network_is_one_of_smp() -> None:
    assert isinstance(load_config().model, SmpModel)


@pytest.mark.parametrize("name", ["run (1)", "a,b", "x=1", "Größe é", "it's", "[x]", "~z", "a#b", "{c}", "a: b", "$d"])
def test_a_path_may_have_any_name(name: str):
    config = load_config([f"model.checkpoint_path={name}/best.pth", f"data.root={name}", f"output_root={name}"])
    assert (str(config.model.checkpoint_path), str(config.data.root)) == (f"{name}/best.pth", name)
    assert str(config.data.cache_dir) == f"{name}/cache"


@pytest.mark.parametrize("key", PATHS)
def test_a_tilde_is_the_home_folder_in_every_path(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert compose([f"{key}=~/a b"]).value(key) == "/home/me/a b"
    assert compose([f"{key}=a/~/b"]).value(key) == "a/~/b"


def test_a_path_that_is_quoted_or_refers_to_a_key_is_taken_as_hydra_takes_it():
    assert str(load_config(["data.root='a b'"]).data.root) == "a b"
    assert str(load_config(["output_root=x", "data.root=${output_root}/y"]).data.root) == "x/y"
    assert load_config(["training.resume_from=null"]).training.resume_from is None


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.mean=64", "data.mean=64: must be a list in brackets, such as [512,512]."),
        (
            "data.image_size=true",
            "data.image_size=True: must be height and width in brackets, as [512,384], or one number " "for a square.",
        ),
        ("data.image_size=[64,96", "'data.image_size=[64,96': a bracket is not closed."),
    ],
)
def test_a_list_that_is_none_is_told_how_lists_are_written(override: str, sentence: str):
    assert refusal(override) == sentence
