"""Composes overrides into a checked ``Config``; all parts of the project load the configuration here.

An override is Hydra's ``key=value``, with one additional rule: a dotted key that is a directory under ``configs/``
selects a file in it, so ``training.loss=dice_focal`` means ``training/loss=dice_focal``. (Plain Hydra 1.3 would
silently replace the whole node by the string.)
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from src.config import keys
from src.config.environment import read_environment
from src.config.keys import is_group, list_options, value_at
from src.config.overrides import Overrides
from src.config.schema import Config
from src.errors import UserError, unknown
from src.folders import from_home

ANY_OPTIMIZER = "training.optimizer"
REFUSALS = (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError)
"""What Hydra raises for overrides that do not compose."""
PATHS = (
    "data.root",
    "data.cache_dir",
    "output_root",
    "model.checkpoint_path",
    "model.init_from",
    "training.resume_from",
)


@dataclass(frozen=True)
class Composed:
    """The configuration that overrides compose to, not yet checked against the schema."""

    values: Mapping[str, Any]
    """Resolved, as nested plain dicts."""
    choices: Mapping[str, str]
    """The chosen option of every group, by its dotted key: ``{"training.loss": "dice_bce", ...}``."""

    def value(self, key: str) -> Any:
        """The option of a group, or the value of any other key. An unknown key is a ``UserError``."""
        return self.choices[key] if key in self.choices else value_at(self.values, key)

    def check(self) -> Config:
        """The values as a ``Config``; all violations of the schema in one ``UserError``, each with its dotted key."""
        try:
            return Config.model_validate(self.values)
        except ValidationError as error:
            raise UserError(f"{sentences_of(error, self.values)}.") from error


def load_config(overrides: Iterable[str] = ()) -> Config:
    """The checked configuration of these overrides; the last override of a key wins.

    Every mistake is a ``UserError``: an unknown key or option names the legal ones, an illegal value its key and rule.
    """
    return compose(overrides).check()


def compose(overrides: Iterable[str] = ()) -> Composed:
    """Values and choices of these overrides. Overrides that do not compose are a ``UserError``."""
    parsed = Overrides.parse(overrides)
    try:
        composed = _compose(*_to_hydra(parsed))
        chosen = cast(dict[str, str | None], OmegaConf.to_container(composed.hydra.runtime.choices))
        values = {name: _plain(composed, name) for name in cast(Iterable[str], composed) if name != "hydra"}
    except REFUSALS as error:
        raise _explain(parsed, error) from error
    choices = {group.partition("@")[0].replace("/", "."): option for group, option in chosen.items() if option}
    return Composed(values, choices)


def _plain(composed: DictConfig, name: str) -> Any:
    """A top-level value as dicts and lists."""
    value = composed[name]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def _to_hydra(overrides: Overrides) -> tuple[list[str], list[str]]:
    """The overrides in Hydra's syntax: groups as ``training/loss=dice_bce``, and values, with paths in quotes.

    Of several choices of one group the last is kept. An unknown option is a ``UserError``. An optimizer that is named
    without choosing a file gets the file ``timm``, so that it has no keys of another optimizer.
    """
    groups: dict[str, str] = {}
    values: list[str] = []
    for item in overrides.items:
        if item.key.split(".")[0] == "hydra":  # Hydra's own settings, which have no effect here
            raise unknown("key", item.key, Config.model_fields)
        if item.value is not None and item.sign != "~" and is_group(item.key):
            if item.value not in (options := list_options(item.key)):
                raise unknown(f"option of {item.key}", item.value, options)
            groups[item.key] = item.value
        else:
            values.append(str(item) if item.value is None else str(replace(item, value=_quoted(item.key, item.value))))
    if f"{ANY_OPTIMIZER}.name" in overrides.keys:
        groups.setdefault(ANY_OPTIMIZER, "timm")
    return [f"{group.replace('.', '/')}={option}" for group, option in groups.items()], values


def _quoted(key: str, value: str) -> str:
    """Quote a path for Hydra's grammar, unless it is quoted already or refers to another key."""
    if key not in PATHS or value in ("", "null") or value[0] in "'\"" or "${" in value:
        return value
    return "'" + from_home(value).replace("'", r"\'") + "'"


def _explain(overrides: Overrides, error: Exception) -> UserError:
    """The error for overrides that Hydra refuses: the unknown key and the legal ones, or Hydra's own message."""
    groups = Overrides(tuple(item for item in overrides.items if is_group(item.key)))
    try:
        values = cast(dict[str, Any], OmegaConf.to_container(_compose(*_to_hydra(groups))))
        for item in overrides.items:
            if not (is_group(item.key) or item.sign):
                value_at(values, item.key)
    except UserError as sentence:
        return sentence
    except REFUSALS:
        pass  # the groups themselves do not compose: use Hydra's message
    return UserError(f"The configuration does not compose: {' '.join(str(error).split())}")


def _compose(groups: Iterable[str], values: Iterable[str]) -> DictConfig:
    read_environment()
    return _composed(tuple(groups), tuple(values), keys.CONFIG_DIR)


@lru_cache(maxsize=256)
def _composed(groups: tuple[str, ...], values: tuple[str, ...], folder: Path) -> DictConfig:
    """What Hydra composes. Only read it: the next one who asks for the same gets it too.

    Variables of the environment are still references in it, so they are looked up whenever it is read. Hydra takes a
    tenth of a second for the files of ``groups``, which most of the trials of a sweep have in common. Two threads must
    not compose at once: OmegaConf changes what it copies for a moment.
    """
    changed = _changed(_composed(groups, (), folder), values) if values else None
    if changed is not None:
        return changed
    with initialize_config_dir(str(folder), version_base="1.3"):
        return hydra_compose("config", overrides=[*groups, *values], return_hydra_config=True)


def _changed(composed: DictConfig, values: Iterable[str]) -> DictConfig | None:
    """A copy with other values of keys that it has; None for all other overrides, mistakes too: Hydra explains them.

    A value that refers to Hydra's own record of the overrides is left to Hydra too.
    """
    if any("${hydra" in value for value in values):
        return None
    try:
        overrides = OverridesParser.create().parse_overrides(list(values))
        if any(one.type != OverrideType.CHANGE or one.package or one.is_sweep_override() for one in overrides):
            return None
        copy = deepcopy(composed)
        for one in overrides:
            OmegaConf.update(copy, one.key_or_group, one.value(), merge=True)
    except REFUSALS:
        return None
    return copy


def sentences_of(error: ValidationError, values: Mapping[str, Any]) -> str:
    """All of pydantic's errors about ``values``, each once, with semicolons between them."""
    return "; ".join(dict.fromkeys(_sentence(dict(mistake), values) for mistake in error.errors()))


def _sentence(mistake: dict[str, Any], values: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence: ``training.optimizer.lr=-1: input should be greater than 0``."""
    message = str(mistake["msg"]).removeprefix("Value error, ")
    if mistake["type"] == "tuple_type" and mistake["loc"][-1] == "image_size":
        message = "must be height and width in brackets, as [512,384], or one number for a square"
    elif mistake["type"] == "tuple_type":
        message = "must be a list in brackets, such as [512,512]"
    parts: list[str] = []
    node: Any = values
    for part in mistake["loc"]:
        # pydantic adds the tag of a union to the path (model.unet.encoder): keep only keys that exist
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
