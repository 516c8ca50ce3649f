"""What the JSON Schema of manifests says to people, key by key."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from batchsora.manifest import values

TITLE: Final = "A batchsora manifest: videos to buy"
SYNONYM: Final = "Read as '{}' where no other key is called that; else a column of your own."
NOT_HERE: Final = "Not allowed here: it can't be the same for all of these jobs, or is known."


class Said(NamedTuple):
    """What is said of a column."""

    text: str
    examples: tuple[str | int, ...]


COLUMNS: Final[Mapping[str, Said]] = {
    "id": Said(
        "The row's key, by which it is known from one load to the next. A row without gets one "
        f"from its content. At most {values.LONGEST_NAME} characters.",
        ("mug-morning",),
    ),
    "prompt": Said(
        f"What the video shows; 1 to {values.MODEL.longest_prompt} characters.",
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
        f"Seconds: {values.MODEL.seconds}; {values.MODEL.durations[0]} by default.",
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
"""Of each column of ours: what it means, and examples."""

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
