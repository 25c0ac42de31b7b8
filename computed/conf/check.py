"""Checks configuration files against the options we know, before anything is touched."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oslo_config import cfg

from computed.conf import identity, known, unbuilt


@dataclass(frozen=True)
class Setting:
    """One assignment in a file: ``values`` are all that the file gives the name, in order."""

    path: str
    section: str
    name: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"[{self.section}] {self.name} in {self.path}"


@dataclass
class Findings:
    """``errors`` are wrong values, ``unknown`` names that nobody reads, ``retired`` those nova once read,
    ``unbuilt`` those that do nothing here yet, with the reason."""

    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    unbuilt: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Known:
    """The option that a name stands for; ``live`` says that the value can be read from the options object."""

    group: str
    option: cfg.Opt
    live: bool


def all_files(files: Iterable[str], directories: Iterable[str]) -> list[str]:
    """The ``files`` and those in the ``directories``, in the order in which later ones win."""
    found = [str(path) for directory in directories for path in sorted(Path(directory).glob("*.conf"))]
    return [*files, *found]


def read_settings(paths: Iterable[str]) -> Iterator[Setting]:
    """Every assignment of the files. Raises ``cfg.ParseError`` for a line that cannot be read."""
    for path in paths:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        for section, names in sections.items():
            for name, values in names.items():
                yield Setting(path, section, name, tuple(values))


def check(conf: cfg.ConfigOpts, settings: Iterable[Setting], *, is_read: bool = True) -> Findings:
    """Compare what the files set with what is known, and read every value once.

    ``is_read`` is false when ``conf`` would not take the files; then the values are checked as they stand.
    """
    table = _table(conf)
    findings = Findings()
    # The last file wins; an error names that one.
    last: dict[tuple[str, str], tuple[_Known, Setting]] = {}
    for setting in settings:
        section, name = _normal(setting.section), _normal(setting.name)
        found = table.get(section, {}).get(name)
        if found is not None:
            last[found.group, found.option.dest] = (found, setting)
        elif section not in table and not known.is_open_section(section):
            findings.unknown.append(_unknown_section(setting, table))
        elif not _is_accepted(section, name):
            _note_unknown(findings, setting, table[section])
    for found, setting in last.values():
        problem = _value_problem(conf if found.live and is_read else None, found, setting)
        if problem is not None:
            findings.errors.append(problem)
        elif found.live and is_read:
            _note_unbuilt(findings, conf, found, setting)
    return findings


def _normal(name: str) -> str:
    return name.lower().replace("-", "_")


def _table(conf: cfg.ConfigOpts) -> Mapping[str, Mapping[str, _Known]]:
    """Section, name → option, with the former names; everything in lower case and with underscores."""
    table: dict[str, dict[str, _Known]] = {"default": {}}

    def add(group: str, option: cfg.Opt, live: bool) -> None:
        entry = _Known(group, option, live)
        table.setdefault(_normal(group), {})[option.dest.lower()] = entry
        for former in option.deprecated_opts:
            names = table.setdefault(_normal(former.group or group), {})
            names.setdefault(_normal(former.name or option.dest), entry)

    for group in identity.IDENTITIES:
        for option in identity.declared(group):
            add(group, option, live=False)
    for group, option in _registered(conf):
        add(group, option, live=True)
    return table


def _registered(conf: cfg.ConfigOpts) -> Iterator[tuple[str, cfg.Opt]]:
    # oslo.config offers no public way from an option's name back to the option.
    for entry in conf._opts.values():
        yield "DEFAULT", entry["opt"]
    for name, group in conf._groups.items():
        for entry in group._opts.values():
            yield name, entry["opt"]


def _is_accepted(section: str, name: str) -> bool:
    if known.is_open_section(section) or known.is_library_option(section, name):
        return True
    return section in identity.IDENTITIES and name in identity.OPTION_NAMES


def _note_unknown(findings: Findings, setting: Setting, siblings: Mapping[str, _Known]) -> None:
    if known.is_retired(_normal(setting.section), _normal(setting.name)):
        findings.retired.append(str(setting))
        return
    findings.unknown.append(f"{setting}: no such option{_suggestion(_normal(setting.name), siblings)}")


def _note_unbuilt(findings: Findings, conf: cfg.ConfigOpts, found: _Known, setting: Setting) -> None:
    """A value that is the default asks for nothing."""
    why = unbuilt.reason(found.group, found.option.dest)
    if why is not None and _value(conf, found) != found.option.default:
        findings.unbuilt.append(f"{setting} has no effect: {why}")


def _unknown_section(setting: Setting, table: Mapping[str, object]) -> str:
    hint = _suggestion(_normal(setting.section), table)
    return f"{setting}: no such section{hint}"


def _suggestion(name: str, candidates: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.75)
    return f" (did you mean {close[0]}?)" if close else ""


def _value(conf: cfg.ConfigOpts, found: _Known) -> object:
    """The value in effect; raises ValueError, cfg.Error."""
    section = conf if found.group == "DEFAULT" else conf[found.group]
    return section[found.option.dest]


def _value_problem(conf: cfg.ConfigOpts | None, found: _Known, setting: Setting) -> str | None:
    """Say what is wrong with a value, as ``conf`` reads it (with substitutions), or as it stands without."""
    try:
        if conf is not None:
            _value(conf, found)
        else:
            found.option.type(setting.values[-1])
    except (ValueError, cfg.Error) as error:
        shown = "(not shown)" if found.option.secret else repr(setting.values[-1])
        reason = "" if found.option.secret else f": {_reason(error)}"
        return f"{setting}: {shown} is not a valid value{reason}"
    return None


def _reason(error: Exception) -> str:
    """What the option's type had against the value, without oslo.config's own account of where it stood."""
    return str(error).rsplit("is not valid: ", 1)[-1].strip()
