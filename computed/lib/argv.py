"""Reads single options from a command line before a parser exists that knows them all."""

from collections.abc import Iterator, Sequence
from typing import Final

CONFIG_NAMES: Final = (("nova", "nova-compute"), ("computed", "computed"))
"""Project and program by whose names configuration files are looked for where the command line names none."""


def option_values(argv: Sequence[str], option: str) -> Iterator[str]:
    """Every value given for ``option`` (with its dashes), as ``--option VALUE`` or ``--option=VALUE``."""
    previous = ""
    for argument in argv:
        if previous == option:
            yield argument
        elif argument.startswith(f"{option}="):
            yield argument.partition("=")[2]
        previous = "" if previous == option else argument
