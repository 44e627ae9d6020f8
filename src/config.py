"""The one door to the configuration: a list of override strings in, a checked ``Config`` out.

An override is Hydra's ``key=value``, with one rule more: a dotted key that is a directory under ``configs/`` selects a
file in it, so ``training.loss=dice_focal`` means ``training/loss=dice_focal``. (Plain Hydra 1.3 would replace the whole
node by the string, without a word.) An argument that ends in ``.yaml`` stands for the overrides listed in that file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml
from dotenv import find_dotenv, load_dotenv
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from src.errors import UserError, unknown
from src.folders import from_home
from src.schema import Config
from src.yaml_file import read_yaml

LONGEST = 10_000
"""Characters of an override."""
DEEPEST = 100
"""Brackets in it: Hydra reads them by recursion."""
CONFIG_DIR = Path(__file__).resolve().parents[1] / "configs"
ANY_OPTIMIZER = "training.optimizer"
ROOTS = {"CRACK_DATA_ROOT", "CRACK_OUTPUT_ROOT"}
"""Variables of the environment that are paths."""
PATHS = ("data.root", "data.cache_dir", "output_root", "model.checkpoint_path", "training.resume_from")


def load_config(overrides: Iterable[str] = ()) -> Config:
    """The checked configuration of these overrides; a later one wins over an earlier one for the same key.

    Every mistake is a ``UserError``: an unknown key or option names the legal ones, an illegal value its key and rule.
    """
    return check_values(compose_values(overrides))


def compose_values(overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The resolved values of these overrides as nested plain dicts, not yet checked against the schema."""
    spelled = select_groups(expand_files(rejoin_lists(overrides)))
    for word in spelled:
        if len(word) > LONGEST or max(word.count("["), word.count("{")) > DEEPEST or "\0" in word:
            raise UserError(f"'{word[:40]}...': longer or more nested than an override can be, or not text.")
        if _is_open(word.partition("=")[2]):
            raise UserError(f"'{word}': a bracket is not closed.")
        if "oc.env" in word:
            raise UserError(f"'{word}': overrides are kept in results, and the environment may hold secrets; see .env.")
    try:
        composed = _compose(spelled)
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError) as error:
        raise explain(spelled, error) from error
    return cast(dict[str, Any], values)


def group_choices(overrides: Iterable[str] = ()) -> dict[str, str]:
    """The option in force of every group, by its path: ``{"training/loss": "dice_bce", ...}``."""
    composed = _compose(select_groups(expand_files(rejoin_lists(overrides))), hydra_node=True)
    choices = cast(dict[str, str | None], OmegaConf.to_container(composed.hydra.runtime.choices))
    return {group.partition("@")[0]: option for group, option in choices.items() if option is not None}


def check_values(values: Mapping[str, Any]) -> Config:
    """The values as a ``Config``; all violations of the schema in one ``UserError``, each with its dotted key."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        sentences = [_sentence(dict(mistake), values) for mistake in error.errors()]
        raise UserError("; ".join(dict.fromkeys(sentences)) + ".") from error


def rejoin_lists(words: Iterable[str]) -> list[str]:
    """Undo the shell's split of ``metrics=["iou", "f1"]`` at its space: join words while a bracket is open."""
    joined: list[str] = []
    for word in words:
        if joined and _is_open(joined[-1].partition("=")[2]):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return joined


def _is_open(value: str) -> bool:
    """Whether a value begins as a list or mapping and does not end as one."""
    opened, closed = (sum(value.count(bracket) for bracket in pair) for pair in ("[{", "]}"))
    return value.startswith(("[", "{")) and opened > closed


def expand_files(words: Iterable[str]) -> list[str]:
    """Put the overrides that a ``*.yaml`` argument lists in its place."""
    return [
        override for word in words for override in (load_overrides(Path(word)) if is_override_file(word) else [word])
    ]


def is_override_file(word: str) -> bool:
    """``best.yaml``, and ``lr=0.01/best.yaml`` if there is such a file; else that is a value."""
    return word.endswith(".yaml") and ("=" not in word or Path(word).is_file())


def select_groups(overrides: Iterable[str]) -> list[str]:
    """Spell ``training.loss=dice_bce`` as Hydra selects it, ``training/loss=dice_bce``.

    Of several choices of one group the last is kept. An option that does not exist is a ``UserError``. An optimizer
    that is named without a choice of a file gets the file for any, so that it has no keys of another one.
    """
    groups: dict[str, str] = {}
    values: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        group = key.replace(".", "/")
        if group.lstrip("+~").split("/")[0] == "hydra":  # Hydra's own settings, which nothing here reads
            raise unknown("key", key, Config.model_fields)
        if equals and is_group(group):
            if value not in (options := list_options(group)):
                raise unknown(f"option of {key}", value, options)
            groups[group] = value
        else:
            values.append(override)
    if any(value.startswith(f"{ANY_OPTIMIZER}.name=") for value in values):
        groups.setdefault(ANY_OPTIMIZER.replace(".", "/"), "timm")
    return [f"{group}={value}" for group, value in groups.items()] + values


def quote_path(override: str) -> str:
    """A path as Hydra's grammar takes it, whatever characters it holds; what is quoted or refers to a key stays."""
    key, _, path = override.partition("=")
    if key not in PATHS or path in ("", "null") or path[0] in "'\"" or "${" in path:
        return override
    return f"{key}='" + from_home(path).replace("'", r"\'") + "'"


def with_data_root(overrides: Sequence[str]) -> list[str]:
    """The overrides, with the ``data.root`` of the environment or ``.env`` spelled out.

    So what a run leaves says which data it had, even after the environment has changed.
    """
    _read_environment()
    root = os.environ.get("CRACK_DATA_ROOT")
    named = any(word.startswith("data.root=") for word in expand_files(overrides))
    return [f"data.root={root}", *overrides] if root and not named else list(overrides)


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key. A key that is not there is a ``UserError`` with the legal ones at that place."""
    node: Any = values
    for depth, part in enumerate(key.split(".")):
        if not isinstance(node, Mapping) or part not in node:
            place = ".".join(key.split(".")[:depth])
            names = [str(name) for name in cast(Mapping[str, Any], node)] if isinstance(node, Mapping) else []
            legal = [f"{place}.{name}".lstrip(".") for name in names]
            raise unknown("key", key, legal, near=_likely(values, key), hint=_elsewhere(key))
        node = cast(Mapping[str, Any], node)[part]
    return node


def _elsewhere(key: str) -> str:
    """Which options of the key's group have it, as a sentence, where the chosen one has not; empty if none has."""
    parts = key.split(".")
    for length in range(len(parts) - 1, 0, -1):
        group = "/".join(parts[:length])
        if is_group(group):
            inside = ".".join(parts[length:])
            found = [name for name in list_options(group) if inside in _dotted(_of_file(group, name))]
            choices = ", ".join(f"{group.replace('/', '.')}={name}" for name in found)
            return f"It is there with {choices}." if found else ""
    return ""


def _of_file(group: str, name: str) -> Mapping[str, Any]:
    """What a file of a group holds, as it stands there."""
    values = read_yaml(CONFIG_DIR / group / f"{name}.yaml")
    return cast(Mapping[str, Any], values) if isinstance(values, Mapping) else {}


def _likely(values: Mapping[str, Any], key: str) -> list[str]:
    """The nearest key of all, or the only one that ends alike: ``training.optimizer.lr`` for ``training.lr``."""
    keys = list(_dotted(values))
    leaf = key.rpartition(".")[2]
    alike = [other for other in keys if other.rpartition(".")[2] == leaf]
    return alike if len(alike) == 1 else get_close_matches(key, keys, n=1, cutoff=0.75)


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _dotted(cast(Mapping[str, Any], value), f"{prefix}{name}.")


def load_overrides(path: Path) -> list[str]:
    """The overrides that a YAML file lists, such as a run's ``overrides.yaml``."""
    listed = read_yaml(path)
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in cast(list[Any], listed)):
        raise UserError(f"{path} must hold a YAML list of overrides, such as '- training.epochs=50'.")
    return cast(list[str], listed)


def save_overrides(overrides: Sequence[str], path: Path) -> None:
    """Write the overrides as a YAML list that ``python run.py PATH`` reads back."""
    path.write_text(yaml.safe_dump(list(overrides), width=1000))


def explain(spelled: Sequence[str], error: Exception) -> UserError:
    """The sentence for overrides that Hydra refuses: which option or key is unknown, and the legal ones."""
    try:
        for override in spelled:
            key, equals, _ = override.partition("=")
            if not (key and equals):
                return UserError(f"'{override}' is not an override: write key=value, or the name of a .yaml file.")
        values = OmegaConf.to_container(
            _compose([word for word in spelled if (CONFIG_DIR / word.split("=")[0]).is_dir()])
        )
        for override in spelled:
            key = override.partition("=")[0]
            if not (CONFIG_DIR / key).is_dir() and key[0] not in "+~":
                value_at(cast(dict[str, Any], values), key)
    except UserError as sentence:
        return sentence
    except (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError):
        pass  # the groups themselves do not compose: Hydra's own words are the best there are
    return UserError(f"The configuration does not compose: {' '.join(str(error).split())}")


def is_group(path: str) -> bool:
    """Whether ``training/loss`` names a directory of options under ``configs/``."""
    return bool(path) and (CONFIG_DIR / path).is_dir()


def list_options(group: str) -> list[str]:
    """The names that may stand behind ``group=``, such as ``architectures/unet`` for ``model``."""
    folder = CONFIG_DIR / group
    own = [path.stem for path in folder.glob("*.yaml")]
    nested = [f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.yaml")]
    # model's files lie in model/architectures; the other folders under it are groups of their own
    return sorted(own or [name for name in nested if name.startswith(("architectures/", "dataloader/"))])


def _compose(overrides: Sequence[str], hydra_node: bool = False) -> DictConfig:
    _read_environment()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("config", overrides=[quote_path(word) for word in overrides], return_hydra_config=hydra_node)


def _read_environment() -> None:
    """Add the variables of ``.env``, if there is one here or above, to the environment; empty ones count as not set."""
    path = find_dotenv(usecwd=True)
    try:
        load_dotenv(path)
    except UnicodeDecodeError as error:  # of an editor on Windows, for instance
        raise UserError(f"{path} is not text in UTF-8: save it as that. {error}.") from error
    for name in [name for name, value in os.environ.items() if name.startswith("CRACK_") and not value]:
        del os.environ[name]
    for name in ROOTS & os.environ.keys():
        os.environ[name] = from_home(os.environ[name])


def _sentence(mistake: dict[str, Any], values: Mapping[str, Any]) -> str:
    """``training.optimizer.lr=-1: input should be greater than 0`` for one of pydantic's errors."""
    message = str(mistake["msg"]).removeprefix("Value error, ")
    if mistake["type"] == "tuple_type" and mistake["loc"][-1] == "image_size":
        message = "must be height and width in brackets, as [512,384], or one number for a square"
    elif mistake["type"] == "tuple_type":
        message = "must be a list in brackets, as [512,512] is one"
    parts: list[str] = []
    node: Any = values
    for part in mistake["loc"]:
        # pydantic puts the tag of a union into the path (model.unet.encoder): keep what the values really hold
        if isinstance(node, Mapping) and part in node:
            node = cast(Mapping[str, Any], node)[str(part)]
            parts.append(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(cast(list[Any], node)):
            node = cast(list[Any], node)[part]
            parts.append(str(part))
    if mistake["type"] == "missing":
        parts.append(str(mistake["loc"][-1]))
    where = ".".join(parts) + ("" if isinstance(node, Mapping) else f"={node}")
    return f"{where}: {message[:1].lower()}{message[1:]}" if where else message
