"""Reading a params file: strict, with one clear line for each mistake."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from courtbook.errors import ParameterError
from courtbook.params import CommandParams, FolderSource, HttpParams, LeagueSource, Params, TokenParams
from courtbook.params_fields import may_be_secret, models_of
from courtbook.params_warehouse import BigQueryParams, WarehouseParams

_KINDS: dict[str, type[BaseModel]] = {
    "league": LeagueSource,
    "folder": FolderSource,
    "command": CommandParams,
    "http": HttpParams,
    "duckdb": WarehouseParams,
    "bigquery": BigQueryParams,
}
# What is known below each name that a mistake may lie under.
_MODELS: dict[str, type[BaseModel]] = {
    name: model for name, field in Params.model_fields.items() for model in models_of(field.annotation)
} | {"token": TokenParams, **_KINDS}


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
        plain = isinstance(key, yaml.ScalarNode)
        if not plain or key.value in seen:
            problem = f"the key '{key.value}' stands twice" if plain else "a name is plain text"
            raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def project_root(near: Path) -> Path:
    """Return the folder that relative paths start from.

    That is the nearest folder around ``near``, or else around the working folder, that holds ``notebooks`` and
    ``params``; without one, the working folder itself.
    """
    around = (folder for start in (near.resolve(), Path.cwd()) for folder in (start, *start.parents))
    marked = (folder for folder in around if (folder / "notebooks").is_dir() and (folder / "params").is_dir())
    return next(marked, Path.cwd())


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


def _replace(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by its dotted key."""
    first, *rest = key.split(".")
    if first in ("thresholds", "waivers") and len(rest) > 1 and rest[-1] in _MODELS[first].model_fields:
        # What stands between the first name and the field is the id of a check, dots and all.
        rest = [".".join(rest[:-1]), rest[-1]]
    *parents, last = first, *rest
    for parent in parents:
        content = content.setdefault(parent, {})
        if not isinstance(content, dict):
            raise ParameterError(f"'{parent}' has no parameters below it.", where=key, next_action="Check the name.")
    content[last] = value


def _line(error: Mapping[str, Any]) -> str:
    """Return what pydantic found as one line."""
    location, given, message = error["loc"], error["input"], str(error["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in location if part not in _KINDS) or "the file"
    secret = error["type"] == "secret" or may_be_secret(_MODELS.get(str(location[-1]) if location else ""))
    if error["type"] == "extra_forbidden":
        models = [_MODELS[str(part)] for part in location[:-1] if str(part) in _MODELS]
        known = list((models or [Params])[-1].model_fields)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        message = "unknown parameter; " + (f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}")
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] == "string_type" and isinstance(given, _Number):
        message = f'{given.text} was read as the number {int(given)}; ids are text: quote it, "{given.text}"'
    elif location[-1:] == ("url",):  # not quoted: it may hold a password
        message = "write it as https://host/path, without user, password or query; a token has its own place"
    elif not (isinstance(given, dict | list) or secret):
        message += f" (given: {given!r})"
    return f"{where}: {message}"


def _validated(content: object, where: str) -> Params:
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

    Raises
    ------
    ParameterError
        With one line for each mistake.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"The params file cannot be read: {error}.", where=str(file), next_action="Give the path of a params file."
        ) from error
    content = _parse(text, str(file))
    if isinstance(content, dict):
        for key, value in [*map(_setting, settings), *(overrides or {}).items()]:
            _replace(content, key, value)
    params, root = _validated(content, str(file)), project_root(file.parent)

    def located(path: str) -> str:
        return str((root / path).resolve())

    def placed(secret: str | None) -> str | None:
        kind, _, rest = (secret or "").partition(":")
        return f"file:{located(rest)}" if kind == "file" else secret

    source = params.source
    if isinstance(source, FolderSource):
        source = source.model_copy(update={"path": located(source.path)})
    warehouse = params.warehouse
    place = (
        {"key": placed(warehouse.key)} if isinstance(warehouse, BigQueryParams) else {"path": located(warehouse.path)}
    )
    warehouse = warehouse.model_copy(update=place)
    baseline = located(params.baseline) if params.baseline else ""
    executors: dict[str, CommandParams | HttpParams] = {}
    for name, chosen in params.executors.items():
        if isinstance(chosen, CommandParams):
            executors[name] = chosen.model_copy(update={"folder": located(chosen.folder)})
        elif chosen.token is not None:
            token = chosen.token.model_copy(update={"secret": placed(chosen.token.secret)})
            executors[name] = chosen.model_copy(update={"token": token})
        else:
            executors[name] = chosen
    return params.model_copy(
        update={"warehouse": warehouse, "source": source, "baseline": baseline, "executors": executors}
    )


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by their reference, and the references behind which there is nothing."""

    values: Mapping[str, str] = field(repr=False)
    unresolved: tuple[str, ...]


def read_secret(reference: str, root: Path) -> str:
    """Return what a reference (``env:NAME`` or ``file:PATH``) stands for, without blanks around it.

    Raises
    ------
    LookupError
        If the variable is not set.
    OSError
        If the file, relative to ``root``, cannot be read.
    """
    kind, _, rest = reference.partition(":")
    # Bytes that are no UTF-8 stay what they are: they are looked for in the files of a run.
    text = os.environ[rest] if kind == "env" else (root / rest).read_text(encoding="utf-8", errors="surrogateescape")
    return text.strip()


def secret_references(value: object, annotation: object = None) -> Iterator[str]:
    """Yield the references of all secrets in parameters or in a part of them, whatever the fields are called."""
    if isinstance(value, BaseModel):
        for name, known in type(value).model_fields.items():
            yield from secret_references(getattr(value, name), known.rebuild_annotation())
    elif isinstance(value, Mapping | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from secret_references(item, annotation)
    elif isinstance(value, str) and may_be_secret(annotation):
        yield value


def secrets_of(params: BaseModel, root: Path) -> Secrets:
    """Read all secrets that parameters refer to; one that is missing or empty is no error, but is named."""
    values: dict[str, str] = {}
    references = sorted(set(secret_references(params)))
    for reference in references:
        try:
            values[reference] = read_secret(reference, root)
        except (OSError, LookupError):
            continue  # named below
    found = {reference: value for reference, value in values.items() if value}
    return Secrets(found, tuple(reference for reference in references if reference not in found))
