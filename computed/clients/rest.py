"""What the clients of keystone's services share: who asks, and who counts the requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from oslo_config import cfg


class RestClient:
    """Asks the service of one section.

    `adapters` makes a keystoneauth1 Adapter for a context; `count` is told of each request.
    """

    SECTION: ClassVar[str]
    ASKS_AS_ADMIN: ClassVar[bool] = False

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        *,
        adapters: Callable[[Any], Any] | None = None,
        count: Callable[[str], None] | None = None,
    ) -> None:
        self._conf = conf
        self._adapters = adapters or self._adapter
        self._count = count

    def _request(self, context: Any, method: str, path: str, *, counted_as: str, **more: Any) -> Any:
        """The answer, whatever its status; raises keystoneauth1's ClientException when there is none."""
        if self._count is not None:
            self._count(counted_as)
        return self._adapters(context).request(path, method, raise_exc=False, **more)

    def _adapter(self, context: Any) -> Any:
        # Not at the top: keystoneauth1 is read by those who ask somebody.
        from computed.clients.keystone import adapter_for

        return adapter_for(self._conf, self.SECTION, context=context, admin=self.ASKS_AS_ADMIN)


def noun_of(path: str) -> str:
    """What stands first in the path of a request."""
    return path.partition("/")[0].partition("?")[0]
