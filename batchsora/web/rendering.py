"""From figures to HTML: Jinja2, everything escaped, and the few words that all pages share."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from batchsora._version import __version__
from batchsora.presentation.json_shapes import iso
from batchsora.presentation.terminal_text import clean, state_text
from jobs.model.money import usd_text


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Make the environment of all templates, once."""
    found = Environment(
        loader=PackageLoader("batchsora.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "usd": usd,
        "time": time,
        "words": state_text,
        "clean": clean,
        "number": number,
        "span": span,
        "plural": plural,
    }
    found.globals |= {"version": __version__}
    return found


def render(
    request: Request,
    template: str,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Answer with a template.

    Args:
        request: whose session's token the page carries.
        template: its name.
        status_code: of the answer.
        headers: further ones.
        context: what the template shows.
    """
    body = environment().get_template(template).render(request=request, **context)
    return HTMLResponse(body, status_code, headers)


def told(text: str, *, trouble: bool = False) -> dict[str, str]:
    """Make the header that has the page say something, in its live region."""
    # JSON in ASCII: a header can't carry anything else
    return {"HX-Trigger": json.dumps({"told": {"text": clean(text), "trouble": trouble}})}


def usd(micros: int | None) -> str:
    """Write micro-dollars as dollars."""
    return "\u2013" if micros is None else f"${usd_text(micros)}"


def time(moment: datetime | None) -> Markup:
    """Write a time in UTC, which the page shows in the reader's own zone."""
    if moment is None:
        return Markup("\u2013")
    return Markup('<time datetime="{}">{}</time>').format(
        iso(moment), f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def number(value: int) -> str:
    """Write a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def span(seconds: float | None) -> str:
    """Write a duration in the two units that matter."""
    if seconds is None:
        return "\u2013"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
