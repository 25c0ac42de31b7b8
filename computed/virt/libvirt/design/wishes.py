"""What flavor and image ask for, read in one way; conflicts are decided as the stock agent does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oslo_utils import strutils

from computed import errors


@dataclass(frozen=True, slots=True)
class Wishes:
    """The extra specs of a flavor and the properties of an image.

    `key` is a name without prefix: the extra spec is `hw:KEY`, the property `hw_KEY`. Every error says which
    name and which value are refused.
    """

    flavor_name: str
    extra_specs: Mapping[str, str]
    image_meta: Any  # objects.ImageMeta, or None

    @property
    def image_name(self) -> str:
        """The name of the image, or its id, for messages."""
        for attribute in ("name", "id"):
            if self.image_meta is not None and self.image_meta.obj_attr_is_set(attribute):
                return str(getattr(self.image_meta, attribute))
        return "without a name"

    def extra(self, name: str) -> str | None:
        """An extra spec by its full name."""
        return self.extra_specs.get(name)

    def prop(self, name: str) -> Any:
        """A property of the image by its full name; None when it does not say."""
        return None if self.image_meta is None else self.image_meta.properties.get(name)

    def number(self, name: str, *, least: int = 0) -> int | None:
        """An extra spec that is a whole number; raises Invalid when it is none or less than `least`."""
        return self._number(f"Extra spec {name}", self.extra(name), least)

    def both(self, key: str, prefix: str = "hw") -> tuple[str | None, Any]:
        """The flavor's and the image's word on one key."""
        return self.extra(f"{prefix}:{key}"), self.prop(f"{prefix}_{key}")

    def both_numbers(self, key: str) -> tuple[int, int]:
        """The same as whole numbers, 0 when not said; raises Invalid."""
        flavor, image = self.both(key)
        return self._number(f"Extra spec hw:{key}", flavor, 0) or 0, image or 0

    def one_of(self, key: str, allowed: tuple[str, ...], prefix: str = "hw") -> str | None:
        """What flavor or image say; raises FlavorImageConflict when they differ, Invalid for any other."""
        flavor, image = self.both(key, prefix)
        if flavor and image and flavor != image:
            raise self._conflict(key, flavor, image, prefix)
        value = flavor or image
        if value and allowed and value not in allowed:
            raise errors.Invalid(
                f"Extra spec {prefix}:{key} or image property {prefix}_{key} is {value!r}; "
                f"it can be {', '.join(allowed)}."
            )
        return None if not value else str(value)

    def one_flag(self, key: str) -> bool | None:
        """Yes or no of flavor or image; raises FlavorImageConflict when they differ."""
        flavor_text, image = self.both(key)
        flavor = None if flavor_text is None else strutils.bool_from_string(flavor_text)
        if flavor is not None and image is not None and flavor != image:
            raise self._conflict(key, flavor_text, image, "hw")
        value: bool | None = image if flavor is None else flavor
        return value

    def extra_flag(self, name: str, *, default: bool = False) -> bool:
        """An extra spec that is yes or no; what is neither is no, as the stock agent reads it."""
        value = self.extra(name)
        return default if value is None else strutils.bool_from_string(value)

    def _conflict(self, key: str, flavor: object, image: object, prefix: str) -> errors.FlavorImageConflict:
        return errors.FlavorImageConflict(
            f"Flavor {self.flavor_name} has extra spec {prefix}:{key} set to {flavor!r}, image "
            f"{self.image_name} has property {prefix}_{key} set to {image!r}: they contradict each other."
        )

    def _number(self, what: str, text: str | None, least: int) -> int | None:
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            raise errors.Invalid(f"{what} is {text!r}, which is no whole number.") from None
        if number < least:
            raise errors.Invalid(f"{what} is {text!r}; the least is {least}.")
        return number
