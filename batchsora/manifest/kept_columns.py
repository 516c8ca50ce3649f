"""What a person said of headers for an earlier load (``--map``), where the headers have changed."""

from collections.abc import Mapping, Sequence

from batchsora.manifest.columns import listed, way_to_map
from batchsora.manifest.errors import refused
from batchsora.manifest.headers import folded, meaning
from batchsora.manifest.raw import Reading


def gone(reading: Reading, headers: Sequence[str]) -> Mapping[str, str]:
    """Return what was said before of headers that are not there any more."""
    there = {folded(header) for header in headers}
    return {
        header: name
        for header, name in reading.columns.items()
        if header in reading.kept and folded(header) not in there
    }


def refuse_gone(file: str, row: int | None, reading: Reading, headers: Sequence[str]) -> None:
    """Make sure that no column of ours was lost because its header was renamed.

    A campaign's cap would hold no more, or every row be bought at the default. Where another header
    means the same by now, nothing is lost.

    Args:
        file: the manifest's path, for messages.
        row: where the headers stand, or None.
        reading: what was said, now and before.
        headers: as written.

    Raises:
        ManifestError: a header that meant one of our columns is gone, and none means it now.
    """
    said = {folded(header): name for header, name in reading.columns.items()}
    present = {said.get(folded(header), meaning(header)) for header in headers}
    for header, name in gone(reading, headers).items():
        if name and name not in present:
            raise refused(
                file,
                f"there is no column {header!r} any more, of which you said before that it means "
                f"{name!r}",
                f"There are: {listed(headers)}. Say which one it is now, as "
                f"{way_to_map('Your name', name)}, call it {header!r} again, or say "
                f"{way_to_map(header, '')} if it is none of them.",
                row=row,
            )
