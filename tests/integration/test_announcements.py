"""Two computes announce boot, moves, shelving and deletion as stock nova-compute did when it was recorded.

`pytest tests/integration/test_announcements.py --agent stock --record` writes the facts anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration import announcements
from tests.integration.agents import STOCK
from tests.integration.announcements import Bus, Transcript
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.plane.settings import Settings
from tests.integration.verbs import Verbs

FACTS = Path(__file__).parents[1] / "contract" / "facts" / "notification_transcripts"


@dataclass
class Story:
    """One server, the bus, and the two hosts in their roles; the tests of this module go on in order."""

    server: str
    verbs: Verbs
    bus: Bus
    roles: dict[str, str]
    is_stock: bool
    is_recording: bool
    told: list[tuple[str, Transcript]] = field(default_factory=list)

    def swap_roles(self) -> None:
        self.roles = {host: "dest" if role == "source" else "source" for host, role in self.roles.items()}

    @property
    def source(self) -> str:
        return next(host for host, role in self.roles.items() if role == "source")

    @property
    def dest(self) -> str:
        return next(host for host, role in self.roles.items() if role == "dest")

    def hear(self, name: str) -> None:
        """Take what was said about the server since the last time; or record it."""
        heard = Transcript.of(self.bus.take(self.server), self.roles)
        if self.is_recording:
            FACTS.mkdir(exist_ok=True)
            (FACTS / f"{name}.json").write_text(heard.dump())
        self.told.append((name, heard))

    def compare(self) -> None:
        """Hold all that was heard since the last comparison against the recordings."""
        told, self.told = self.told, []
        assert told
        for name, heard in told:
            recorded = Transcript.load((FACTS / f"{name}.json").read_text())
            assert heard.story == recorded.story
            for role in ("source", "dest"):
                for ours, stock in zip(heard.told_by(role), recorded.told_by(role), strict=True):
                    assert ours == stock, name


@pytest.fixture(scope="module")
def story(
    agents: MakeAgents, cloud: Cloud, settings: Settings, agent_kind: str, pytestconfig: pytest.Config
) -> Iterator[Story]:
    source, dest = agents(2, options=announcements.SPEAK)
    recording = bool(pytestconfig.getoption("record"))
    assert not recording or agent_kind == STOCK, "the facts are what stock says"
    with Bus(settings) as bus:
        (server,) = cloud.boot(1, "told", availability_zone=f"nova:{source.host}")
        cloud.wait_status([server], "ACTIVE")
        roles = {source.host: "source", dest.host: "dest"}
        yield Story(server, Verbs(cloud, [server]), bus, roles, agent_kind == STOCK, recording)


def test_boot(story: Story) -> None:
    story.hear("boot")
    story.compare()


def test_resize_and_confirm(story: Story) -> None:
    story.verbs.resize("m1.micro", story.dest)
    story.hear("resize")
    story.verbs.confirm()
    story.hear("confirm")
    story.swap_roles()
    story.compare()


def test_resize_and_revert(story: Story) -> None:
    story.verbs.resize("m1.nano", story.dest)
    story.hear("resize")
    story.verbs.revert(story.source)
    story.hear("revert")
    story.compare()


def test_live_migration(story: Story) -> None:
    story.verbs.live_migrate(story.dest)
    story.hear("live_migration")
    story.swap_roles()
    story.compare()


def test_shelve_offload_and_unshelve(story: Story) -> None:
    story.verbs.shelve()
    story.hear("shelve")
    story.verbs.unshelve(story.dest)
    story.hear("unshelve")
    story.swap_roles()
    story.compare()


def test_delete(story: Story, cloud: Cloud) -> None:
    cloud.delete([story.server])
    story.hear("delete")
    story.compare()
