"""Triggers: counts and events that are written whoever moves a job or an attempt.

They are in SQLite's dialect. Migrations repeat them; a test checks that both agree.
"""

from typing import Final

JOB_MOVED = """
CREATE TRIGGER job_moved AFTER UPDATE OF state, error_kind ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
    INSERT INTO tally (batch_id, state, error_kind, jobs)
    VALUES (
        NEW.batch_id, NEW.state,
        CASE NEW.state WHEN 'failed' THEN NEW.error_kind ELSE '' END, 1
    )
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END
"""
JOB_GONE = """
CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
END
"""
JOB_EVENT = """
CREATE TRIGGER job_event AFTER UPDATE OF state ON job
WHEN NEW.state = 'completed'
    OR NEW.state = 'failed' AND OLD.state NOT IN ('queued', 'cancelled')
    OR NEW.state = 'queued' AND OLD.state IN ('pending', 'processing')
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id, reason, message)
    VALUES (
        coalesce(
            NEW.completed_at, (SELECT ended_at FROM attempt WHERE id = NEW.attempt_id),
            NEW.created_at
        ),
        CASE NEW.state WHEN 'queued' THEN 'retrying' ELSE NEW.state END,
        NEW.batch_id, NEW.id, NEW.attempt_id,
        NEW.error_kind, NEW.error
    );
END
"""
"""What ends a job, and what has it bought again. A failure that a manifest asks for again (the
transition ``revert``) is no news."""

ATTEMPT_EVENT = """
CREATE TRIGGER attempt_event AFTER UPDATE OF state ON attempt
WHEN NEW.state IN ('accepted', 'in_doubt', 'void') AND OLD.state != NEW.state
    OR NEW.state = 'abandoned' AND OLD.state = 'void'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(
            CASE NEW.state WHEN 'accepted' THEN NEW.accepted_at
                WHEN 'in_doubt' THEN NEW.doubt_since ELSE NEW.ended_at END,
            NEW.intent_at
        ),
        CASE NEW.state WHEN 'in_doubt' THEN 'unconfirmed' WHEN 'void' THEN 'never_made'
            WHEN 'abandoned' THEN 'paid_twice'
            ELSE CASE OLD.state WHEN 'open' THEN 'accepted' ELSE 'found' END END,
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END
"""
ATTEMPT_FOUND = """
CREATE TRIGGER attempt_found AFTER INSERT ON attempt WHEN NEW.state = 'accepted'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(NEW.accepted_at, NEW.intent_at), 'found',
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END
"""

ON_JOBS: Final = (JOB_MOVED, JOB_GONE, JOB_EVENT)
ON_ATTEMPTS: Final = (ATTEMPT_EVENT, ATTEMPT_FOUND)
