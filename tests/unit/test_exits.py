from batchsora.app.exits import Exit, exit_of_run
from jobs.ending import Ending, Reason


def test_a_surplus_needs_a_person() -> None:
    """What was paid for twice is never passed over, whatever else went well."""
    done = Ending(Reason.FINISHED)
    assert exit_of_run(done, [], files_wanted=False) is Exit.DONE
    assert exit_of_run(done, [], files_wanted=False, surplus=1) is Exit.IN_DOUBT
