"""Provider configuration files: what an operator adds to providers by hand (`*.yaml`, schema version 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from computed import errors

LOG = logging.getLogger(__name__)

EVERY_NODE = "$COMPUTE_NODE"
"""Stands for the root provider of each node that no other entry names."""

_UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_SYMBOL = "[A-Z0-9_]{1,255}"
_CUSTOM = "CUSTOM_"
_KNOWN_MAJOR, _KNOWN_MINOR = 1, 0

_INVENTORY_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["total"],
    "additionalProperties": False,
    "properties": {
        **{name: {"type": "integer"} for name in ("total", "reserved", "min_unit", "max_unit", "step_size")},
        "allocation_ratio": {"type": "number"},
    },
}

_PROVIDER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["identification"],
    "properties": {
        "identification": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {
                "uuid": {"type": "string", "pattern": f"^({_UUID}|{re.escape(EVERY_NODE)})$"},
                "name": {"type": "string", "minLength": 1, "maxLength": 200},
            },
        },
        "inventories": {
            "type": "object",
            "properties": {
                "additional": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "patternProperties": {f"^{_SYMBOL}$": _INVENTORY_SCHEMA},
                    },
                }
            },
        },
        "traits": {
            "type": "object",
            "properties": {
                "additional": {"type": "array", "items": {"type": "string", "pattern": f"^{_SYMBOL}$"}}
            },
        },
    },
}

_FILE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["meta"],
    "properties": {
        "meta": {
            "type": "object",
            "required": ["schema_version"],
            "properties": {"schema_version": {"type": "string", "pattern": r"^1\.(0|[1-9][0-9]*)$"}},
        },
        "providers": {"type": "array", "items": _PROVIDER_SCHEMA},
        # Kept out of the documented format by nova for a use of its own: a file that has it is refused there.
        "__source_file": {"not": {}},
    },
}


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What one entry adds: `identifier` is a provider's uuid or name, or EVERY_NODE.

    `inventories`: custom resource class → the keys that the file gives (`total` always).
    """

    identifier: str
    source: str
    inventories: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


def load(folder: str) -> tuple[ProviderConfig, ...]:
    """Every entry of every `*.yaml` file in `folder`, in the order of the file names; none is no error.

    Raises ProviderConfigException, naming file and place, for a file that cannot be read, is not YAML or
    breaks the schema, for traits or classes that are not custom, and for a provider that is named twice.
    """
    paths = sorted(Path(folder).glob("*.yaml"))
    if not paths:
        LOG.info("No provider configuration file (*.yaml) in %s", folder)
    entries: dict[str, ProviderConfig] = {}
    for path in paths:
        for entry in _entries_of(path):
            earlier = entries.get(entry.identifier)
            if earlier is not None:
                files = ", ".join(sorted({earlier.source, entry.source}))
                raise _refused(files, f"provider {entry.identifier} is configured twice")
            entries[entry.identifier] = entry
    return tuple(entries.values())


def _entries_of(path: Path) -> Iterable[ProviderConfig]:
    content = _read(path)
    _check_version(path, content)
    _check_schema(path, content)
    for number, provider in enumerate(content.get("providers", [])):
        where = f"{path}, providers[{number}]"
        entry = _entry(path, provider)
        _check_custom(where, "traits", entry.traits)
        _check_custom(where, "resource classes", entry.inventories)
        if entry.traits or entry.inventories:
            yield entry
        else:
            LOG.warning("%s adds neither inventories nor traits to %s: ignored", where, entry.identifier)


def _read(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else path
        raise _refused(where, f"not YAML: {getattr(exc, 'problem', None) or exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise _refused(path, f"cannot be read: {exc}") from exc


def _check_version(path: Path, content: Any) -> None:
    meta = content.get("meta") if isinstance(content, dict) else None
    version = meta.get("schema_version") if isinstance(meta, dict) else None
    match = re.fullmatch(r"(\d+)\.(\d+)", str(version))
    if match is None:
        raise _refused(path, "meta.schema_version is missing or not of the form '1.0'")
    if int(match[1]) != _KNOWN_MAJOR:
        raise _refused(path, f"schema version {version} is not supported, only {_KNOWN_MAJOR}.x")
    if int(match[2]) > _KNOWN_MINOR:
        LOG.warning(
            "%s has schema version %s; what is newer than %d.%d in it is ignored",
            path,
            version,
            _KNOWN_MAJOR,
            _KNOWN_MINOR,
        )


def _check_schema(path: Path, content: Any) -> None:
    import jsonschema

    validator = jsonschema.Draft7Validator(_FILE_SCHEMA)
    problem = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if problem is not None:
        place = problem.json_path.removeprefix("$").removeprefix(".")
        raise _refused(path, f"{place or 'the file'}: {problem.message}")


def _entry(path: Path, provider: Mapping[str, Any]) -> ProviderConfig:
    inventories: dict[str, Mapping[str, Any]] = {}
    for inventory in provider.get("inventories", {}).get("additional", []):
        inventories.update(inventory)
    (identifier,) = provider["identification"].values()
    traits = frozenset(provider.get("traits", {}).get("additional", []))
    return ProviderConfig(identifier, path.name, inventories, traits)


def _check_custom(where: str, what: str, names: Iterable[str]) -> None:
    foreign = sorted(name for name in names if not name.startswith(_CUSTOM))
    if foreign:
        raise _refused(where, f"only {what} that begin with {_CUSTOM} may be added, not {', '.join(foreign)}")


def _refused(where: object, why: str) -> errors.ProviderConfigException:
    return errors.ProviderConfigException(error=f"{where}: {why}")
