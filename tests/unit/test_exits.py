from collections.abc import Mapping

import pytest

from batchsora.composition.exit_codes import Exit, exit_of_run
from jobs.model.states import Blocked, Reason
from jobs.services.run_outcome import Ending


def test_a_surplus_needs_a_person() -> None:
    """What was paid for twice is never passed over, whatever else went well."""
    done = Ending(Reason.FINISHED)
    assert exit_of_run(done, [], files_wanted=False) is Exit.DONE
    assert exit_of_run(done, [], files_wanted=False, surplus=1) is Exit.IN_DOUBT


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
