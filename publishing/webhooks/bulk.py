"""Many rows in one statement, for where a model's object for each would cost more than the rest of the work.

PostgreSQL gets all rows as one parameter of JSON and unfolds them itself; SQLite gets a statement for each row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import BinaryField, Field, JSONField, Model

#: Field by the name of a column.
Columns = Mapping[str, "Field[Any, Any]"]
#: A value for each column, in their order: as a model's field takes it. Any: of as many types as there are fields.
Row = Sequence[Any]


def columns_of(model: type[Model], names: Sequence[str]) -> Columns:
    """Return fields of a model by the names of their columns."""
    fields = {field.column: field for field in model._meta.concrete_fields}
    return {name: fields[name] for name in names}


def run_for_rows(statement: str, columns: Columns, rows: Sequence[Row]) -> int:
    """Run a statement in which `{rows}` is a table `r` with these columns; return how many rows it wrote.

    Blocks; no query without rows.

    Raises:
        DataError: the database does not take one of them; none was written.
    """
    if not rows:
        return 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            typed = ", ".join(f"{name} {field.db_type(connection)}" for name, field in columns.items())
            cursor.execute(
                statement.format(rows=f"json_to_recordset(%s::json) AS r({typed})"), [_to_json(columns, rows)]
            )
        else:
            named = ", ".join(f"%s AS {name}" for name in columns)
            adapted = [
                [_to_sqlite(value, field) for value, field in zip(row, columns.values(), strict=True)] for row in rows
            ]
            cursor.executemany(statement.format(rows=f"(SELECT {named}) AS r"), adapted)
        written: int = cursor.rowcount
        return written


def _to_json(columns: Columns, rows: Sequence[Row]) -> str:
    members = [dict(zip(columns, row, strict=True)) for row in rows]
    for name in [name for name, field in columns.items() if isinstance(field, BinaryField)]:
        for member in members:
            member[name] = f"\\x{member[name].hex()}"
    return msgspec.json.encode(members).decode()


def _to_sqlite(value: Any, field: "Field[Any, Any]") -> Any:
    if isinstance(field, JSONField):
        return msgspec.json.encode(value).decode()
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
