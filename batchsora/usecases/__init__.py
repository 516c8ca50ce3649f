"""One module for each thing that a person can ask for, from the command line or the page."""
