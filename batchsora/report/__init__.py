"""The report: what the page shows, as one file that opens offline and prints."""
