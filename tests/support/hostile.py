"""Text that does harm wherever it is taken for anything but text."""

import csv
from pathlib import Path

SCRIPTS = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "'-window.hacked=1-'",
    "{{ 7*7 }} ${7*7} javascript:window.hacked=1",
    "</textarea></title></style><svg onload=window.hacked=1>",
    "\u202egpj.tac\u2066 bidi \u200b",
    "&lt;b&gt; &amp; &#x3c;script&#x3e;",
    "<a href='javascript:window.hacked=1' autofocus onfocus=window.hacked=1>",
)
BATCH = "a<b>\"c'd</b>&e"


def write_hostile(path: Path) -> None:
    """Write a manifest, bad.csv, whose every text is hostile: keys, prompts, campaigns."""
    prompts = [f"prompt {script}" for script in SCRIPTS]
    with (path / "bad.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt", "campaign"])
        writer.writerows(
            (f"k{n}{script}"[:60], prompt, f"c{script}"[:40])
            for n, (script, prompt) in enumerate(zip(SCRIPTS, prompts, strict=True))
        )
