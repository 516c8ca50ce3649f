"""The page gives up what does not end, after it has said what stays spent."""

import pytest
from support.site import QUICK, Site, client

from jobs.store import views

PROMPT = "a clock that never strikes"


def test_what_does_not_end_is_given_up_by_a_button(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No retry is offered that would be refused; the dialog says the price, and then it is done."""
    (site.folder.path / "stuck.csv").write_text(f"id,prompt\nstuck,{PROMPT}\n")
    monkeypatch.setattr(site.folder.api.world, "time_scale", 1.0)
    run = ("run", "stuck.csv", "--yes", "--no-download", "--generation-timeout", "0.2")
    assert site.folder.call(*run, *QUICK) == 3
    job = site.read(lambda c: views.find_job(c, "stuck"))
    with client(site) as browser:
        page = browser.get(f"/jobs/{job.id}").text
        assert f'hx-get="/jobs/{job.id}/abandon"' in page
        assert f'hx-get="/jobs/{job.id}/retry"' not in page
        asked = browser.get(f"/jobs/{job.id}/abandon").text
        assert "$0.12 stays spent" in asked
        assert site.read(lambda c: views.find_job(c, "stuck")).attempt_state == "accepted"
        done = browser.post(f"/jobs/{job.id}/abandon")
        assert done.is_success
        assert site.read(lambda c: views.find_job(c, "stuck")).attempt_state == "abandoned"
        page = browser.get(f"/jobs/{job.id}").text
        assert f'hx-get="/jobs/{job.id}/retry"' in page
        assert f'hx-get="/jobs/{job.id}/abandon"' not in page
    assert [made.prompt for made in site.folder.api.world.made].count(PROMPT) == 1
