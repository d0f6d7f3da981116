"""The parameters of a warehouse: a DuckDB file, or a project on BigQuery."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from courtbook.params_fields import Secret, Strict


class WarehouseParams(Strict):
    """Where the tables are."""

    engine: Literal["duckdb"] = Field("duckdb", description="`duckdb`, an embedded file, or `bigquery`")
    path: str = Field(description="duckdb: the file, relative to the project's folder")
    memory: str = Field("900MB", description="duckdb: its memory limit")
    timeout: int = Field(600, ge=1, le=86400, description="seconds that one statement may take")
    lock_wait: float = Field(
        5, ge=0, le=3600, description="duckdb: seconds to wait for a file that another process has open", strict=False
    )


class BigQueryParams(Strict):
    """A project on BigQuery."""

    engine: Literal["bigquery"] = Field(description="`duckdb`, an embedded file, or `bigquery`")
    project: str = Field(
        pattern=r"^[a-z][a-z0-9.:-]*[a-z0-9]$",
        description="bigquery: project that is billed; the tables are in it unless `datasets` says otherwise",
    )
    location: str = Field(
        "US", pattern=r"^[A-Za-z][A-Za-z0-9-]+$", description="bigquery: where its datasets and jobs are"
    )
    datasets: dict[str, Annotated[str, Field(pattern=r"^([a-z][a-z0-9.:-]*\.)?\w+$")]] = Field(
        default_factory=dict, description="bigquery: datasets that are called otherwise, as `name` or `project.name`"
    )
    maximum_bytes_billed: int = Field(
        10_000_000_000, ge=10_485_760, description="bigquery: most bytes that one statement may bill"
    )
    timeout: int = Field(600, ge=1, le=21600, description="seconds that one statement may take")
    patience: float = Field(
        60, ge=0, le=600, description="bigquery: seconds for which a request that failed is repeated", strict=False
    )
    key: Secret | None = Field(
        None,
        description="bigquery: key of a service account, as `file:PATH` or `env:NAME`; without: default credentials",
    )
    impersonate: str = Field("", pattern=r"^(\S+@\S+)?$", description="bigquery: service account to act for")
    storage_api: bool = Field(True, description="bigquery: read large results through the Storage API; else by REST")
    endpoint: str = Field(
        "", pattern=r"^(https?://[^\s@?#/]+)?$", description="bigquery: another address, such as an emulator's"
    )
    anonymous: bool = Field(
        False, description="bigquery: ask without credentials, as emulators allow; needs `endpoint`"
    )

    @model_validator(mode="after")
    def _one_identity(self) -> "BigQueryParams":
        if self.anonymous and (not self.endpoint or self.key or self.impersonate):
            raise ValueError("anonymous is for an endpoint of its own, without key and impersonate")
        return self


def _engine(value: object) -> object:
    return value.get("engine", "duckdb") if isinstance(value, dict) else getattr(value, "engine", "duckdb")


AnyWarehouse = Annotated[
    Annotated[WarehouseParams, Tag("duckdb")] | Annotated[BigQueryParams, Tag("bigquery")],
    Discriminator(_engine, custom_error_type="engine", custom_error_message="engine is duckdb or bigquery"),
]
