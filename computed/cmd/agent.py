"""The command `computed`: chooses the kind of threads first, and only then imports everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from computed.cmd import concurrency, memory


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent until it is told to stop; return the exit status."""
    memory.be_frugal()
    arguments = list(sys.argv[1:] if argv is None else argv)
    backend = concurrency.peek_concurrency_backend(arguments, os.environ)
    concurrency.patch(backend)
    from computed.cmd import run

    return run.run(arguments, backend)


if __name__ == "__main__":
    sys.exit(main())
