"""Remotables of ConsoleAuthToken: tokens are kept as hashes only."""

from __future__ import annotations

import hashlib
import time
import uuid as uuids

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope

_KIND = "ConsoleAuthToken"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def authorize(call: ObjectCall, ttl: int) -> str:
    """ConsoleAuthToken.authorize: a new token that holds for `ttl` seconds; raises ObjectActionError."""
    if "id" in call.data:
        raise call.refuse("authorize", "must be a new object to authorize")
    token = str(uuids.uuid4())
    changes = {name: value for name, value in call.changed().items() if name != "token"}
    fields = {**changes, "token_hash": _hash(token), "expires": int(time.time()) + int(ttl)}
    row = call.records.insert(_KIND, {**complete(_KIND, changes), **fields})
    call.answer({**row, "token": token})
    return token


def validate(call: ClassCall, token: str) -> Envelope:
    """ConsoleAuthToken.validate; raises InvalidToken."""
    row = call.records.first(_KIND, token_hash=_hash(token))
    if row is None or row["expires"] <= time.time():
        raise errors.InvalidToken(token="***")
    return envelope(_KIND, {**row, "token": token})


def clean_for_instance(call: ClassCall, instance_uuid: str) -> None:
    """ConsoleAuthToken.clean_console_auths_for_instance."""
    call.records.purge(_KIND, instance_uuid=instance_uuid)


def clean_expired(call: ClassCall) -> None:
    """ConsoleAuthToken.clean_expired_console_auths."""
    _purge_expired(call, call.records.find(_KIND))


def clean_expired_for_host(call: ClassCall, host: str) -> None:
    """ConsoleAuthToken.clean_expired_console_auths_for_host."""
    _purge_expired(call, call.records.find(_KIND, host=host))


def _purge_expired(call: ClassCall, rows: list[dict[str, object]]) -> None:
    expired = [row["id"] for row in rows if int(str(row["expires"])) <= time.time()]
    if expired:
        call.records.purge(_KIND, id=expired)
