"""Tables come in and results go out: one reader and one writer for each format of file."""
