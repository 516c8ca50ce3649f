from collections.abc import Mapping

import click
import pytest

from batchsora.cli.failures import exit_of
from batchsora.composition.exit_codes import Exit, exit_of_run
from jobs.model.errors import NotFoundError
from jobs.model.provider import ThrottledError, TokenRefusedError, UnreachableError
from jobs.model.states import Blocked, Reason
from jobs.services.run_outcome import Ending


def test_a_surplus_needs_a_person() -> None:
    """What was paid for twice is never passed over, whatever else went well."""
    done = Ending(Reason.FINISHED)
    assert exit_of_run(done, [], files_wanted=False) is Exit.DONE
    assert exit_of_run(done, [], files_wanted=False, surplus=1) is Exit.IN_DOUBT


ENDS = {
    Reason.FINISHED: Exit.DONE,
    Reason.INTERRUPTED: Exit.INTERRUPTED,
    Reason.UNREACHABLE: Exit.UNREACHABLE,
    Reason.TOKEN: Exit.TOKEN,
    Reason.ADDRESS: Exit.USAGE,
    Reason.DATABASE: Exit.DATABASE,
}


@pytest.mark.parametrize("reason", [*Reason])
def test_only_a_person_who_stops_it_ends_a_run_with_130(reason: Reason) -> None:
    """What leaves work for when a person has done something ends with 4."""
    code = exit_of_run(Ending(reason), [], files_wanted=True)
    assert code is ENDS.get(reason, Exit.STOPPED)
    assert (code == 130) is (reason is Reason.INTERRUPTED)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreachableError("no route"), 8),
        (ThrottledError("slowly", None), 8),
        (TokenRefusedError("no"), 6),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("no"), 2),
        (NotFoundError("no"), 2),
        (RuntimeError("a bug"), 1),
    ],
)
def test_what_goes_wrong_outside_of_a_run(error: BaseException, code: int) -> None:
    assert exit_of(error) == code


OWN, GUEST = 1, 2


@pytest.mark.parametrize(
    ("blocked", "code"),
    [
        ({OWN: {Blocked.BATCH_CAP}}, Exit.STOPPED),
        ({OWN: {Blocked.BATCH_CAP}, GUEST: {Blocked.BATCH_CAP}}, Exit.STOPPED),
        ({GUEST: {Blocked.BATCH_CAP}}, Exit.DONE),
        ({GUEST: {Blocked.CAMPAIGN_CAP, Blocked.PRICE}}, Exit.DONE),
        ({GUEST: {Blocked.PAUSED}}, Exit.DONE),
        ({GUEST: {Blocked.BATCH_CAP, Blocked.BALANCE}}, Exit.STOPPED),
        ({GUEST: {Blocked.DAY_CAP}}, Exit.STOPPED),
        ({GUEST: {Blocked.LEARNING}}, Exit.STOPPED),
        ({}, Exit.STOPPED),  # every slot is taken
    ],
)
def test_another_batchs_own_terms_stop_no_run(
    blocked: Mapping[int, set[Blocked]], code: Exit
) -> None:
    """What is everybody's (money, the day, slots) does; so does whatever its own batch has."""
    ending = Ending(Reason.BLOCKED, blocked={k: frozenset(why) for k, why in blocked.items()})
    assert exit_of_run(ending, [], files_wanted=False, guests={GUEST}) is code
