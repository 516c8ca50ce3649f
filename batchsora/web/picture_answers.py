"""What the process apart that makes pictures for the page may answer."""

from pydantic import TypeAdapter

from batchsora.apart.answers import Packed, Said


class Picture(Said):
    """A JPEG, or empty."""

    jpeg: Packed


class Nothing(Said):
    """Why there is no picture."""

    why: str


ANSWER: TypeAdapter[Picture | Nothing] = TypeAdapter(Picture | Nothing)
