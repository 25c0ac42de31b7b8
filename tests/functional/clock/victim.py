"""An agent that is killed at a chosen point of a verb, and the one that is started in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from tests.functional.cloud import HOST, PATIENCE_SECONDS, Cloud
from tests.functional.images.owner import Owner


class Killed(BaseException):
    """Ends the thread of an agent that has been dead for long."""


class Victim:
    """A cloud whose agent dies at a point of the fake driver, such as "spawn.before"."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.owner = Owner(cloud)
        self._reached = threading.Event()
        self._is_over = threading.Event()

    def die(self, *signal: int) -> None:
        """In place of os.kill in the fake driver: this thread of the agent does nothing more."""
        self._reached.set()
        self._is_over.wait(3 * PATIENCE_SECONDS)
        raise Killed

    def kill_at(self, point: str, send: Callable[[], Any]) -> None:
        """Let the agent die at that point of what `send` begins, and start the next one."""
        conf: cfg.ConfigOpts = self.cloud.conf
        conf.set_override("crash", [point], group="fake")
        send()
        assert self._reached.wait(PATIENCE_SECONDS), f"{point} was never reached"
        conf.clear_override("crash", group="fake")
        self.cloud.kill_agent()
        self.cloud.start_agent(notifier=self.owner.told)
        assert self.cloud.host.lanes.wait_idle(PATIENCE_SECONDS), "a recovery does not end"

    def close(self) -> None:
        """Let the threads of the dead go."""
        self._is_over.set()

    # What the API writes and sends, without waiting for the outcome

    def cast(self, uuid: str, action: str, method: str, task_state: str | None, **arguments: Any) -> None:
        """One verb on a server, its action and its task state before it."""
        context = self.owner.begin(uuid, action, task_state=task_state)
        instance = self.cloud.instance(uuid)
        self.cloud.rpc.cast(method, context=context, instance=instance, **arguments)

    def send(self, order: tuple[Any, dict[str, Any]], method: str) -> None:
        """An order that Owner has prepared."""
        context, arguments = order
        self.cloud.rpc.cast(method, context=context, server=arguments.pop("server", HOST), **arguments)

    # What became of it

    def guest(self, uuid: str) -> int | None:
        """The power state of the guest; None when there is none."""
        found = self.cloud.host.driver.states().get(uuid)
        return None if found is None else int(found.power_state)

    def shown(self, uuid: str) -> tuple[str, str | None, int | None]:
        """What the record says it is, and what its guest is."""
        return (*self.owner.states(uuid), self.guest(uuid))
