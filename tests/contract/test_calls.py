"""The table of RPC methods against the recorded facts of nova 34."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from computed.rpc.call import REQUIRED
from computed.rpc.calls import CALLS

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "compute_rpc.json").read_text())
METHODS: dict[str, Any] = FACTS["methods"]
# We hold the instance lock in more verbs than nova does: a start, a restore or a soft delete must not run
# into another power verb of the same instance, nor a deletion into the legs of a resize
# or a change of shares.
LOCKED_BY_US = {
    "start_instance",
    "restore_instance",
    "soft_delete_instance",
    "resize_instance",
    "finish_resize",
    "revert_resize",
    "finish_revert_resize",
    "allow_share",
    "deny_share",
}


def test_the_table_names_every_method_and_no_other() -> None:
    assert sorted(CALLS) == sorted(METHODS)
    assert len(CALLS) == 74


@pytest.mark.parametrize("name", sorted(METHODS))
def test_arguments_and_defaults(name: str) -> None:
    recorded = [(a["name"], a["default"] if a["has_default"] else REQUIRED) for a in METHODS[name]["args"]]
    assert [(a.name, a.default) for a in CALLS[name].arguments] == recorded


@pytest.mark.parametrize("name", sorted(METHODS))
def test_guards(name: str) -> None:
    fact, call = METHODS[name], CALLS[name]
    event = fact["instance_action_event"] or fact.get("worker", {}).get("instance_action_event")
    assert call.event == event
    assert call.notify_exception is fact["wrap_exception"]
    assert call.records_fault is fact["records_instance_fault"]
    assert call.reverts_task_state is fact["reverts_task_state"]
    assert call.errors_out_migration is fact["errors_out_migration"]
    assert call.deletes_image_on_error is fact["delete_image_on_error"]
    assert sorted(e.__name__ for e in call.expected_errors) == sorted(fact["expected_exceptions"])
    assert (call.lock is not None) is bool(fact["locks"] or name in LOCKED_BY_US)


def _variants() -> list[Any]:
    """What the stock client sends at 6.5, in its alternatives, and under an older 6.x pin."""
    found = []
    for name, fact in METHODS.items():
        sent = {"6.5": fact["client_6_5"], **fact["client_alternatives"]}
        sent.update({k: v for k, v in fact["client_differs_at_version_cap"].items() if k.startswith("6.")})
        for cap, message in sent.items():
            if message and "args" in message:
                found.append(pytest.param(name, message["args"], id=f"{name}-{cap}"))
    return found


@pytest.mark.parametrize(("name", "arguments"), _variants())
def test_what_the_stock_client_sends_binds(name: str, arguments: list[str]) -> None:
    call = CALLS[name]
    bound = call.bind(dict.fromkeys(arguments, "x"))
    assert list(bound) == [a.name for a in call.arguments]
    assert all(bound[a] == "x" for a in arguments)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_operation_takes_what_the_method_is_given(name: str) -> None:
    call = CALLS[name]
    given = {argument.name: None for argument in call.arguments}
    inspect.signature(call.operation).bind("the host", "the context", **given)
