"""Asks what a refusal needs to be understood: the balance, and what its row has heard before."""

from dataclasses import replace

from ..evidence.blame import Blame, Heard, open_words
from ..model.provider import About, InDoubt, RefusalCause, Refused, Rejected, SubmitOutcome
from ..ports.purchases import Claim, PurchaseStore
from ..runtime.balance_monitor import BalanceMonitor
from ..runtime.run_context import RunContext


class Judge:
    """Says whose fault a refused submission of a run is.

    Args:
        context: of the run.
        balance: of the account.
    """

    def __init__(self, context: RunContext, balance: BalanceMonitor) -> None:
        self._purchases: PurchaseStore = context.store.purchases
        self._policy = context.policy
        self._token = context.token
        self._balance = balance
        self._blame = Blame()

    async def judged(self, claim: Claim, outcome: SubmitOutcome) -> SubmitOutcome:
        """Return an outcome as it is to be booked: on the row, the run, or the token."""
        match outcome:
            case Refused(RefusalCause.ACCESS) | Refused(RefusalCause.ACCOUNT, sure=False):
                refused = await self._token.refused()
                if refused is not None:
                    return Refused(RefusalCause.TOKEN, str(refused))
            case Refused(RefusalCause.FUNDS, sure=False):
                if not await self._balance.suffice():
                    return replace(outcome, sure=True)
            case InDoubt(_, RefusalCause.FUNDS):
                lacking = not await self._balance.suffice()
                outcome = outcome if lacking else replace(outcome, cause=None)
        asked = claim.request
        own = asked.callback_url is not None or self._policy.callback_url is None
        heard = self._heard(claim, outcome)
        if not own and isinstance(outcome, Rejected) and outcome.about is About.CALLBACK:
            outcome = replace(outcome, message=self._policy.words.own_callback(outcome.message))
        return self._blame.judge(claim.attempt_id, outcome, asked, own_callback=own, heard=heard)

    def put_back(self) -> list[int]:
        """Return, once, the attempts whose rows failed before it was clear whose fault it is."""
        return self._blame.put_back()

    def cut_off(self) -> tuple[list[int], Refused | None]:
        """Return, once, the attempts that a run which ends now puts back, and why."""
        return self._blame.cut_off()

    def _heard(self, claim: Claim, outcome: SubmitOutcome) -> Heard:
        words = open_words(outcome)
        if words is None:
            return Heard.NEVER
        return self._purchases.heard(claim.attempt_id, words)
