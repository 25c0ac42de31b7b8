"""The ledger always equals the sum of its lines, and an audit loses neither a claim nor a release."""

import random
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from computed.resources.ledger import RELEASE_GRACE_SECONDS, Entry, Ledger
from computed.resources.usage import InstanceState, Tally, Usage

RESERVED = Usage(1, 512, 3)


def entry(vcpus=1, memory_mib=128, disk_gib=10, vm_state="active", task_state=None):
    return Entry(Usage(vcpus, memory_mib, disk_gib), InstanceState(vm_state, task_state, None, "p"))


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def ledger_and_clock():
    clock = Clock()
    return Ledger(RESERVED, clock=clock), clock


def assert_adds_up(ledger):
    entries = ledger.entries().values()
    load = ledger.load()
    assert load.held == sum((each.usage for each in entries), start=RESERVED)
    tally = Tally(each.state for each in entries if each.state is not None)
    assert (load.instances, load.current_workload, load.stats) == (
        tally.instances,
        tally.current_workload,
        tally.stats(),
    )


def read(ledger, found, during=lambda: None):
    with ledger.reading() as reading:
        during()
        ledger.merge(reading, found)


def test_a_replaced_line_is_not_doubled():
    ledger, _ = ledger_and_clock()
    ledger.take(("a", None), entry(vcpus=2))
    ledger.take(("a", None), entry(vcpus=3))
    assert ledger.load().held == RESERVED + Usage(3, 128, 10)


def test_giving_back_restores_what_was_there_before():
    ledger, _ = ledger_and_clock()
    first, _ = ledger.take(("a", None), entry(vcpus=2))
    ledger.settle(first)
    second, _ = ledger.take(("a", None), entry(vcpus=3))
    assert ledger.give_back(second)
    assert ledger.entries() == {("a", None): entry(vcpus=2)}
    assert not ledger.give_back(second)
    assert not ledger.give_back(first) or ledger.entries() == {}


def test_an_older_claim_cannot_give_back_the_place_of_a_newer_one():
    ledger, _ = ledger_and_clock()
    older, _ = ledger.take(("a", None), entry(vcpus=2))
    newer, _ = ledger.take(("a", None), entry(vcpus=3))
    assert not ledger.give_back(older)
    assert ledger.entries() == {("a", None): entry(vcpus=3)}
    assert ledger.give_back(newer)
    assert ledger.entries() == {}


def test_a_refused_check_changes_nothing():
    ledger, _ = ledger_and_clock()
    ledger.take(("a", None), entry())
    before = ledger.entries()

    def refuse(used, topologies):
        assert used == RESERVED + Usage(1, 128, 10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.take(("b", None), entry(), refuse)
    assert ledger.entries() == before
    assert_adds_up(ledger)


def test_the_check_does_not_count_the_line_that_is_replaced():
    ledger, _ = ledger_and_clock()
    ledger.take(("a", None), entry())
    seen = []
    ledger.take(("a", None), entry(vcpus=7), lambda used, topologies: seen.append(used))
    assert seen == [RESERVED]


# What an audit does with a line, by what happened to it.


def test_an_audit_takes_over_what_the_records_say():
    ledger, _ = ledger_and_clock()
    read(ledger, {("a", None): entry(), ("b", "m"): entry(vcpus=2)})
    assert set(ledger.entries()) == {("a", None), ("b", "m")}
    read(ledger, {("a", None): entry(vcpus=9)})
    assert ledger.entries() == {("a", None): entry(vcpus=9)}


def test_a_claim_in_progress_survives_records_that_do_not_know_it():
    ledger, _ = ledger_and_clock()
    ticket, _ = ledger.take(("a", None), entry())
    read(ledger, {})
    assert ("a", None) in ledger.entries()
    ledger.settle(ticket)
    read(ledger, {})
    assert ledger.entries() == {}


def test_a_claim_taken_while_the_records_are_read_is_kept():
    ledger, _ = ledger_and_clock()
    read(ledger, {}, during=lambda: ledger.settle(ledger.take(("a", None), entry())[0]))
    assert ("a", None) in ledger.entries()


def test_a_claim_settled_while_the_records_are_read_is_kept():
    ledger, _ = ledger_and_clock()
    ticket, _ = ledger.take(("a", None), entry())
    read(ledger, {}, during=lambda: ledger.settle(ticket))
    assert ("a", None) in ledger.entries()


def test_a_release_while_the_records_are_read_is_kept():
    ledger, _ = ledger_and_clock()
    read(ledger, {("a", None): entry()})
    read(ledger, {("a", None): entry()}, during=lambda: ledger.drop("a"))
    assert ledger.entries() == {}


def test_a_release_before_its_record_was_saved_is_believed_for_a_while_only():
    ledger, clock = ledger_and_clock()
    read(ledger, {("a", None): entry()})
    ledger.drop("a")
    read(ledger, {("a", None): entry()})
    assert ledger.entries() == {}
    clock.now += RELEASE_GRACE_SECONDS
    read(ledger, {("a", None): entry()})
    assert ("a", None) in ledger.entries()


def test_a_released_instance_that_comes_back_counts_at_once():
    ledger, _ = ledger_and_clock()
    ledger.drop("a")
    ticket, _ = ledger.take(("a", "m"), entry())
    ledger.settle(ticket)
    read(ledger, {("a", None): entry(vcpus=5)})
    assert ledger.entries() == {("a", None): entry(vcpus=5)}


def test_a_claim_in_progress_keeps_its_amount_and_learns_its_state():
    ledger, _ = ledger_and_clock()
    ledger.take(("a", None), entry(vcpus=4, vm_state="building"))
    read(ledger, {("a", None): entry(vcpus=1, vm_state="building", task_state="spawning")})
    assert ledger.entries()[("a", None)] == entry(vcpus=4, vm_state="building", task_state="spawning")


def test_abort_after_an_audit_took_the_line_over():
    ledger, _ = ledger_and_clock()
    ticket, _ = ledger.take(("a", None), entry())
    ledger.settle(ticket)
    read(ledger, {("a", None): entry(vcpus=2)})
    assert ledger.give_back(ticket)
    assert ledger.entries() == {}


def test_dropping_the_lines_of_one_instance():
    ledger, _ = ledger_and_clock()
    read(ledger, {key: entry() for key in [("a", None), ("a", "m1"), ("a", "m2"), ("b", "m3")]})
    assert ledger.drop_matching("a", migrations_only=True) == 2
    assert set(ledger.entries()) == {("a", None), ("b", "m3")}
    assert ledger.drop_matching("a") == 1
    assert set(ledger.entries()) == {("b", "m3")}


def test_only_instances_that_live_here_count_as_instances():
    ledger, _ = ledger_and_clock()
    read(ledger, {("a", None): entry(), ("b", "m"): Entry(Usage(1, 1, 1))})
    assert ledger.load().instances == 1
    ledger.observe("a", InstanceState("active", "rebuilding", None, "p"))
    ledger.observe("b", InstanceState("active", "rebuilding", None, "p"))
    assert ledger.load().stats["num_task_rebuilding"] == "1"
    assert_adds_up(ledger)


uuids = st.sampled_from("abcd")
migrations = st.sampled_from([None, None, "m1", "m2"])
keys = st.tuples(uuids, migrations)
entries = st.builds(
    entry,
    st.integers(0, 8),
    st.integers(0, 4096),
    st.integers(0, 50),
    st.sampled_from(["active", "building"]),
    st.sampled_from([None, "spawning", "rebuilding"]),
)


class LedgerMachine(RuleBasedStateMachine):
    """Claims, aborts, releases and audits in any order: the sums are those of the lines."""

    tickets = Bundle("tickets")

    @initialize()
    def start(self):
        self.ledger, self.clock = ledger_and_clock()
        self.mine = {}
        self.readings = []

    @rule(target=tickets, key=keys, new=entries)
    def take(self, key, new):
        ticket, _ = self.ledger.take(key, new)
        self.mine[key] = ticket
        return ticket

    @rule(ticket=tickets)
    def settle(self, ticket):
        self.ledger.settle(ticket)

    @rule(ticket=tickets)
    def give_back(self, ticket):
        before = self.ledger.entries()
        changed = self.ledger.give_back(ticket)
        if self.mine.get(ticket.key) is ticket:
            del self.mine[ticket.key]
        if not changed:
            assert self.ledger.entries() == before
        assert not self.ledger.give_back(ticket)

    @rule(uuid=uuids, migration=migrations)
    def drop(self, uuid, migration):
        self.ledger.drop(uuid, migration)
        self.mine.pop((uuid, migration), None)
        assert (uuid, migration) not in self.ledger.entries()

    @rule(uuid=uuids, new=entries)
    def observe(self, uuid, new):
        self.ledger.observe(uuid, new.state)

    @rule(found=st.dictionaries(keys, entries), seconds=st.sampled_from([0, 60, 130]))
    def audit(self, found, seconds):
        self.clock.now += seconds
        held = {key for key, ticket in self.mine.items() if ticket.held and key in self.ledger.entries()}
        read(self.ledger, found)
        lines = self.ledger.entries()
        assert held <= set(lines)
        assert set(lines) <= held | set(found)

    @rule(found=st.dictionaries(keys, entries), key=keys, new=entries)
    def audit_racing_with_a_claim(self, found, key, new):
        def claim():
            self.mine[key], _ = self.ledger.take(key, new)
            self.ledger.settle(self.mine[key])

        read(self.ledger, found, during=claim)
        assert self.ledger.entries()[key].usage == new.usage

    @rule(found=st.dictionaries(keys, entries), uuid=uuids)
    def audit_racing_with_a_release(self, found, uuid):
        read(self.ledger, found, during=lambda: self.ledger.drop_matching(uuid))
        self.mine = {key: ticket for key, ticket in self.mine.items() if key[0] != uuid}
        assert (uuid, None) not in self.ledger.entries()

    @invariant()
    def adds_up(self):
        assert_adds_up(self.ledger)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_threads_end_at_the_sum():
    ledger, _ = ledger_and_clock()
    failures = []

    def work(seed):
        dice = random.Random(seed)
        try:
            for number in range(60):
                key = (f"{seed}-{number}", dice.choice([None, "m"]))
                ticket, _ = ledger.take(key, entry(vcpus=dice.randint(1, 4)))
                choice = dice.random()
                if choice < 0.4:
                    assert ledger.give_back(ticket)
                elif choice < 0.6:
                    assert ledger.drop(*key)
                else:
                    kept.append(key)
        except BaseException as exc:
            failures.append(exc)

    def audit():
        while not done.is_set():
            # The records know nothing yet: every kept line is a claim in progress.
            read(ledger, {}, during=lambda: done.wait(0.001))

    kept, done = [], threading.Event()
    auditor = threading.Thread(target=audit)
    auditor.start()
    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    done.set()
    auditor.join(60)

    assert failures == []
    assert set(ledger.entries()) == set(kept)
    assert_adds_up(ledger)
