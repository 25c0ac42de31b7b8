"""Every remote call of every verb goes wrong in every way that it can; afterwards the rules hold.

That is the whole table, with COMPUTED_FAILURES=all in the environment, and it takes many minutes. Without it
one of three calls goes wrong in one way, on one of the two concurrency backends, dealt out so that each way
comes to many calls, and nothing is overtaken. Every order that is cast comes again, too: when it has been
carried out and when its server has been deleted.

The rules (rules.py): a legal state with no task, a fault for what failed, nothing claimed twice, nothing left
claimed: places, allocations, port bindings, attachments, migrations, images. A deletion then leaves nothing.
"""

from __future__ import annotations

import os

import pytest

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET
from computed.steps import action_events
from tests.functional.failures.cross_cell_verbs import CROSS_CELL_VERBS
from tests.functional.failures.kinds import KINDS, Act
from tests.functional.failures.rarer_verbs import RARER_VERBS
from tests.functional.failures.remotes import Answer, Call
from tests.functional.failures.rules import standing
from tests.functional.failures.stage import Stage
from tests.functional.failures.verb import Verb
from tests.functional.failures.verbs import VERBS
from tests.functional.failures.volume_verbs import VOLUME_VERBS

CASTS = {
    "resize_instance",
    "finish_resize",
    "finish_revert_resize",
    "live_migration",
    "rollback_live_migration_at_destination",
}
BEGIN = "InstanceActionEvent.event_start"
CALLED = {"attach-interface", "vnc-console", *(verb.name for verb in CROSS_CELL_VERBS)}
"""Verbs whose order is a call: nobody sends that twice."""
_CALLS: dict[str, list[Call]] = {}
ALL_VERBS = (*VERBS, *RARER_VERBS, *VOLUME_VERBS, *CROSS_CELL_VERBS)
WHOLE_TABLE = os.environ.get("COMPUTED_FAILURES") == "all"
SHARE = 1 if os.environ.get(ENVIRONMENT) == EVENTLET else 0


def begin(stage: Stage, verb: Verb) -> str:
    """A server where the verb may begin; none for a verb that orders one."""
    stage.is_host_lost = False
    stage.forget_shares()
    if verb.before is None:
        return ""
    uuid = stage.boot()
    assert stage.row(uuid)["vm_state"] == "active", stage.cloud.faults(uuid)
    stage.is_host_lost = verb.name == "evacuate"
    for step in verb.before:
        step(stage, uuid)
    return uuid


def play(stage: Stage, verb: Verb, trouble: tuple[Call, Act] | None) -> str:
    """Play the verb once, with one trouble or none; the server it was played on."""
    uuid = begin(stage, verb)
    # What the last one that was played left under way would be written down as this one's.
    stage.owner.settle()
    stage.remotes.listen(trouble)
    uuid = verb.act(stage, uuid) or uuid
    stage.remotes.stop()
    return uuid


def calls_of(stage: Stage, verb: Verb) -> list[Call]:
    """What the verb asks of whom when nothing goes wrong."""
    if verb.name not in _CALLS:
        uuid = play(stage, verb, None)
        calls = list(stage.remotes.calls)
        assert stage.breaches(uuid, verb.ends) == [], verb.name
        stage.delete(uuid)
        assert stage.row(uuid)["deleted"], stage.cloud.faults(uuid)
        assert stage.breaches(uuid, verb.ends) == []
        _CALLS[verb.name] = calls
    return _CALLS[verb.name]


def kinds_of(stage: Stage, call: Call) -> list[tuple[str, Act]]:
    """How the call can go wrong."""
    kinds = list(KINDS[call.remote].items())
    if call == Call("placement", "DELETE /allocations", call.nth):
        # To whom holds something, placement does not say that he holds nothing.
        return [(kind, act) for kind, act in kinds if kind != "404"]
    if call.remote == "computes" and call.method in CASTS:
        # A cast has no answer that could be a failure.
        return [(kind, act) for kind, act in kinds if kind != "500"]
    if call.method == "attachment_delete":
        # To the client an attachment that is not there is one that is deleted.
        return [(kind, act) for kind, act in kinds if kind != "404"]
    if call.method == "attachment_get":
        # One that is not there could not be given back either.
        return [(kind, act) for kind, act in kinds if kind != "404"]
    if call.remote == "shares":
        kinds = [(kind, act) for kind, act in kinds if call.method == "allow" or kind != "409"]
        kinds.append(("404", stage.lose_shares))
    if call.remote == "images":
        kinds.append(("404", stage.lose_images))
    return kinds


def dealt(kinds: list[tuple[str, Act]], verb: Verb, number: int) -> list[tuple[str, Act]]:
    """Those of the kinds that the verb's call of this number is to suffer in this run."""
    if WHOLE_TABLE:
        return kinds
    # Each verb begins elsewhere: else first calls would always suffer the first kind, and late ones none.
    turn = ALL_VERBS.index(verb) + number
    return [kinds[turn // 6 % len(kinds)]] if turn % 6 == 3 * SHARE else []


@pytest.mark.parametrize("remote", KINDS)
@pytest.mark.parametrize("verb", ALL_VERBS, ids=lambda verb: verb.name)
def test_one_call_goes_wrong(stage: Stage, verb: Verb, remote: str) -> None:
    broken = []
    ends = verb.ends | {"error"}
    calls = [call for call in calls_of(stage, verb) if call.remote == remote]
    for number, call in enumerate(calls):
        for kind, act in dealt(kinds_of(stage, call), verb, number):
            uuid = play(stage, verb, (call, act))
            if remote == "computes":
                # What a host was not told, its next audit finds out.
                stage.audit()
            found = stage.breaches(uuid, ends) if stage.remotes.has_happened else ["it did not come about"]
            stage.delete(uuid)
            if not stage.row(uuid)["deleted"]:
                found.append(f"it cannot be deleted: {stage.cloud.faults(uuid)}")
            else:
                found += [f"after the deletion: {breach}" for breach in stage.breaches(uuid, ends)]
            broken += [f"{call}, {kind}: {breach}" for breach in found]
    assert not broken, "\n".join(["the rules are broken:", *broken])


@pytest.mark.parametrize("verb", ALL_VERBS, ids=lambda verb: verb.name)
def test_the_conductor_is_away_when_a_leg_begins(
    stage: Stage, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than anybody waits for it before the leg: what the leg is to leave, it leaves."""
    begins = [call for call in calls_of(stage, verb) if call.method == BEGIN]
    if not WHOLE_TABLE:
        begins = begins[(ALL_VERBS.index(verb) + 2 * SHARE) % 4 :: 4]
    if not begins:
        pytest.skip("it has no action event, or none that is dealt to this run")
    monkeypatch.setattr(action_events, "SHORT_PATIENCE_SECONDS", 0.02)
    broken = []
    for call in begins:
        uuid = play(stage, verb, (call, stage.remotes.conductor_leaves))
        found = stage.breaches(uuid, verb.ends | {"error"})
        found += [] if stage.remotes.has_happened else ["it did not come about"]
        stage.delete(uuid)
        if not stage.row(uuid)["deleted"]:
            found.append(f"it cannot be deleted: {stage.cloud.faults(uuid)}")
        broken += [f"{call}: {breach}" for breach in [*found, *stage.breaches(uuid, verb.ends)]]
    assert not broken, "\n".join(["the rules are broken:", *broken])


def deletion(stage: Stage, others: set[str], deleted: list[str]) -> Act:
    """The owner deletes every server but `others` while a call is under way."""

    def act(answer: Answer) -> object:
        deleted.extend(set(stage.cloud.uuids()) - others)
        for uuid in deleted:
            stage.begin_deletion(uuid)
        return answer()

    return act


# Which of two cells' records the owner would delete, one record of everything cannot show.
IN_ONE_CELL = [verb for verb in ALL_VERBS if verb not in CROSS_CELL_VERBS]


@pytest.mark.skipif(not WHOLE_TABLE, reason="only with COMPUTED_FAILURES=all: it takes minutes")
@pytest.mark.parametrize("verb", IN_ONE_CELL, ids=lambda verb: verb.name)
def test_a_deletion_begins_at_a_call(stage: Stage, verb: Verb) -> None:
    broken = []
    for call in calls_of(stage, verb):
        deleted: list[str] = []
        others = set(stage.cloud.uuids())
        uuid = play(stage, verb, (call, deletion(stage, others, deleted)))
        stage.owner.settle()
        found = stage.breaches(uuid, verb.ends)
        if not stage.row(uuid)["deleted"]:
            found.append("it is not deleted")
        broken += [f"{call}: {breach}" for breach in found]
        stage.delete(uuid)
    assert not broken, "\n".join(["the rules are broken:", *broken])


CAST_VERBS = [verb for verb in ALL_VERBS if verb.name not in CALLED]


@pytest.mark.parametrize(
    "verb", CAST_VERBS if WHOLE_TABLE else CAST_VERBS[SHARE::2], ids=lambda verb: verb.name
)
def test_the_order_comes_again(stage: Stage, verb: Verb) -> None:
    """Once when the verb has ended, which changes nothing, and once when the server has been deleted."""
    uuid = play(stage, verb, None)
    was = standing(stage, uuid)
    stage.remotes.send_order_again()
    stage.rest(uuid)
    assert stage.breaches(uuid, verb.ends) == []
    assert standing(stage, uuid) == was
    stage.delete(uuid)
    assert stage.row(uuid)["deleted"], stage.cloud.faults(uuid)
    stage.remotes.send_order_again()
    stage.rest(uuid)
    assert stage.row(uuid)["deleted"]
    assert stage.breaches(uuid, verb.ends) == []
