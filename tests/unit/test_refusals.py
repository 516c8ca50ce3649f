"""The table of refusals: words, status and how many running, and who is to blame in the end.

Everything between the HTTP answer and the books is asked: the meaning of the answer, what it says
of whom, and what the refusals before it make of it. The balance suffices and the token works.

``ROW``, ``RUN`` and ``QUOTING_…`` are invented, by what APIs of this kind may say. The tables whose
names begin with ``REAL`` were looked up: they are what APIs of videos and pictures, and what stands
between them and their customers, were seen to answer (who says it stands beside it).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.providers.runblob.adapter import outcome_of
from batchsora.providers.runblob.answers import Answer, Call, error_of
from jobs.evidence.blame import Blame
from jobs.model.provider import GenerationRequest, Refused, Rejected, SubmitOutcome
from jobs.model.retry import RETRIED

BY_WORDS = (400, 403, 422)
"""Statuses that say "refused", and leave it to the words what for."""

# the row's, however often they come: moderation and mistakes of prompt, image and fields
ROW = (
    "Your prompt violates our content policy",
    "Your prompt violates our content policy.",
    "This content may violate our usage policies",
    "This request violates our terms of service",
    "Your request was rejected as a result of our safety system",
    "Your request was flagged by moderation",
    "Blocked by our content moderation system",
    "The prompt was rejected: it depicts minors",
    "content_policy_violation",
    "MODERATION_BLOCKED",
    "moderation_blocked: sexual content detected",
    "Content policy violation; violations may get your account suspended",
    "Your prompt violates our content policy. More of this may result in account suspension.",
    "This prompt was blocked by our guardrails. You have not been charged.",
    "Prompt flagged as unsafe. Your account was not charged and no credits were deducted.",
    "Image contains photorealistic people, which is not allowed",
    "Image generation failed: the prompt violates our content policy",
    "Image generation blocked: nudity detected",
    "You are not allowed to generate images of celebrities",
    "Users are banned from depicting minors",
    "Accounts are restricted from creating sexual content",
    "The prompt contains banned words",
    "Copyrighted content may not be used without permission",
    "This content can't be generated: violence",
    "Prompt is too long",
    "prompt: String should have at most 2000 characters",
    "duration: Input should be 10 or 15",
    "orientation must be portrait or landscape",
    "image_url: URL is not reachable",
    "Invalid image: could not be decoded",
    "The image exceeds the plan limit of 20 MB",
    "Unsupported image format",
    "prompt: quota exceeded",
    "promptText: String must contain at most 1000 character(s)",
    "Der Inhalt verst\u00f6\u00dft gegen unsere Richtlinien",
    "El contenido infringe nuestras pol\u00edticas",
    "Le contenu enfreint nos r\u00e8gles",
    "\u63d0\u793a\u8bcd\u5305\u542b\u654f\u611f\u5185\u5bb9",
    "\u5185\u5bb9\u8fdd\u89c4\uff0c\u8bf7\u4fee\u6539",
    "\u041f\u0440\u043e\u043c\u043f\u0442 \u043d\u0430\u0440\u0443\u0448\u0430\u0435\u0442",
    "\u30dd\u30ea\u30b7\u30fc\u306b\u9055\u53cd",
    "Prompt blocked. Your account has 3 strikes left.",
    "Repeated violations will lead to account closure. Prompt rejected: nudity",
    "This prompt was blocked: it names a celebrity. Upgrade your plan for support.",
    "Too many faces detected in the image",
    "Your prompt was flagged by Website as violating content policies.",
    "\u7528\u6237\u8f93\u5165\u5305\u542b\u654f\u611f\u5185\u5bb9",
)

# the run's at the third time running, whatever field or policy they name
RUN = (
    "Image generation failed: insufficient credits",
    "Image generation failed: insufficient_quota",
    "Your account was suspended due to violations of our content policy",
    "Suspended due to violations of our content policy",
    "You have been banned for violating our content policy",
    "We have suspended your account for sexual content",
    "Your access was revoked after repeated content policy violations",
    "API access is restricted because of moderation violations on your account",
    "Your account is under review for content policy violations",
    "Your subscription has expired; image generation is not available",
    "Your trial expired, so prompts are refused",
    "Prompt quota exceeded",
    "Image quota exceeded",
    "Content quota for this month is exhausted",
    "Prompt credits are exhausted",
    "a Pro plan is required for 15 seconds",
    "15 seconds require a Pro plan",
    "Upgrade to Pro to generate 15 seconds videos",
    "Your plan does not include image to video",
    "Image generation is not enabled for your account",
    "Images are disabled for your account",
    "Prompts are limited to 10 a day on your plan",
    "Image generation failed",
    "The content moderation service is unavailable",
    "Safety check could not be completed",
    "Image service is down for maintenance",
    "Identity verification is required to generate content with people",
    "Content generation is blocked in your country",
    "You must accept the terms of service before you generate content",
    "Content-Type must be application/json",
    "Too many images today",
    "The images endpoint is deprecated: use a supported one",
    "Image could not be generated",
    "User blocked",
    "Organization has been disabled for policy violations",
    "insufficient balance",
    "Please top up",
    "Your account has been suspended",
    "ACCOUNT_SUSPENDED",
    "Daily limit reached",
    "Monthly video limit exceeded",
    "Model sora-1 is retired",
    "Bad request",
    "Forbidden",
    "Access denied",
    "Not authorized for this resource",
    "\u8d26\u6237\u4f59\u989d\u4e0d\u8db3",
    "\u8d26\u53f7\u56e0\u8fdd\u89c4\u5df2\u88ab\u5c01\u7981",
    "Ihr Konto wurde wegen Verst\u00f6\u00dfen gegen die Richtlinien gesperrt",
    "Su cuenta fue suspendida por infringir nuestras pol\u00edticas",
    "Votre compte a \u00e9t\u00e9 suspendu: contenu interdit",
    "\u0410\u043a\u043a\u0430\u0443\u043d\u0442 \u043d\u0430\u0440\u0443\u0448\u0430\u0435\u0442",
    "You must confirm your e-mail before generating images",
    "You must complete KYC before generating content",
    "You must be logged in to generate images",
    "You must sign our usage policy",
    "Your key is not allowed to generate images",
    "Your project is not allowed to generate images",
    "Your IP is blocked from generating content",
    "This user is not allowed to create content",
    "Guests are not allowed to create content",
    "Image uploads are not supported for free users",
    "Image generation must be purchased separately",
    "Please verify your e-mail. Content blocked.",
    "Your account is under review. Content generation is blocked.",
    "You have violated our usage policies too often and can't generate content",
    "Too many content policy violations: generation is blocked for 24 hours",
    "You have been blocked due to repeated violations of our content policy",
    "You have been temporarily blocked for policy violations",
    "User is blocked: violations",
    "Safety system is unavailable: request rejected",
    "Invalid token for image service",
    "Our image provider rejected our credentials",
    "Insufficient coins: content generation refused",
    "Content-Length missing",
    "\u8be5\u7528\u6237\u5df2\u88ab\u7981\u7528\uff0c\u8fdd\u89c4",
)

# no row's, although they name content and a refusal: the service's, the account's, the request's
RUN += (
    "Content moderation failed: invalid response",
    "Image moderation returned an invalid response",
    "Moderation service rejected our request",
    "Prompt upsampling failed: invalid response from upstream",
    "Invalid signature for image request",
    "Content generation blocked due to unusual activity",
    "Generating content is forbidden from your location",
    "Because of prior violations content generation is blocked",
    "Fair usage policy violated: content generation blocked",
    "Use of automated tools violates our terms of service",
    "VPN use violates our terms of service",
    "Your usage violates our terms of service",
    "Terms of Service not accepted",
    "Too many flagged prompts. Content generation is blocked",
    "Image processing was refused by the upstream provider",
    "The prompt service returned an invalid answer",
    "Moderation timed out, request rejected",
    "Prompts are blocked at the moment",
    "Sharing of videos violates our usage policy",
)

# the row's
REAL_ROW = (
    # OpenAI
    (
        "Your request was rejected as a result of our safety system. Your prompt may contain text "
        "that is not allowed by our safety system."
    ),
    "Your request was rejected by the safety system. [moderation_blocked]",
    (
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please "
        "try again with a different prompt: https://platform.openai.com/docs/guides/reasoning"
        "#advice-on-prompting [invalid_prompt]"
    ),
    # Azure OpenAI
    "This request has been blocked by our content filters.",
    (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy. Please modify your prompt and retry."
    ),
    # Veo on Vertex AI
    (
        "Veo could not generate videos because the input image violates Vertex AI's usage "
        "guidelines. If you think this was an error, send feedback."
    ),
    (
        "The prompt could not be submitted. This prompt contains sensitive words that violate "
        "Google's Responsible AI practices. Try rephrasing your prompt, or contact your Google "
        "representative to request allowlisting. Support codes: 58061214"
    ),
    # Luma
    "prompt not allowed because advanced moderation failed",
    # fal
    "prompt: The content was flagged by a content checker.",
    # Replicate, Seedance, and proxies before them
    "All generated images contained NSFW content",
    "The request failed because the output image may contain sensitive information.",
    "input contains sensitive words: [test] [sensitive_words_detected]",
    "prompt is too long [prompt_too_long]",
    # Zhipu: unsafe or sensitive content was found in what was entered or made
    (
        "\u7cfb\u7edf\u68c0\u6d4b\u5230\u8f93\u5165\u6216\u751f\u6210\u5185\u5bb9\u53ef\u80fd\u5305\u542b"
        "\u4e0d\u5b89\u5168\u6216\u654f\u611f\u5185\u5bb9"
    ),
)

# the account's, or everybody's
REAL_RUN = (
    # fal
    "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
    "User is locked. Reason: Admin lock. Please contact support@fal.ai.",
    # OpenAI
    (
        "Your access was terminated due to violation of our policies, please check your email for "
        "more information. If you believe this is in error and would like to appeal, please "
        "contact support@openai.com."
    ),
    "Country, region, or territory not supported [unsupported_country_region_territory]",
    (
        "Hmmm something didn't look right with your request. Please try again later or visit "
        "https://help.openai.com if this issue persists. [sentinel_block]"
    ),
    "Invalid value: '10'. Supported values are: '4', '8', and '12'. [invalid_value]",
    # Google
    "User location is not supported for the API use.",
    "Invalid resource field value in the request.",
    # Anthropic, Runway, Z-Image, a proxy
    (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits."
    ),
    "You do not have enough credits to run this task.",
    "Insufficient credits. Please top up.",
    "user quota is not enough [insufficient_user_quota]",
    # Kiro
    (
        "Due to suspicious activity, we are imposing temporary limits on how frequently your "
        "account can send a request"
    ),
    # Zhipu: the account broke the rules and is locked; its use is not fair use
    "\u8d26\u6237\u5b58\u8fdd\u89c4\u884c\u4e3a\uff0c\u8d26\u53f7\u5df2\u88ab\u9501\u5b9a",
    (
        "\u60a8\u7684\u8d26\u6237\u5f53\u524d\u4f7f\u7528\u6a21\u5f0f\u4e0d\u7b26\u5408\u516c\u5e73\u4f7f\u7528"
        "\u7b56\u7565"
    ),
)

# the row's in truth, which nobody can know from the words: they stop a run once, and then they fail
REAL_OPEN = (
    "Failure to pass the risk control system",  # Kling
    (
        "Veo could not generate 1 videos based on the prompt provided. You will not be charged for "
        "this request. Try rephrasing the prompt. Support codes: 42237218"
    ),
    "Could not generate images with the given prompts and images.",  # fal
    "An error happened, please make sure your request is SFW",
    "\u8f93\u5165\u5185\u5bb9\u6d89\u654f",  # MiniMax: what was entered is sensitive
    "Cannot provide both image_base64 and image_url",  # RunBlob
)

# the run's at once: the status speaks for itself
AT_ONCE = (
    (401, "Your prompt violates our content policy"),
    (402, "Your prompt violates our content policy"),
    (402, "no"),
    (404, "Not found"),
    (429, "Monthly quota exceeded"),
    (429, "insufficient_quota"),
    (429, "Your account has been suspended"),
)
PROMPTS = ("a kite", "two dunes at dawn", "a red lighthouse", "snow over Oslo", "an old tram")


def answers(words: str, status: int, prompts: Sequence[str] = PROMPTS) -> list[SubmitOutcome]:
    """Refuse a row each, one after the other, and say how each is booked.

    Args:
        words: of the API; ``PROMPT`` in them stands for the row's.
        status: of its answers.
        prompts: of the rows.
    """
    blame, found = Blame(), []
    for number, prompt in enumerate(prompts):
        told = words.replace("PROMPT", prompt)
        answer = Answer(status, {}, json.dumps({"detail": told}).encode(), whole=True)
        error = error_of(answer, Call.GENERATE, "", lambda: datetime.now(UTC), prompt)
        request = GenerationRequest(prompt, "9:16", 10)
        outcome = outcome_of(error, prompt, with_image=False)
        found.append(blame.judge(number, outcome, request, own_callback=True))
        failed = [n for n, one in enumerate(found) if isinstance(one, Rejected)]
        assert blame.put_back() == (failed if stopping(found) == [number] else [])
    return found


def stopping(outcomes: Sequence[SubmitOutcome]) -> list[int]:
    """Return which outcomes stop the run."""
    return [n for n, one in enumerate(outcomes) if isinstance(one, Refused) and one.sure]


def test_the_table_is_large_enough_to_mean_something() -> None:
    """Both sides have many rows, and none stands on both."""
    assert min(len(set(ROW)), len(set(RUN))) >= 40
    assert not {*ROW, *REAL_ROW} & {*RUN, *REAL_RUN, *REAL_OPEN}


@pytest.mark.parametrize("status", BY_WORDS)
@pytest.mark.parametrize("words", ROW + REAL_ROW)
def test_what_is_said_of_a_row_never_stops_the_run(words: str, status: int) -> None:
    """Fifty rows that are refused in the same words fail one by one, at no cost."""
    assert {type(one) for one in answers(words, status, PROMPTS * 10)} == {Rejected}


@pytest.mark.parametrize("status", BY_WORDS)
@pytest.mark.parametrize("words", RUN + REAL_RUN + REAL_OPEN)
def test_what_is_said_of_the_account_stops_the_run_at_the_third_time(
    words: str, status: int
) -> None:
    """The rows before it stay queued, or fail at no cost and are put back."""
    found = answers(words, status)
    assert stopping(found) == [2, 3, 4]
    assert {type(one) for one in found[2:]} == {Refused}
    assert all(words in one.message for one in found if isinstance(one, Rejected | Refused))
    assert not {one.kind for one in found if isinstance(one, Rejected)} & RETRIED


@pytest.mark.parametrize(("status", "words"), AT_ONCE)
def test_a_status_that_speaks_for_itself_stops_the_run_at_once(status: int, words: str) -> None:
    """Its words are not asked."""
    assert isinstance(answers(words, status)[0], Refused)


# the account's, although they say the row's prompt again
QUOTING_RUN = (
    'Your subscription has expired: "PROMPT"',
    "Your subscription has expired: PROMPT",
    "Your subscription has expired (prompt: 'PROMPT')",
    "\u201cPROMPT\u201d was refused: a Pro plan is required",
    "PROMPT: your key is not allowed to do this",
    "Refused: PROMPT; upgrade to continue",
    "Access denied for \u00abPROMPT\u00bb",
    '"PROMPT" could not be created: your account is under review',
    "Your account has been suspended: PROMPT",
    "\u60a8\u7684\u8d26\u6237\u65e0\u6743\u9650\uff1a\u201cPROMPT\u201d",
)
# the row's, because of what it says again
QUOTING_ROW = (
    'Not allowed: "PROMPT"',
    "Refused: PROMPT",
    "Not allowed: 'PROMPT'. Your account was not charged.",
    "We can't show \u201cPROMPT\u201d",
    "Forbidden: `PROMPT`",
)
QUOTED = (
    *PROMPTS,
    "kite",
    "\u4e00\u53ea\u98ce\u7b5d\u5728\u5929\u4e0a\u98de",
    'the sign says "Sale", and it\'s raining & cold',
    " ".join(f"scene {number} of a very long film" for number in range(100)),
    "a banner: your account is suspended",
)


@pytest.mark.parametrize("status", BY_WORDS)
@pytest.mark.parametrize("words", QUOTING_RUN)
def test_the_accounts_refusal_stays_its_own_when_it_quotes_the_prompt(
    words: str, status: int
) -> None:
    """Rows of all lengths: the quotation blames none, and hides no refusal that is the same."""
    found = answers(words, status, QUOTED)
    assert stopping(found) == list(range(2, len(QUOTED)))


@pytest.mark.parametrize("status", BY_WORDS)
@pytest.mark.parametrize("words", QUOTING_ROW)
def test_a_refusal_that_quotes_the_prompt_and_no_account_is_the_rows(
    words: str, status: int
) -> None:
    """However often it comes, and whatever the prompt speaks of."""
    assert {type(one) for one in answers(words, status, QUOTED)} == {Rejected}


@pytest.mark.parametrize("cut", ["\u2026", "..."])
@pytest.mark.parametrize("status", BY_WORDS)
def test_a_quotation_that_was_cut_is_one(status: int, cut: str) -> None:
    """Its last word is a part of the prompt's, in quotation marks or at the end of the words."""
    prompts = ["three kites over the sea", "two old trams in Lisbon", "one red lighthouse at dawn"]
    for row, told in [(True, "Refused: {}"), (False, "Your subscription has expired: {}")]:
        for marks in ("{}", '"{}"', "'{}' (code 7)"):
            blame = Blame()
            judged = []
            for number, prompt in enumerate(prompts):
                words = told.format(marks.format(prompt[:-3] + cut))
                body = json.dumps({"detail": words}).encode()
                answer = Answer(status, {}, body, whole=True)
                error = error_of(answer, Call.GENERATE, "", lambda: datetime.now(UTC), prompt)
                outcome = outcome_of(error, prompt, with_image=False)
                request = GenerationRequest(prompt, "9:16", 10)
                judged.append(blame.judge(number, outcome, request, own_callback=True))
            assert isinstance(judged[-1], Rejected) is row, (told, marks)


@pytest.mark.parametrize("status", BY_WORDS)
@pytest.mark.parametrize(
    "words", ["Image generation failed", "Safety check could not be completed"]
)
def test_unclear_words_for_one_prompt_are_no_sign_of_more(words: str, status: int) -> None:
    """Videos of one prompt (``count``) that are refused alike: nobody else was asked."""
    assert {type(one) for one in answers(words, status, ["a kite"] * 9)} == {Rejected}
    mixed = answers(words, status, ["a kite"] * 4 + list(PROMPTS[1:4]))
    assert [type(one) for one in mixed] == [Rejected] * 5 + [Refused] * 2


@given(
    words=st.sampled_from(ROW + REAL_ROW),
    number=st.integers(0, 10**9),
    status=st.sampled_from(BY_WORDS),
)
def test_ids_and_figures_beside_them_change_nothing(words: str, number: int, status: int) -> None:
    """A request's number behind a moderation refusal leaves it the row's."""
    said = f"{words} (request id: {number}-ab)"
    assert {type(one) for one in answers(said, status)} == {Rejected}
