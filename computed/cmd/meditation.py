"""Guru Meditation reports: what every thread is doing, on SIGUSR2 or when a file is touched.

oslo.reports is imported when the first report is asked for; it is not needed on any other day.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from computed import __version__


class _Version:
    """What a report wants to know of the program."""

    def vendor_string(self) -> str:
        return "computed"

    def product_string(self) -> str:
        return "computed"

    def version_string_with_package(self) -> str:
        return __version__


def install(conf: Any, service_name: str) -> None:
    """Answer SIGUSR2 with a report; watch `[oslo_reports]file_event_handler` instead when it is set."""
    from oslo_reports import opts

    opts.set_defaults(conf)
    if conf.oslo_reports.file_event_handler:
        _reports().setup_autorun(_Version(), service_name=service_name, conf=conf)
        return

    def report(number: int, frame: FrameType | None) -> None:
        _reports().handle_signal(_Version(), service_name, conf.oslo_reports.log_dir, frame)

    signal.signal(signal.SIGUSR2, report)


def _reports() -> Any:
    from oslo_reports import guru_meditation_report

    return guru_meditation_report.TextGuruMeditation
