"""Claims: who fits, what is stamped, and that every exception gives the place back."""

from types import SimpleNamespace

import pytest

from computed import errors
from computed.resources import claims
from computed.resources.claims import ClaimRequest, Limits, NodeIdentity, shortfalls
from computed.resources.ledger import Entry, Ledger
from computed.resources.usage import InstanceState, Usage

NODE = NodeIdentity("host1", "node1", 7)


class Record(SimpleNamespace):
    """A record of which only the given fields are loaded; counts assignments."""

    def __init__(self, **fields):
        super().__init__(**fields)
        object.__setattr__(self, "assigned", [])

    def __setattr__(self, name, value):
        self.assigned.append(name)
        super().__setattr__(name, value)

    def obj_attr_is_set(self, name):
        return name in self.__dict__


def request(uuid="a", usage=None, limits=None, **kwargs):
    usage = usage or Usage(2, 1024, 20)
    entry = Entry(usage, InstanceState("building", None, None, "p"))
    instance = Record(uuid=uuid, **kwargs.pop("fields", {}))
    return ClaimRequest(instance, Record(), entry, limits or Limits(), **kwargs)


@pytest.mark.parametrize(
    ("used", "wanted", "limits", "missing"),
    [
        (Usage(4, 4096, 40), Usage(1, 1, 1), Limits(), []),
        (Usage(4, 4096, 40), Usage(999, 1 << 30, 1 << 30), Limits(), []),
        (Usage(4, 4096, 40), Usage(4, 0, 0), Limits(vcpus=8), []),
        (Usage(4, 4096, 40), Usage(5, 0, 0), Limits(vcpus=8), ["vCPUs"]),
        (Usage(4, 4096, 40), Usage(0, 1, 0), Limits(memory_mib=4096), ["MiB"]),
        (Usage(4, 4096, 40), Usage(0, 1, 0), Limits(memory_mib=4097.5), []),
        (Usage(4, 4096, 40), Usage(0, 0, 1), Limits(disk_gib=40), ["GiB"]),
        (Usage(9, 4096, 40), Usage(1, 1, 1), Limits(8, 4096, 40), ["vCPUs", "MiB", "GiB"]),
        (Usage(0, 0, 0), Usage(1, 1, 1), Limits(0, 0, 0), ["vCPUs", "MiB", "GiB"]),
    ],
)
def test_shortfalls(used, wanted, limits, missing):
    found = shortfalls(used, wanted, limits)
    assert [word for word in ("vCPUs", "MiB", "GiB") if any(word in reason for reason in found)] == missing
    assert len(found) == len(missing)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, Limits()),
        ({}, Limits()),
        ({"memory_mb": 5, "vcpu": 2}, Limits(vcpus=2, memory_mib=5)),
        ({"disk_gb": 9, "numa_topology": "n"}, Limits(disk_gib=9, numa="n")),
        (Record(vcpu=1, memory_mb=2, disk_gb=None), Limits(1, 2, None)),
    ],
)
def test_limits_from_what_the_scheduler_sends(given, expected):
    assert Limits.of(given) == expected


def test_a_claim_that_does_not_fit_names_the_reason_and_holds_nothing():
    ledger = Ledger(Usage(0, 512, 0))
    with pytest.raises(errors.ComputeResourcesUnavailable) as raised:
        claims.take(ledger, NODE, request(limits=Limits(memory_mib=1024)))
    assert "1024 MiB of memory asked for, 512 of 1024 left" in str(raised.value)
    assert ledger.entries() == {}


class Cancelled(BaseException):
    """Like the exception by which a green thread is killed."""


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, Cancelled])
def test_whatever_leaves_the_block_gives_the_place_back(exception):
    ledger = Ledger()
    with pytest.raises(exception), claims.take(ledger, NODE, request()):
        assert ledger.load().held == Usage(2, 1024, 20)
        raise exception
    assert ledger.load().held == Usage()


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, Cancelled])
def test_a_failure_right_after_the_place_was_taken_gives_it_back(monkeypatch, exception):
    class Failing:
        def __init__(self, *args):
            assert ledger.load().held == Usage(2, 1024, 20)
            raise exception

    ledger = Ledger()
    monkeypatch.setattr(claims, "Claim", Failing)
    with pytest.raises(exception):
        claims.take(ledger, NODE, request())
    assert ledger.load().held == Usage()


def test_a_claim_that_ends_well_is_settled():
    ledger = Ledger()
    with claims.take(ledger, NODE, request()) as claim:
        pass
    assert ledger.load().held == Usage(2, 1024, 20)
    with ledger.reading() as reading:
        ledger.merge(reading, {})
    assert ledger.load().held == Usage()
    claim.abort()
    assert ledger.load().held == Usage()


def test_aborting_later_and_twice():
    ledger = Ledger()
    with claims.take(ledger, NODE, request()) as claim:
        pass
    claim.abort()
    claim.abort()
    assert ledger.entries() == {}


def test_the_stamp_and_its_removal():
    instance = Record(uuid="a", host=None, node=None, numa_topology=None)
    with claims.take(Ledger(), NODE, request()) as claim:
        claim.stamp(instance)
    assert (instance.host, instance.node, instance.compute_id) == ("host1", "node1", 7)
    assert instance.launched_on == "host1"
    assert "numa_topology" not in instance.assigned
    claim.unstamp(instance)
    assert (instance.host, instance.node, instance.compute_id) == (None, None, None)


def test_the_numa_hook_places_the_instance_and_sees_who_is_there():
    questions = []

    def fit(question):
        questions.append(question)
        return f"placed {question.instance.uuid}"

    ledger = Ledger()
    claims.take(ledger, NODE, request("a", limits=Limits(numa="limit")), fit)
    instance = Record(uuid="b", numa_topology="asked")
    with claims.take(ledger, NODE, request("b", numa_topology="asked"), fit) as claim:
        claim.stamp(instance)
        assert instance.numa_topology == "placed b"
    claim.unstamp(instance)

    assert instance.numa_topology == "asked"
    assert [list(question.present) for question in questions] == [[], ["placed a"]]
    assert questions[0].limits == "limit"


def test_without_a_hook_who_asks_for_a_topology_is_refused():
    ledger = Ledger()
    asked = SimpleNamespace(cells=["cell", "cell"])
    with pytest.raises(errors.ComputeResourcesUnavailable, match="a NUMA topology of 2 cells"):
        claims.take(ledger, NODE, request(numa_topology=asked))
    assert ledger.entries() == {}


def test_the_numa_hook_may_refuse():
    def refuse(question):
        raise errors.ComputeResourcesUnavailable(reason="no cell")

    ledger = Ledger()
    with pytest.raises(errors.ComputeResourcesUnavailable, match="no cell"):
        claims.take(ledger, NODE, request(), refuse)
    assert ledger.entries() == {}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("resize", "pre-migrating"), ("migration", "pre-migrating"), ("evacuation", "pre-migrating")]
    + [("live-migration", "accepted")],
)
def test_a_migration_is_stamped_with_where_it_goes(kind, status):
    migration = Record(uuid="m", migration_type=kind, status="accepted")
    with claims.take(Ledger(), NODE, request(migration=migration)) as claim:
        claim.stamp_migration(migration, "192.0.2.7")
    assert (migration.dest_compute, migration.dest_node, migration.dest_host) == (
        "host1",
        "node1",
        "192.0.2.7",
    )
    assert (migration.dest_compute_id, migration.status) == (7, status)
