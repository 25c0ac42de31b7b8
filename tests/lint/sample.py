"""Fails when etc/computed/computed.conf.sample is not what the options say; `tox -e genconfig` writes it."""

import difflib
import sys
import tempfile
from pathlib import Path

from oslo_config import generator

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "etc" / "computed" / "computed.conf.sample"
SETTINGS = ROOT / "etc" / "computed" / "config-generator.conf"


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        fresh_path = Path(directory) / "fresh.conf"
        generator.main(["--config-file", str(SETTINGS), "--output-file", str(fresh_path)])
        fresh = fresh_path.read_text().splitlines()
    stored = SAMPLE.read_text().splitlines() if SAMPLE.exists() else []
    name = str(SAMPLE.relative_to(ROOT))
    changes = list(difflib.unified_diff(stored, fresh, name, "what it should be", n=1))
    for line in changes[:40]:
        print(line.rstrip())
    if changes:
        print("The sample configuration is stale: run tox -e genconfig and commit what it writes.")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
