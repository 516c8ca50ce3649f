from command_reference import PAGE, reference


def test_the_command_reference_is_what_help_says() -> None:
    """``docs/commands.md`` does not drift from the command line; ``make docs`` renews it."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_command_has_an_example() -> None:
    """``--help`` shows how a command is used, not only what it takes."""
    for section in reference().split("\n## ")[2:]:
        assert "Example" in section, section.splitlines()[0]
