"""What the fields of a params file may hold: dates, words, references of secrets."""

import re
from datetime import date
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _iso_date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"'{value}' is not a date; write it as YYYY-MM-DD") from error
    return value


def _confirmed(value: bool) -> bool:
    if not value:
        raise ValueError("a fallback that is not confirmed cannot stand in for a table")
    return value


def _reference(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s\x00][^\r\n\x00]*", value):
        return value
    # Never quoted: it may well be the secret itself.
    raise PydanticCustomError("secret", "write it as env:NAME or file:PATH; a secret itself has no place in this file")


_REFERENCE = BeforeValidator(_reference)
Secret = Annotated[str, _REFERENCE]  # where a secret is to be found, never the secret
Confirmed = Annotated[bool, AfterValidator(_confirmed)]
Day = Annotated[date, BeforeValidator(_iso_date)]
Words = Annotated[str, Field(pattern=r"\S")]


class Strict(BaseModel):
    """A part of the parameters: frozen, and without names that nobody knows."""

    # Pydantic's own message would quote what was given, and show behind ours wherever a traceback is printed.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def models_of(annotation: object) -> tuple[type[BaseModel], ...]:
    """Return the models in an annotation, however deep it hides them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for part in get_args(annotation) for model in models_of(part))


def may_be_secret(annotation: object) -> bool:
    """Return whether a value of this type, or one in it, is the reference of a secret."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(may_be_secret(field.rebuild_annotation()) for field in annotation.model_fields.values())
    return annotation is _REFERENCE or any(may_be_secret(part) for part in get_args(annotation))
