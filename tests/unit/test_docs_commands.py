from command_reference import PAGE, SANDBOX_PAGE, reference, sandbox_reference


def test_the_command_reference_is_what_help_says() -> None:
    """``docs/commands.md`` does not drift from the command line; ``make docs`` renews it."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_the_page_of_the_sandbox_has_all_faults() -> None:
    """``docs/sandbox.md`` is the table that ``--faults help`` prints; ``make docs`` renews it."""
    assert SANDBOX_PAGE.read_text(encoding="utf-8") == sandbox_reference()


def test_every_command_has_an_example() -> None:
    """``--help`` shows how a command is used, not only what it takes."""
    for section in reference().split("\n## ")[2:]:
        assert "Example" in section, section.splitlines()[0]
