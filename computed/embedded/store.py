"""The embedded store: records of the one-host cloud in SQLite, one transaction at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from computed.embedded.tables import KINDS, METADATA, SCHEMA_VERSION, TABLES

Fields = dict[str, Any]
"""The fields of one record, as primitives: what stands in `nova_object.data`, nested objects as envelopes."""


class DuplicateKey(Exception):
    """A record with the same unique key exists already."""


class StoreTooNew(Exception):
    """The file was written by a newer release; it is left alone."""


def utc_now() -> str:
    """The time as it goes on the wire, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """The records of a one-host cloud in one file, or in memory when `path` is None.

    There is one connection, and one transaction at a time holds it: SQLite has a single writer anyhow, and
    waiting for a lock of Python's works under threads and under eventlet alike, where waiting inside
    SQLite would stop every green thread. What a transaction has written survives a `kill -9` (write-ahead
    log); raises StoreTooNew for a file of a later release. With `durable=False` nothing waits for the disk:
    it is as safe against a `kill -9`, not against a loss of power.
    """

    def __init__(self, path: Path | None = None, *, durable: bool = True) -> None:
        url = f"sqlite:///{path}" if path else "sqlite://"
        self._engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        self._lock = threading.Lock()
        self._connection = self._engine.connect()
        self._prepare("NORMAL" if durable else "OFF")

    def _prepare(self, synchronous: str) -> None:
        pragma = self._connection.exec_driver_sql
        pragma("PRAGMA journal_mode=WAL")
        pragma(f"PRAGMA synchronous={synchronous}")
        found = int(pragma("PRAGMA user_version").scalar() or 0)
        if found > SCHEMA_VERSION:
            self.close()
            raise StoreTooNew(f"the store has schema {found}; this release knows {SCHEMA_VERSION}")
        if found < SCHEMA_VERSION:
            METADATA.create_all(self._connection)
            pragma(f"PRAGMA user_version={SCHEMA_VERSION}")
        self._connection.commit()

    @contextmanager
    def transaction(self) -> Iterator[Records]:
        """One transaction: all of it is kept when the block ends, nothing when it raises. Does not nest."""
        with self._lock, self._connection.begin():
            yield Records(self._connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._engine.dispose()


class Records:
    """Reading and writing records inside one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def insert(self, kind: str, fields: Mapping[str, Any]) -> Fields:
        """Add a record; gives it `id` and the time stamps. Raises DuplicateKey."""
        record = {
            **KINDS[kind].defaults,
            **fields,
            "created_at": fields.get("created_at") or utc_now(),
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
        record.pop("id", None)
        try:
            result = self._connection.execute(TABLES[kind].insert().values(**self._row(kind, record)))
        except sa.exc.IntegrityError as exc:
            raise DuplicateKey(kind) from exc
        key = result.inserted_primary_key
        return {**record, "id": key[0] if key else None}

    def find(self, kind: str, *, read_deleted: str = "no", **keys: Any) -> list[Fields]:
        """Records in the order of their making whose key columns equal `keys` (a list or set: any of it).

        `read_deleted` is that of the request context: no, yes or only.
        """
        table = TABLES[kind]
        query = sa.select(table.c.id, table.c.deleted, table.c.data).where(
            *self._conditions(kind, read_deleted, keys)
        )
        rows = self._connection.execute(query.order_by(table.c.id))
        return [{**row.data, "id": row.id, "deleted": row.deleted} for row in rows]

    def first(self, kind: str, *, read_deleted: str = "no", **keys: Any) -> Fields | None:
        """The oldest of the records that `find` would give, or None."""
        found = self.find(kind, read_deleted=read_deleted, **keys)
        return found[0] if found else None

    def update(self, kind: str, record: Mapping[str, Any], changes: Mapping[str, Any]) -> Fields:
        """Write `changes` over `record` (as read in this transaction) and return the new record."""
        new = {**record, **changes, "id": record["id"], "updated_at": changes.get("updated_at") or utc_now()}
        table = TABLES[kind]
        self._connection.execute(
            table.update().where(table.c.id == record["id"]).values(**self._row(kind, new))
        )
        return new

    def soft_delete(self, kind: str, **keys: Any) -> int:
        """Mark the records as deleted and return how many there were."""
        records = self.find(kind, **keys)
        for record in records:
            now = utc_now()
            self.update(kind, record, {"deleted": True, "deleted_at": now})
        return len(records)

    def purge(self, kind: str, **keys: Any) -> int:
        """Remove the records, deleted ones too, and return how many there were."""
        result = self._connection.execute(TABLES[kind].delete().where(*self._conditions(kind, "yes", keys)))
        return int(result.rowcount)

    @staticmethod
    def _row(kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
        data = {name: value for name, value in record.items() if name not in ("id", "deleted")}
        row = {key: record.get(key) for key in KINDS[kind].keys}
        return {**row, "deleted": bool(record.get("deleted")), "data": data}

    @staticmethod
    def _conditions(kind: str, read_deleted: str, keys: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
        columns = TABLES[kind].c
        conditions = [
            columns[key].in_(list(value))
            if isinstance(value, list | tuple | set | frozenset)
            else columns[key] == value
            for key, value in keys.items()
        ]
        if read_deleted != "yes":
            conditions.append(columns.deleted == (read_deleted == "only"))
        return conditions
