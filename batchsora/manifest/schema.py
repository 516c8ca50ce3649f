"""What a YAML or JSON manifest may say, as a JSON Schema, for editors.

It is a pydantic schema made from the tables and constants of the reader; pydantic prints it, and
checks with it. The reader refuses whatever it refuses, and more: a value that is missing in a job
may come from defaults or the command line. Values are as editors see them: in YAML an unquoted
``10`` is a number, ``16:9`` a text.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema as core

from batchsora.manifest import values
from batchsora.manifest.formats.matrix import VALUES
from batchsora.manifest.formats.tree_table import FORBIDDEN, OF_CAMPAIGN, OWN, SCHEMA_KEY
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER, SYNONYMS, WEAK
from jobs.model.money import LARGEST_USD

TITLE: Final = "A batchsora manifest: videos to buy"
SYNONYM: Final = "Read as '{}' where no other key is called that; else a column of your own."
NOT_HERE: Final = "Not allowed here: it can't be the same for all of these jobs, or is known."


class Said(NamedTuple):
    """The description of a column."""

    text: str
    examples: tuple[str | int, ...]


COLUMNS: Final[Mapping[str, Said]] = {
    "id": Said(
        "The row's key, by which it is known from one load to the next. A row without gets one "
        f"from its content. At most {values.LONGEST_NAME} characters.",
        ("mug-morning",),
    ),
    "prompt": Said(
        f"What the video shows; 1 to {values.LONGEST_PROMPT} characters.",
        ("A paper boat drifts down a rain gutter, soft morning light",),
    ),
    "image": Said(
        "The picture that the video begins with: a JPEG, PNG or WEBP beside the manifest, a web "
        "address, or a data URI.",
        ("images/teapot.jpg",),
    ),
    "image_url": Said(
        "The web address of the picture that the video begins with.",
        ("https://example.com/teapot.jpg",),
    ),
    "orientation": Said(
        f"{values.PORTRAIT} (portrait) or {values.LANDSCAPE} (landscape); "
        f"{values.MODEL.orientations[0]} by default.",
        values.MODEL.orientations,
    ),
    "duration": Said(
        f"Seconds, as the model takes them: {values.MODEL.seconds} of {values.MODEL.name}, "
        f"{values.MODEL.durations[0]} by default.",
        values.MODEL.durations,
    ),
    "campaign": Said(
        "The campaign that the row's cost counts towards; 'campaigns' can cap it.",
        ("spring",),
    ),
    "priority": Said(
        f"A whole number from -{values.HIGHEST_PRIORITY} to {values.HIGHEST_PRIORITY}; higher "
        "runs first.",
        (0, 10),
    ),
    "count": Said(
        f"Number of videos of this row, 1 to {values.MOST_VARIANTS}. Each is paid for.",
        (1, 3),
    ),
    "callback_url": Said(
        "An HTTPS address that the provider may call at the end.",
        ("https://example.com/hook",),
    ),
}
"""What each column of ours means, and examples."""

TOP: Final[Mapping[str, str]] = {
    "$schema": "Location of this schema, for editors; otherwise ignored.",
    "batch": "The batch's name; else the file's.",
    "budget": "The most that may be spent, in USD, like 12.50.",
    "campaigns": "Caps and defaults of campaigns, by their names.",
    "defaults": "Defaults for jobs that do not set them.",
    "jobs": "The videos: each a prompt, or keys with values, one of them 'prompt'.",
    "matrix": "A prompt with {places} and the values that go there: a job for each.",
    "values": "A list for each {name}, of which every combination becomes a job; or a list of "
    "mappings, each of which becomes one.",
    "x-": "Your own; it may hold anchors.",
}
"""Of each key beside jobs: what it means."""

PARTS: Final[Mapping[str, str]] = {
    "Manifest": "A batch: its jobs, and settings beside them.",
    "Job": "One row; keys that are not ours are columns of your own, carried along to the export.",
    "Defaults": "Keys of a job but 'id'.",
    "CampaignDefaults": "Keys of a job but 'id' and 'campaign'.",
    "Campaign": "A cap, and defaults of its jobs.",
    "MatrixEntry": "One template with its values.",
}
"""Of each definition: what it is."""

DIALECT: Final = GenerateJsonSchema.schema_dialect

_LEFT: Final = r"[^\t-\r -~]"
"""A character that only the reader judges: a full-width digit, a no-break space."""
_EDGE: Final = r"[\s\x1c-\x1f\x85]"
"""White space, around which the reader takes a text."""
_FORBIDDEN: Final = {"Defaults": FORBIDDEN[:1], "CampaignDefaults": FORBIDDEN}
_Schemas = dict[str, core.CoreSchema]

_NULL: Final = core.none_schema()
_NUMBER: Final = core.float_schema(strict=True)
_BOOL: Final = core.bool_schema(strict=True)
_reference: Final = core.definition_reference_schema
_TEXT: Final = core.str_schema(strict=True)
_VALUE: Final = core.union_schema([_TEXT, _NUMBER, _BOOL])
_EMPTY: Final = core.dict_schema(max_length=0)
_NEVER: Final = core.str_schema(strict=True, min_length=1, max_length=0)
"""What no value is: longer than nothing and no longer."""


def validator_schema() -> core.CoreSchema:
    """Return the schema as pydantic checks with it."""
    return core.definitions_schema(_document(), _definitions())


def json_schema() -> dict[str, Any]:
    """Return the schema as editors read it."""
    printed = _Printer(union_format="any_of").generate(validator_schema())
    for name, part in printed["$defs"].items():
        part["description"] = PARTS[name] if name in PARTS else COLUMNS[name].text
        for key, inner in part.get("properties", {}).items():
            inner.update(_told(key, name))
    top = printed["$defs"]["Manifest"]
    top["patternProperties"] = {f"^{OWN}": {"description": TOP[OWN]}}
    return {"$schema": DIALECT, "title": TITLE} | printed


def _told(key: str, part: str) -> dict[str, Any]:
    if part in {"Manifest", "Campaign"} or key == VALUES:
        return {"description": TOP[key]}
    if key in _FORBIDDEN.get(part, ()):
        return {"description": NOT_HERE}
    if key in COLUMNS:
        return {"description": COLUMNS[key].text, "examples": list(COLUMNS[key].examples)}
    return {"description": SYNONYM.format(_synonyms()[key])}


class _Printer(GenerateJsonSchema):
    """Prints a schema without titles, which would only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def any_schema(self, schema: core.AnySchema) -> JsonSchemaValue:
        del schema
        return {}


def _definitions() -> list[core.CoreSchema]:
    template: _Schemas = {
        name: core.union_schema([_reference(name), _text("[{}]")]) for name in SYNONYMS
    }
    lists = _named(core.list_schema(_VALUE, min_length=1))
    table = core.list_schema(_named(_VALUE), min_length=1)
    template[VALUES] = core.union_schema([lists, table])
    campaign = {
        "budget": _money(),
        "defaults": core.nullable_schema(_reference("CampaignDefaults")),
    }
    return [
        core.typed_dict_schema(_fields(_top()), extra_behavior="forbid", ref="Manifest"),
        _row("Job"),
        *[_row(ref, dict.fromkeys(names, _NEVER)) for ref, names in _FORBIDDEN.items()],
        core.typed_dict_schema(
            _fields({key: campaign[key] for key in OF_CAMPAIGN}),
            extra_behavior="forbid",
            ref="Campaign",
        ),
        core.typed_dict_schema(
            _fields(template, VALUES), extra_behavior="allow", ref="MatrixEntry"
        ),
        *[core.nullable_schema(_columns()[name], ref=name) for name in SYNONYMS],
    ]


def _document() -> core.CoreSchema:
    """Return a whole file: a list of jobs, or a mapping, without a person's own keys."""

    def known(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        return {key: value for key, value in found.items() if not key.startswith(OWN)}

    manifest = core.no_info_before_validator_function(known, _reference("Manifest"))
    return core.union_schema([manifest, _jobs(1)])


def _top() -> _Schemas:
    entry = core.union_schema([_reference("MatrixEntry"), _EMPTY])
    return {
        SCHEMA_KEY: core.any_schema(),
        "batch": core.nullable_schema(_name()),
        "budget": _money(),
        "campaigns": core.nullable_schema(core.dict_schema(_TEXT, _reference("Campaign"))),
        "defaults": core.nullable_schema(_reference("Defaults")),
        "jobs": core.union_schema([_jobs(), _EMPTY, _NULL]),
        "matrix": core.union_schema([entry, core.list_schema(core.nullable_schema(entry)), _NULL]),
    }


def _jobs(least: int | None = None) -> core.CoreSchema:
    job = core.union_schema([_TEXT, _reference("Job"), _NULL])
    return core.list_schema(job, min_length=least)


def _row(ref: str, instead: _Schemas | None = None) -> core.CoreSchema:
    """Return a mapping with our columns, their synonyms, and any others."""
    columns = {name: _reference(name) for name in SYNONYMS} | (instead or {})
    others = dict.fromkeys(_synonyms(), core.any_schema())
    return core.typed_dict_schema(_fields(columns | others), extra_behavior="allow", ref=ref)


def _synonyms() -> dict[str, str]:
    """Return the other names of columns; beside the name itself each is a person's own column."""
    pairs = [*SYNONYMS.items(), *WEAK.items()]
    return {word: name for name, words in pairs for word in words}


def _columns() -> _Schemas:
    texts = (*values.ORIENTATIONS, *values.NAMED_RATIOS)
    spelt = "|".join(re.escape(word) for word in texts if word and word.isascii())
    times = f"{values.MORNING.pattern}|{values.AFTERNOON.pattern}"
    usual = [word for word in (*values.ORIENTATIONS, "1:1") if ":" in word or word.isalpha()]
    prompt = core.union_schema(
        [
            core.str_schema(strict=True, max_length=values.LONGEST_PROMPT),
            _text(rf"^{_EDGE}|{_EDGE}$|\r"),  # white space around it does not count
            _NUMBER,
            _BOOL,
        ]
    )
    return {
        "id": _name("(?![#-])"),
        "prompt": prompt,
        "image": _VALUE,
        "image_url": _cell(r"https?://[^\s]+"),
        "orientation": core.union_schema(
            [core.literal_schema(usual), _cell(_spaced(f"{spelt}|{times}"))]
        ),
        "duration": core.union_schema(
            [core.literal_schema([*values.DURATIONS]), _cell(values.ANY_DURATION.pattern)]
        ),
        "campaign": _name(),
        "priority": _whole(-values.HIGHEST_PRIORITY, values.HIGHEST_PRIORITY),
        "count": _whole(1, values.MOST_VARIANTS),
        "callback_url": _cell(r"https://[^\s]+"),
    }


def _name(begin: str = "") -> core.CoreSchema:
    """Return a name of one line, as :func:`values.row_id` and its like read it."""
    text = core.str_schema(
        strict=True,
        max_length=values.LONGEST_NAME,
        pattern=rf"^{begin}[^\r\n]*$" if begin else r"^[^\r\n]*$",
        regex_engine="python-re",
    )
    return core.union_schema([text, _text(f"^{_EDGE}|{_EDGE}$"), _NUMBER, _BOOL])


def _whole(least: int, most: int) -> core.CoreSchema:
    number = core.int_schema(strict=True, ge=least, le=most)
    return core.union_schema([number, _cell(f"{values.GROUPED.pattern}|{values.WHOLE.pattern}")])


def _money() -> core.CoreSchema:
    number = core.float_schema(strict=True, ge=0, le=float(LARGEST_USD))
    text = _text(_whole_text(_any_case(values.MONEY.pattern)))
    return core.union_schema([number, text, _NULL])


def _named(kind: core.CoreSchema) -> core.CoreSchema:
    name = core.str_schema(strict=True, min_length=1, max_length=LONGEST_HEADER)
    return core.dict_schema(name, kind, min_length=1, max_length=MOST_COLUMNS)


def _cell(pattern: str) -> core.CoreSchema:
    """Return a text that is empty, or matches a pattern that the reader knows in small letters."""
    return _text(_whole_text(f"(?:{_any_case(pattern)})?"))


def _whole_text(pattern: str) -> str:
    return rf"^(?:\s*(?:{pattern})\s*|[\s\S]*{_LEFT}[\s\S]*)$"


def _text(pattern: str) -> core.CoreSchema:
    return core.str_schema(strict=True, pattern=pattern, regex_engine="python-re")


def _any_case(pattern: str) -> str:
    """Return a pattern that also matches capitals."""
    return re.sub(r"(?<!\\)[a-z]", lambda found: f"[{found[0]}{found[0].upper()}]", pattern)


def _spaced(pattern: str) -> str:
    """Return a pattern that allows white space and other signs between its parts."""
    beside = rf"[\s{re.escape(''.join(sign for sign in values.BESIDE if sign.isascii()))}]*"
    within = re.sub(r"(?<=[a-z0-9:/)?])(?<!\(\?)(?=[a-z0-9:/(])", lambda _: beside, pattern)
    return f"{beside}(?:{within}){beside}"


def _fields(kinds: _Schemas, *needed: str) -> dict[str, core.TypedDictField]:
    return {key: core.typed_dict_field(kind, required=key in needed) for key, kind in kinds.items()}
