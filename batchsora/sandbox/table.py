"""The faults as people read them: ``batchsora sandbox --faults help`` and docs/sandbox.md."""

from dataclasses import dataclass
from typing import Final

from batchsora.sandbox.answers import ANSWERS


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what to write, and what happens then."""

    example: str
    meaning: str

    @property
    def name(self) -> str:
        """Return the fault's name."""
        return self.example.partition("=")[0]


INTRODUCTION: Final = f"""\
Write NAME=VALUE, separated by commas. Rates are from 0 to 1; --seed decides which calls they hit.
Join several words of one value with +; their arguments follow a colon. Where a name is given twice,
the last one counts. Times are seconds since the sandbox started.
An ANSWER is one of: {ANSWERS}."""

GROUPS: Final = (
    (
        "Purchases, at a rate",
        (
            Row("drop=0.1", "accepted and charged, then the connection drops"),
            Row("lost=0.1", "the connection drops; nothing was created"),
            Row("error=0.1", "accepted and charged, then answered 502"),
            Row("broken=0.1", "answered 500; nothing was created"),
            Row("late=0.1", "accepted and charged, answered after late_seconds"),
            Row("late_seconds=90", "how late a late answer is"),
            Row("throttle=0.1", "answered 429 with a Retry-After; nothing was created"),
            Row("garbled=0.1", "accepted and charged, answered with a body that can't be read"),
            Row("foreign=0.1", "another client buys something at the same time"),
            Row("twin=0.1", "another client buys the same prompt at the same time"),
        ),
    ),
    (
        "Purchases refused for the whole account; nothing is created",
        (
            Row("quota", "403 with words about a quota"),
            Row("quota=3:429", "the same after 3 acceptances, with status 429"),
            Row("no-credit", "400 with words about money; N and ANSWER as for quota"),
            Row("suspended", "403: the account is suspended; N and ANSWER as for quota"),
            Row("html403", "403 with a page of HTML; N as for quota"),
            Row("throttled=3", "429 forever after 3 acceptances"),
            Row("throttled=0:600", "429 forever, with a Retry-After of 600 s"),
            Row("callback-refused", "422 that names callback_url, where a purchase has one"),
            Row("posts=418", "every purchase gets this ANSWER"),
        ),
    ),
    (
        "Outages",
        (
            Row("flaky=0.1", "reads (status, list, balance) answered 503, at a rate"),
            Row("outage=60:120", "every request answers 503 from 60 s to 120 s"),
            Row(
                "outage=60:120:posts:502", "purchases alone, with another ANSWER (or reads, files)"
            ),
            Row("balance=403", "the balance always gives this ANSWER"),
        ),
    ),
    (
        "The money",
        (
            Row("balance-late=20", "the balance shows a charge after 20 s"),
            Row("refunds=1", "failed generations are given back"),
            Row("refunds=0.5:60", "a share of them, 60 s after their end"),
            Row("discount=0.1", "the balance falls by this much less than the stated prices"),
            Row("reserves=60", "what is refused, lost or broken is charged for 60 s"),
        ),
    ),
    (
        "The list",
        (
            Row("lag=30", "generations appear after 30 s"),
            Row("list=frozen", "nothing made since the sandbox started appears"),
            Row("list=frozen:5", "it stops growing at the 5th generation"),
            Row("list=frozen:60s", "it stops growing after 60 s"),
            Row(
                "list=frozen:60:300", "it does not change from 60 s to 300 s, then shows all again"
            ),
            Row("list=lossy:0.2", "a share of the generations never appears"),
            Row("list=newest:100", "only the newest 100 exist; past them it is empty"),
            Row("list=capped:20", "pages of at most 20, whatever limit is asked for"),
            Row("list=short-pages", "each page holds half of what it could; offset counts entries"),
            Row("list=ignores-offset", "every page is the first"),
            Row("list=repeats-past-end", "a page past the end is the last page again"),
            Row("list=errors-past-end", "a page past the end answers 404"),
            Row("list=errors-past-end:500", "the same with another ANSWER"),
            Row("list=unordered", "in no order"),
            Row("list=oldest-first", "the oldest first"),
            Row("list=altered:cut:100", "only the list alters prompts; ways as for echo"),
            Row("list=altered:enhance+some:0.2", "of a share of the generations"),
            Row("list=403", "it always gives this ANSWER"),
            Row("list=capped:20+lossy:0.1", "several at once"),
        ),
    ),
    (
        "Prompts, in list and status alike",
        (
            Row("echo=cut:100", "cut after 100 characters"),
            Row("echo=ellipsis:100", "the same, with an ellipsis"),
            Row("echo=escape", "HTML-escaped"),
            Row("echo=lower", "in lower case"),
            Row("echo=strip", "without blanks at both ends"),
            Row("echo=one-line", "each run of blanks is one blank"),
            Row("echo=nfd", "in another Unicode form"),
            Row("echo=enhance", "rewritten"),
            Row("echo=none", "not at all"),
        ),
    ),
    (
        "Generations",
        (
            Row("fail=0.1", "share that fails in the end"),
            Row("failure=UNSAFE_CONTENT", "failures say this; alone, all fail; several by A+B"),
            Row("failure-form=object", "the reason as an object (text, list, json, none)"),
            Row("failure-form=field:failure_reason", "the reason in another field"),
            Row("status-pending=queued", "the word for this state"),
            Row("status-processing=in_progress", "the same"),
            Row("status-completed=succeeded", "the same"),
            Row("status-failed=cancelled", "the same"),
            Row("status-share=0.1", "share of generations that get these words; all by default"),
            Row("stuck=0.1", "share that never ends"),
            Row("sick=0.1", "share whose single status answers 404"),
            Row("sick-as=403", "the ANSWER of those; alone, all of them"),
            Row("odd-time=year1", "impossible times: year1, year9999, epoch or none"),
            Row("odd-time=year9999:0.1", "the same for a share of generations"),
            Row("odd-date=year1", "the same in the Date header of every answer"),
            Row("upper-ids", "list and status write ids in capital letters"),
        ),
    ),
    (
        "Prices",
        (
            Row("odd-price=12.0", "each purchase costs this much"),
            Row("odd-price=12.0:once", "the first one does; 3 for the third"),
            Row("price=0", "each acceptance states this price, whatever is charged; or none"),
        ),
    ),
    (
        "Files",
        (
            Row("cut=0.1", "downloads break off in the middle, at a rate"),
            Row("address=relative", "the address is a path"),
            Row("address=schemeless", "it begins with //"),
            Row("address=bare", "it begins with the host's name"),
            Row("address=none", "a completed generation has none"),
            Row("address=none:60", "it comes 60 s after the completion"),
            Row("address-expired=403", "the first address used of each file gives this ANSWER"),
            Row("address-expired=410:60", "every address does, 60 s after it was shown"),
            Row("file=gzip", "sent gzip'd"),
            Row("file=chunked", "sent in chunks, without a length"),
            Row("file=no-length", "sent without a length, until the connection closes"),
            Row("file=unknown-total", "parts name no total"),
            Row("file=free-first", "the file begins with a free box"),
            Row("file=wide-first", "the file begins with a wide box"),
            Row("file=moov-first", "the file has no ftyp box"),
            Row("file=500", "files always give this ANSWER"),
        ),
    ),
)

ROWS: Final = tuple(row for _, rows in GROUPS for row in rows)


def as_text() -> str:
    """Return the table for a terminal."""
    width = max(len(row.example) for row in ROWS)
    lines = [INTRODUCTION]
    for title, rows in GROUPS:
        lines += ["", title, *(f"  {row.example.ljust(width)}  {row.meaning}" for row in rows)]
    return "\n".join(lines)


def as_markdown() -> str:
    """Return the table for docs/sandbox.md."""
    lines = []
    for title, rows in GROUPS:
        lines += ["", f"## {title}", "", "| write | what happens |", "| --- | --- |"]
        lines += [f"| `{row.example}` | {row.meaning} |" for row in rows]
    return "\n".join(lines[1:])
