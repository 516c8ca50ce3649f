"""The keys by which rows are known from one load to the next."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batchsora.manifest.rows.keys import Clash, Keys, content_key
from jobs.model.provider import GenerationRequest, ImageRef


def test_content_keys_are_pinned() -> None:
    """Databases hold these keys: another rule would turn every known row into a new one."""
    fox = GenerationRequest("A fox in the snow", "9:16", 10)
    assert content_key(fox) == "r-74smftdr5smd"
    image = ImageRef("images/fox.png", "/somewhere/images/fox.png", "0" * 64, 1, "image/png")
    assert content_key(GenerationRequest("A fox", "16:9", 15, image)) == "r-ljiouxykzra7"


def test_the_key_depends_on_what_is_asked_for_and_nothing_else() -> None:
    """Each field and parameter and the image's name count; where the image lies does not."""
    base = GenerationRequest("A fox", "9:16", 10, ImageRef("a.png", "/x/a.png"))
    moved = GenerationRequest("A fox", "9:16", 10, ImageRef("a.png", "/y/a.png"), "https://h")
    assert content_key(base) == content_key(moved)
    others = [
        GenerationRequest("A fox.", "9:16", 10, base.image),
        GenerationRequest("A fox", "16:9", 10, base.image),
        GenerationRequest("A fox", "9:16", 15, base.image),
        GenerationRequest("A fox", "9:16", 10, ImageRef("b.png")),
        GenerationRequest("A fox", "9:16", 10),
        replace(base, model="veo"),
        replace(base, parameters={"seed": 1}),
        replace(base, parameters={"seed": 2}),
    ]
    assert len({content_key(request) for request in [base, *others]}) == 9


def test_variants_of_an_id_are_numbered() -> None:
    """Raising the count adds keys and changes none."""
    assert Keys().of_id("a", 2, 1) == ["a"]
    assert Keys().of_id("a", 2, 3) == ["a", "a#2", "a#3"]


def test_identical_rows_without_id_are_counted_on() -> None:
    """Two rows that ask for the same want two videos."""
    keys = Keys()
    assert keys.of_content("r-x", 2, 1) == ["r-x"]
    assert keys.of_content("r-x", 3, 2) == ["r-x#2", "r-x#3"]
    assert keys.of_content("r-y", 4, 1) == ["r-y"]
    assert keys.of_content("r-x", 5, 1) == ["r-x#4"]


def test_an_id_twice_names_the_earlier_row() -> None:
    """A clash says with whom, also through a variant, and in either order."""
    keys = Keys()
    assert keys.of_id("a", 2, 2) == ["a", "a#2"]
    assert keys.of_id("a#2", 3, 1) == Clash("a#2", 2)
    assert keys.of_id("b#3", 4, 1) == ["b#3"]
    assert keys.of_id("b", 5, 3) == Clash("b#3", 4)
    assert keys.of_id("r-x", 6, 1) == ["r-x"]
    assert keys.of_content("r-x", 7, 1) == Clash("r-x", 6)


@given(st.lists(st.integers(0, 3000).map(lambda n: f"k{n}"), max_size=5000))
def test_the_table_remembers_like_a_dict(names: list[str]) -> None:
    """However many keys there are, each one's first row is found again."""
    keys, model = Keys(), dict[str, int]()
    for row, name in enumerate(names):
        expected = Clash(name, model[name]) if name in model else [name]
        assert keys.of_id(name, row, 1) == expected
        model.setdefault(name, row)


def test_many_keys_survive_growing() -> None:
    """The table grows several times over and forgets nothing."""
    keys = Keys()
    assert all(keys.of_id(f"k{row}", row, 1) == [f"k{row}"] for row in range(20_000))
    assert all(keys.of_id(f"k{row}", 0, 1) == Clash(f"k{row}", row) for row in range(20_000))
