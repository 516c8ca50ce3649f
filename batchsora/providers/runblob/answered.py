"""An answer of the API as Python programs hold it: fields by attribute, and by name as in JSON."""

from collections.abc import ItemsView, Iterator, KeysView
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answered(BaseModel):
    """An answer whose fields are read as attributes, or by name as in the API's JSON."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def __getitem__(self, name: str) -> Any:
        """Return a field; raise a KeyError that suggests a name."""
        fields = self._fields()
        if name in fields:
            return fields[name]
        near = get_close_matches(str(name), fields, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(fields))}"
        raise KeyError(f"no field {name!r}; {hint}")

    def __contains__(self, name: object) -> bool:
        return name in self._fields()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default if there is none of this name."""
        return self._fields().get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of the fields; with them ``dict(answer)`` works."""
        return self._fields().keys()

    def items(self) -> ItemsView[str, Any]:
        """Return the fields with their names."""
        return self._fields().items()

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        # its own fields alone: what else the API says may be nested without end
        for name in type(self).model_fields:
            yield name, getattr(self, name)

    def _fields(self) -> dict[str, Any]:
        return {**self.__dict__, **(self.__pydantic_extra__ or {})}
