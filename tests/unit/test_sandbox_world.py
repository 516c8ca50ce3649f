import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.providers.model import Model
from batchsora.providers.runblob.catalog import MODELS, SORA
from batchsora.sandbox.account import Made, Refunds, chance
from batchsora.sandbox.dialects import PATHS, check
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.manners import Manners
from batchsora.sandbox.world import FAILURES, LONGEST, SHORTEST, World
from jobs.model.money import to_micros

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = "http://127.0.0.1:1"
PNG = b"\x89PNG\r\n\x1a\n"


def _later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _buy(world: World, prompt: str = "a fox", at: datetime = NOW, **more: Any) -> Made:
    reply = world.generate({"prompt": prompt, **more}, None, at)
    assert reply.status == 201
    item = world.find(reply.body["generation_id"])
    assert item is not None
    return item


def _image(kind: str = "png", content: bytes = PNG) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


# what a generation costs


def test_an_acceptance_answers_and_charges_as_documented() -> None:
    """The price is a decimal string of four places, and the balance falls by it at once."""
    world = World(balance=to_micros("1"))
    reply = world.generate({"prompt": "a fox"}, "key-1", NOW)
    assert reply.status == 201
    assert reply.body["status"] == "pending"
    assert reply.body["price"] == "0.1200"
    assert world.account(NOW).body == {"balance": "0.88"}
    (entry,) = world.ledger(NOW)["generations"]
    assert entry["generation_id"] == reply.body["generation_id"]
    assert entry["idempotency_key"] == "key-1"


def test_the_last_cent_can_be_spent_and_no_more() -> None:
    """A price that is left exactly is accepted; the next is 402, costs and creates nothing."""
    world = World(balance=to_micros("0.30"))
    _buy(world)
    _buy(world, "a cat", duration=15)
    refused = world.generate({"prompt": "a dog"}, None, NOW)
    assert refused.status == 402
    assert refused.body == {"detail": "INSUFFICIENT_CREDITS"}
    assert len(world.made) == 2
    assert world.account(NOW).body == {"balance": "0"}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([10, 15]), st.booleans()), max_size=12
    ),
    st.integers(min_value=0, max_value=2_000_000),
)
def test_the_books_always_balance(orders: list[tuple[str, int, bool]], start: int) -> None:
    """Whatever is bought by whom: balance = start - charges, never below 0, and no id comes twice.

    A world made of the same generations, as after a restart, has the same books.
    """
    world = World(balance=start)
    for prompt, duration, foreign in orders:
        if foreign:
            world.add_foreign(prompt, NOW)
        else:
            world.generate({"prompt": prompt, "duration": duration}, None, NOW)
    assert 0 <= world.money_left(NOW) == start - sum(item.price for item in world.made)
    assert len({item.id for item in world.made}) == len(world.made)
    again = World(balance=start, made=list(world.made))
    assert again.ledger(NOW) == world.ledger(NOW)
    assert [again.try_number(prompt) for prompt in "abc"] == [
        world.try_number(prompt) for prompt in "abc"
    ]


def test_a_discount_shows_in_the_balance_alone() -> None:
    """It falls by less than the prices that are told."""
    world = World(balance=to_micros("1"), manners=Faults.parse("discount=0.25").manners)
    told = [world.generate({"prompt": "a fox"}, None, NOW).body["price"] for _ in range(2)]
    assert told == ["0.1200", "0.1200"]
    assert world.account(NOW).body == {"balance": "0.82"}


def test_what_came_to_nothing_may_be_charged_for_a_while() -> None:
    """A refused purchase takes its price, and gives it back; one that can't be read takes none."""
    manners = Faults.parse("reserves=60,suspended").manners
    world = World(balance=to_micros("1"), manners=manners)
    assert world.generate({"prompt": "a fox"}, None, NOW).status == 403
    assert world.generate({"prompt": ""}, None, NOW).status == 422
    shown = [world.account(_later(age)).body["balance"] for age in (0, 59, 60)]
    assert shown == ["0.88", "0.88", "1"]


def test_the_balance_may_show_a_charge_late() -> None:
    """What is held against it is the truth all the same: nobody buys twice with one dollar."""
    world = World(balance=to_micros("0.12"), manners=Faults.parse("balance-late=20").manners)
    _buy(world)
    shown = [world.account(_later(age)).body["balance"] for age in (0, 19, 20)]
    assert shown == ["0.12", "0.12", "0"]
    assert world.generate({"prompt": "an owl"}, None, NOW).status == 402


def test_some_failures_may_be_given_back_after_a_while() -> None:
    """By share, each so long after its end; the same ones whenever it is asked."""
    parsed = Faults.parse("refunds=0.5:60,fail=1")
    world = World(balance=to_micros("10"), fail=parsed.fail, manners=parsed.manners)
    for number in range(40):
        _buy(world, f"fox {number}")
    ended = LONGEST
    assert world.money_left(_later(SHORTEST + 59)) == to_micros("10") - 40 * to_micros("0.12")
    given_back = world.money_left(_later(ended + 60)) - world.money_left(NOW)
    assert 10 * to_micros("0.12") <= given_back <= 30 * to_micros("0.12")
    assert world.money_left(_later(ended + 600)) - world.money_left(NOW) == given_back


def test_a_list_may_rewrite_some_prompts_alone() -> None:
    """The others come as they were sent."""
    parsed = Faults.parse("list=altered:enhance+some:0.5")
    world = World(manners=parsed.manners)
    for number in range(40):
        _buy(world, f"fox {number}")
    shown = world.page(100, 0, NOW, FILES, 0.0).body
    plain = sum(view["prompt"].startswith("fox") for view in shown)
    assert 10 <= plain <= 30


@pytest.mark.parametrize(("refund", "left"), [(False, to_micros("0.88")), (True, to_micros("1"))])
def test_a_failure_is_refunded_only_where_the_provider_does(refund: bool, left: int) -> None:  # noqa: FBT001 - a parameter of the test
    """Both unknowns of the API can be rehearsed; nothing is refunded before the end."""
    manners = Manners(refunds=Refunds(float(refund)))
    world = World(balance=to_micros("1"), failures={"a fox": ["no", None]}, manners=manners)
    item = _buy(world)
    assert world.money_left(_later(item.takes - 1)) == to_micros("0.88")
    assert world.money_left(_later(LONGEST)) == left
    assert world.ledger(_later(LONGEST))["generations"][0]["refunded"] is refund


def test_a_repeated_key_buys_again_unless_the_world_honours_it() -> None:
    """The header is not documented: by default it means nothing, and can be made to."""
    for honour, made in ((False, 2), (True, 1)):
        world = World(honour_idempotency=honour)
        replies = [world.generate({"prompt": "a fox"}, "key", NOW) for _ in range(2)]
        assert [reply.status for reply in replies] == [201, 201]
        assert len({reply.body["generation_id"] for reply in replies}) == made
        assert len(world.made) == made


def test_the_ledger_tells_ours_from_somebody_elses() -> None:
    """Another client's generation lowers the balance and is no charge of ours."""
    world = World(balance=to_micros("1"))
    _buy(world)
    world.add_foreign("a dog", NOW)
    ledger = world.ledger(NOW)
    assert [entry["prompt"] for entry in ledger["generations"]] == ["a fox"]
    assert (ledger["foreign"], ledger["charged"], ledger["balance"]) == (1, "0.12", "0.76")


# how a generation goes


@given(st.integers(), st.floats(min_value=0.01, max_value=1e6))
def test_a_generation_waits_runs_and_ends(seed: int, scale: float) -> None:
    """The phases come in order, each with its own figures, within the documented span."""
    item = _buy(world := World(seed=seed, time_scale=scale))
    assert item.takes * scale * (1 + 1e-9) >= SHORTEST
    assert item.takes * scale <= LONGEST * (1 + 1e-9)
    seen = [
        world.view(item, _later(item.takes * share), FILES) for share in (0, 0.1, 0.5, 0.9, 1.01)
    ]
    assert [view["status"] for view in seen] == [
        "pending", "pending", "processing", "processing", "completed"
    ]  # fmt: skip
    waiting = [view["progress_pos_in_queue"] for view in seen]
    assert 10 >= waiting[0] >= waiting[1] >= 1
    assert waiting[2:] == [None] * 3
    running = [view["progress_pct"] for view in seen]
    assert 0 <= running[2] <= running[3] <= 100
    assert running[:2] == [None] * 2
    assert [view["video_url"] for view in seen] == [None] * 4 + [f"{FILES}/videos/{item.id}.mp4"]
    assert [view["completed_at"] is None for view in seen] == [True] * 4 + [False]


def test_times_are_utc_without_a_zone() -> None:
    """As the API writes them, whatever zone the clock speaks."""
    world = World()
    reply = world.generate(
        {"prompt": "a fox"}, None, datetime.fromisoformat("2026-01-02T05:00+02:00")
    )
    view = world.status(reply.body["generation_id"], NOW, FILES).body
    assert view["created_at"] == "2026-01-02T03:00:00"


def test_a_failed_generation_says_why_and_has_no_video() -> None:
    """Scripted failures are used up one generation at a time; None is a success."""
    world = World(failures={"a fox": ["people", None]})
    first, second, third = (_buy(world) for _ in range(3))
    end = _later(LONGEST)
    views = [world.view(item, end, FILES) for item in (first, second, third)]
    assert [view["status"] for view in views] == ["failed", "completed", "completed"]
    assert [view["error_message"] for view in views] == ["people", None, None]
    assert views[0]["video_url"] is None
    assert world.view(first, NOW, FILES)["error_message"] is None


def test_a_share_of_generations_fails() -> None:
    """The rate is about kept, all kinds of failures come up, and 1 means all."""
    world = World(fail=0.3, balance=to_micros("100"))
    failures = [_buy(world, f"fox {number}").failure for number in range(400)]
    assert 80 < sum(failure is not None for failure in failures) < 160
    assert set(failures) == {None, *FAILURES}
    assert _buy(World(fail=1.0)).failure in FAILURES


def test_chance_does_not_depend_on_the_order() -> None:
    """The same seed makes the same of each prompt, in whatever order they come."""
    prompts = [f"fox {number}" for number in range(20)]

    def made(seed: int, order: list[str]) -> dict[str, tuple[str, float, str | None]]:
        world = World(seed=seed, fail=0.5)
        items = [_buy(world, prompt) for prompt in order]
        return {item.prompt: (item.id, item.takes, item.failure) for item in items}

    assert made(1, prompts) == made(1, prompts[::-1])
    assert made(1, prompts) != made(2, prompts)


@given(st.integers(), st.lists(st.text(st.characters()) | st.integers()))
def test_chance_is_a_number_below_one(seed: int, what: list[object]) -> None:
    """It is from 0 to below 1 and always the same, also for text that can't be encoded."""
    assert 0 <= chance(seed, *what) < 1
    assert chance(seed, *what) == chance(seed, *what)


# looking


def test_an_unknown_generation_is_404() -> None:
    """As documented; also for what is no id at all."""
    assert World().status("x", NOW, FILES).status == 404
    assert World().status("x", NOW, FILES).body == {"detail": "Generation not found"}


@given(st.integers(min_value=0, max_value=12), st.integers(min_value=1, max_value=5))
def test_pages_show_all_newest_first(count: int, limit: int) -> None:
    """The pages together are the account's generations, each once, the newest in front."""
    world = World()
    ids = [_buy(world, f"fox {number}", _later(number)).id for number in range(count)]
    found: list[str] = []
    while page := world.page(limit, len(found), _later(60), FILES, 0).body:
        assert len(page) <= limit
        found += [view["generation_id"] for view in page]
    assert found == ids[::-1]


@pytest.mark.parametrize(
    ("limit", "offset", "wrong"), [(0, 0, "limit"), (101, 0, "limit"), (1, -1, "offset")]
)
def test_a_page_beyond_the_limits_is_refused(limit: int, offset: int, wrong: str) -> None:
    """From 1 to 100, from 0 on; the details name what is wrong."""
    reply = World().page(limit, offset, NOW, FILES, 0)
    assert reply.status == 422
    assert reply.body["detail"][0]["loc"] == ["query", wrong]


@pytest.mark.parametrize("offset", [1, 100, 2**63, 10**40])
def test_a_page_beyond_the_end_is_empty(offset: int) -> None:
    """However far: no error, as for any list."""
    world = World()
    _buy(world)
    assert world.page(100, offset, NOW, FILES, 0).body == []


def test_a_lagging_list_hides_the_young() -> None:
    """What is younger than the lag is missing from the list, and only from the list."""
    world = World()
    old, young = _buy(world, at=NOW), _buy(world, at=_later(20))
    ids = [view["generation_id"] for view in world.page(10, 0, _later(30), FILES, 30).body]
    assert ids == [old.id]
    assert world.status(young.id, _later(30), FILES).status == 200


@pytest.mark.parametrize(
    ("token", "header", "good"),
    [
        (None, "Bearer anything", True),
        ("right", "Bearer right", True),
        ("right", "Bearer wrong", False),
        (None, None, False),
        (None, "Bearer", False),
        (None, "Bearer ", False),
        (None, "Basic anything", False),
    ],
)
def test_a_bearer_token_is_asked_for(token: str | None, header: str | None, good: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Any, or the one given; never none, and of no other scheme."""
    assert World(token=token).authorised(header) is good


# what is refused


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"prompt": "x" * 4000},
        {"orientation": "16:9", "duration": 15},
        {"image_url": "http://example.org/a.png", "callback_url": "https://example.org/"},
        {"image_url": None, "image_base64": None, "callback_url": None},
        {"image_base64": _image()},
        {"image_base64": _image("jpeg", b"\xff\xd8\xff\xe0")},
        {"image_base64": _image("webp", b"RIFF\0\0\0\0WEBPVP8 ")},
        {"image_base64": _image("png", PNG.ljust(SORA.largest_image, b"\0"))},
        {"something": "unknown"},
    ],
)
def test_what_the_api_takes_is_taken(more: dict[str, Any]) -> None:
    """Each documented form of a request passes, up to its very limits."""
    assert check({"prompt": "a fox", **more}, SORA) is None


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 4001}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a fox"]}, "prompt"),
        ({"prompt": "half \ud800 a pair"}, "prompt"),
        ({"orientation": "1:1"}, "orientation"),
        ({"orientation": None}, "orientation"),
        ({"orientation": ["9:16"]}, "orientation"),
        ({"duration": 5}, "duration"),
        ({"duration": "10"}, "duration"),
        ({"duration": 10.0}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": None}, "duration"),
        ({"callback_url": "http://example.org/"}, "callback_url"),
        ({"callback_url": {}}, "callback_url"),
        ({"image_url": "file:///etc/passwd"}, "image_url"),
        ({"image_url": 3}, "image_url"),
        ({"image_base64": "iVBORw0KGgo="}, "image_base64"),
        ({"image_base64": _image("gif", b"GIF89a")}, "image_base64"),
        ({"image_base64": _image("png", b"GIF89a")}, "image_base64"),
        ({"image_base64": "data:image/png;base64,!!!"}, "image_base64"),
        ({"image_base64": "data:image/png;base64,\u00e9"}, "image_base64"),
        ({"image_base64": 3}, "image_base64"),
        ({"image_base64": _image("png", PNG.ljust(SORA.largest_image + 1, b"\0"))}, "image_base64"),
    ],
)
def test_what_the_api_refuses_is_refused_by_name(more: dict[str, Any], wrong: str) -> None:
    """422 with details that name the field, and nothing is charged."""
    world = World()
    reply = world.generate({"prompt": "a fox", **more}, None, NOW)
    assert reply.status == 422
    assert [detail["loc"] for detail in reply.body["detail"]] == [["body", wrong]]
    assert world.made == []


@pytest.mark.parametrize("body", [None, [], "a fox", 7, [{"prompt": "a fox"}]])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    """Other JSON is 422 like a wrong field."""
    reply = check(body, SORA)
    assert reply is not None
    assert reply.status == 422
    assert reply.body["detail"][0]["loc"] == ["body", "body"]


BARE = _image().partition(",")[2]
IMAGES = {
    "veo_3_fast": (
        [{}, {"bytes_image": BARE}, {"start_frame": BARE, "end_frame": BARE},
         {"reference_images": [BARE] * 3}],
        [{"start_frame": BARE}, {"end_frame": BARE}, {"reference_images": [BARE] * 4},
         {"reference_images": BARE}, {"bytes_image": BARE, "end_frame": BARE},
         {"bytes_image": BARE, "reference_images": [BARE]}, {"bytes_image": [BARE]}],
    ),
    "veo_3_quality": (
        [{"start_frame": BARE, "end_frame": BARE}], [{"reference_images": [BARE]}],
    ),
    "kling_2.6": (
        [{"image_base64": _image()}, {"image_url": "https://a.example/b.png"}],
        [{"image_base64": BARE}, {"image_base64": [_image()]}],
    ),
    "kling_o1": (
        [{"images_base64": [_image()]}, {"images_urls": ["https://a.example/b.png"] * 5},
         {"first_frame_image_base64": _image(), "end_frame_image_base64": _image()},
         {"first_frame_image_url": "https://a.example/b.png", "end_frame_image_base64": _image()}],
        [{"images_base64": [_image()] * 6}, {"images_base64": []},
         {"first_frame_image_base64": _image()},
         {"end_frame_image_url": "https://a.example/b.png"},
         {"images_base64": [_image()], "first_frame_image_base64": _image(),
          "end_frame_image_base64": _image()}],
    ),
    "kling_o3_pro": (
        [{"images_url": ["https://a.example/b.png"] * 5},
         {"first_frame_base64": _image(), "end_frame_base64": _image()}],
        [{"images_url": ["https://a.example/b.png"] * 6}, {"first_frame_base64": _image()}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images_go_together_as_each_model_takes_them(name: str) -> None:
    """Not more than it takes, none without its partner, and none that the model has not at all."""
    model = MODELS[name]
    taken, refused = IMAGES[name]
    for images in taken:
        assert check({"prompt": "a fox in snow", **images}, model) is None, images
    for images in refused:
        reply = check({"prompt": "a fox in snow", **images}, model)
        assert reply is not None, images
        assert reply.status == 422
        assert reply.body["detail"][0]["loc"][1] in images


def test_two_images_are_refused() -> None:
    """400 with the documented words."""
    reply = check({"prompt": "x", "image_url": "https://a/b.png", "image_base64": _image()}, SORA)
    assert reply is not None
    assert reply.status == 400
    assert reply.body == {"detail": "Cannot provide both image_base64 and image_url"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
_bodies = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.just("a fox") | _json,
        "orientation": st.sampled_from(["9:16", "16:9"]) | _json,
        "duration": st.sampled_from([10, 15, 10.0, 15.0]) | _json,
        "image_url": st.just("https://example.org/a.png") | _json,
        "image_base64": st.just(_image()) | st.text().map("data:image/png;base64,".__add__) | _json,
        "callback_url": _json,
    },
)


def _bodies_of(models: Mapping[str, Model]) -> st.SearchStrategy[Any]:
    """Return bodies with the fields that a path's models know, in good and bad values."""
    rules = [rule for one in models.values() for rule in one.images.values()]
    names = {name for rule in rules for name in (rule.file, rule.address) if name}
    names |= {name for one in models.values() for name in one.parameters}
    image = st.sampled_from([BARE, _image(), "https://example.org/a.png"])
    value = image | st.lists(image, max_size=6) | st.integers(0, 3) | st.just(0.5) | _json
    optional = dict.fromkeys(names, value) | {
        "model": st.sampled_from(sorted(models)) | _json,
        "duration": st.sampled_from([5, "5", "10", "15"]) | _json,
        "aspect_ratio": st.sampled_from(["9:16", "1:1"]) | _json,
        "callback_url": _json,
    }
    return st.fixed_dictionaries({"prompt": st.just("a fox in snow") | _json}, optional=optional)


_PATHS = st.sampled_from(sorted(PATHS)).flatmap(
    lambda path: st.tuples(st.just(path), _json | _bodies | _bodies_of(PATHS[path]))
)


@given(_PATHS)
def test_any_json_has_an_answer(asked: tuple[str, Any]) -> None:
    """Whatever is sent is accepted or refused with an answer that can be written; never a crash."""
    path, body = asked
    world = World()
    reply = world.generate(body, None, NOW, PATHS[path])
    assert reply.status in (201, 400, 422)
    assert len(world.made) == (reply.status == 201)
    assert json.dumps(reply.body).isascii()
    assert all(type(item.duration) is int for item in world.made)


# what goes wrong on the way


def test_faults_are_read_as_they_are_written() -> None:
    """Names, rates and times, with blanks; nothing means that nothing goes wrong."""
    assert Faults.parse("drop=0.1, error=0.05 ,lag=30,") == Faults(drop=0.1, error=0.05, lag=30)
    assert Faults.parse("") == Faults()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dorp=0.1", "unknown fault 'dorp'; available: drop, lost"),
        ("drop", "write it like drop=0.1"),
        ("drop=often", "write it like drop=0.1"),
        ("drop=2", "from 0 to 1"),
        ("drop=-0.1", "from 0 to 1"),
        ("drop=nan", "from 0 to 1"),
        ("lag=1e9", "from 0 to 86400"),
        ("drop=0.6,lost=0.6", "together at most 1"),
    ],
)
def test_faults_that_make_no_sense_are_refused(text: str, words: str) -> None:
    """The message says what would do."""
    with pytest.raises(ValueError, match=words):
        Faults.parse(text)


def test_a_post_meets_the_faults_at_their_rates() -> None:
    """Each fault comes about as often as asked for, and rates that fill 1 leave none unharmed."""
    rates = {"drop": 0.1, "lost": 0.1, "error": 0.1, "broken": 0.1, "late": 0.2, "throttle": 0.2,
             "garbled": 0.2}  # fmt: skip
    faults = Faults.parse(",".join(f"{name}={rate}" for name, rate in rates.items()))
    drawn = [faults.of_submission(1, "a fox", turn) for turn in range(4000)]
    for name, rate in rates.items():
        assert abs(drawn.count(Fault(name)) / 4000 - rate) < 0.03
    assert drawn.count(Fault.NONE) <= 1


@given(
    st.sampled_from([fault for fault in Fault if fault is not Fault.NONE]), st.text(), st.integers()
)
def test_a_rate_of_one_is_always_and_of_zero_never(fault: Fault, prompt: str, turn: int) -> None:
    """A script can force any single fault."""
    assert Faults(**{fault.value: 1.0}).of_submission(1, prompt, turn) is fault
    assert Faults().of_submission(1, prompt, turn) is Fault.NONE
    assert Faults().happens(1.0, 1, prompt, turn)
    assert not Faults().happens(0.0, 1, prompt, turn)
