"""Fetching one video into a file: resumed where it broke off, renamed only when it is whole."""

from batchsora.fetch.part import Fetched, FetchError
from batchsora.fetch.video import fetch_video

__all__ = ["FetchError", "Fetched", "fetch_video"]
