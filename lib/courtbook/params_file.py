"""Reading a params file: strict, with one clear line for each mistake."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from courtbook.errors import ParameterError
from courtbook.params import (
    AcceptParams,
    BackfillParams,
    FolderSource,
    LeagueSource,
    OverrideParams,
    Params,
    RangeParams,
    ThresholdParams,
    WaiverParams,
    WarehouseParams,
)

_MODELS: dict[str, type[BaseModel]] = {
    "warehouse": WarehouseParams,
    "range": RangeParams,
    "backfill": BackfillParams,
    "thresholds": ThresholdParams,
    "waivers": WaiverParams,
    "accept": AcceptParams,
    "override": OverrideParams,
    "league": LeagueSource,
    "folder": FolderSource,
}


class _Number(int):
    """A whole number that remembers how it was written: ids lose their zeros otherwise."""

    text: str


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice and keeps the text of numbers."""


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    number = _Number(loader.construct_yaml_int(node))
    number.text = str(node.value)
    return number


def _construct_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a name is plain text", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def project_root(near: Path) -> Path:
    """Return the folder that relative paths start from.

    That is the nearest folder around ``near``, or else around the working folder, that holds ``notebooks`` and
    ``params``; without one, the working folder itself.
    """
    for start in (near.resolve(), Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
                return folder
    return Path.cwd()


def find_params(name: str) -> Path:
    """Find a params file by its path, also from a folder inside the project (a notebook runs in ``notebooks``)."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / name).is_file():
            return (folder / name).resolve()
    raise ParameterError(
        "There is no such params file.", where=name, next_action="Give the path of a file such as params/demo.yaml."
    )


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ParameterError(
            f"This is not valid YAML{line}: {problem}.", where=where, next_action="Correct it."
        ) from error


def _setting(text: str) -> tuple[str, Any]:
    """Read ``key=value`` as the command line gives it; the value is YAML."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ParameterError(
            "A setting is written as key=value.",
            where=f"--set {text}",
            next_action="Example: --set range.end=2025-06-22.",
        )
    return key.strip(), _parse(value, f"--set {text}")


def _parts(key: str) -> list[str]:
    """Split a dotted key; what stands between ``thresholds.`` or ``waivers.`` and its field is an id, dots and all."""
    first, *rest = key.split(".")
    if first in ("thresholds", "waivers") and len(rest) > 1 and rest[-1] in _MODELS[first].model_fields:
        return [first, ".".join(rest[:-1]), rest[-1]]
    return [first, *rest]


def _replace(content: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = _parts(key)
    target = content
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise ParameterError(f"'{parent}' has no parameters below it.", where=key, next_action="Check the name.")
    target[last] = value


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Params
    for part in location[:-1]:
        model = _MODELS.get(str(part), model)
    return list(model.model_fields)


def _line(error: Mapping[str, Any]) -> str:
    location: tuple[int | str, ...] = error["loc"]
    where = ".".join(str(part) for part in location if part not in ("league", "folder")) or "the file"
    given = error["input"]
    if error["type"] == "extra_forbidden":
        known = _known_keys(location)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        return f"{where}: unknown parameter; " + (
            f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        )
    if error["type"] == "missing":
        return f"{where}: is missing"
    if error["type"] == "string_type" and isinstance(given, _Number):
        return f'{where}: {given.text} was read as the number {int(given)}; ids are text: quote it, "{given.text}"'
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if isinstance(given, dict | list) else f"{where}: {message} (given: {given!r})"


def validate(content: object, where: str) -> Params:
    """Check the content of a params file.

    Raises
    ------
    ParameterError
        With one line for each mistake.
    """
    if not isinstance(content, dict):
        raise ParameterError(
            "A params file is a mapping of names to values.",
            where=where,
            next_action="Compare it with params/demo.yaml.",
        )
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = [_line(item) for item in error.errors()]
        raise ParameterError(
            lines[0] if len(lines) == 1 else f"{len(lines)} mistakes: " + " | ".join(lines),
            where=where,
            next_action="-> Correct the file; every parameter stands in the README.",
        ) from error


def load_params(file: Path, settings: Iterable[str] = (), overrides: Mapping[str, Any] | None = None) -> Params:
    """Read and check a params file; relative paths become absolute.

    Parameters
    ----------
    file : Path
        The params file.
    settings : iterable of str
        ``key=value`` pairs that replace values of the file; keys may be dotted.
    overrides : mapping, optional
        Values by dotted key that replace those of the file (what a notebook's parameters cell gives).
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"The params file cannot be read: {error}.",
            where=str(file),
            next_action="Give the path of a params file.",
        ) from error
    content = _parse(text, str(file))
    if isinstance(content, dict):
        for key, value in [*map(_setting, settings), *(overrides or {}).items()]:
            _replace(content, key, value)
    params = validate(content, str(file))
    root = project_root(file.parent)
    located = params.warehouse.model_copy(update={"path": str((root / params.warehouse.path).resolve())})
    source = params.source
    if isinstance(source, FolderSource):
        source = source.model_copy(update={"path": str((root / source.path).resolve())})
    baseline = str((root / params.baseline).resolve()) if params.baseline else ""
    return params.model_copy(update={"warehouse": located, "source": source, "baseline": baseline})
