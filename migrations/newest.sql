CREATE TABLE account (
	id INTEGER NOT NULL, 
	api_origin TEXT, 
	token_salt TEXT, 
	token_hash TEXT, 
	floor_micros BIGINT NOT NULL, 
	balance_micros BIGINT, 
	balance_at DATETIME, 
	time_zone TEXT NOT NULL, first_balance_micros BIGINT, first_balance_at DATETIME, first_charged_micros BIGINT, host TEXT, run_id TEXT, run_at DATETIME, quiet_balance_micros BIGINT, quiet_charged_micros BIGINT, quiet_at DATETIME, serving BOOLEAN DEFAULT 0 NOT NULL, quiet_theirs DATETIME, quiet_attempt INTEGER, quiet_mishaps INTEGER, agreed_micros BIGINT DEFAULT '0' NOT NULL, drift_micros BIGINT DEFAULT '0' NOT NULL, unsteady_at DATETIME, unsteady_ours DATETIME, exceeded BOOLEAN DEFAULT 0 NOT NULL, cut_off_micros BIGINT DEFAULT '0' NOT NULL, cut_off_attempt INTEGER, seal TEXT, stop_run TEXT, list_lags JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_account PRIMARY KEY (id), 
	CONSTRAINT ck_account_single CHECK (id = 1)
);
INSERT INTO "account" VALUES(1,NULL,NULL,NULL,0,NULL,NULL,'UTC',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0,0,NULL,NULL,0,0,NULL,NULL,NULL,'{}');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0017');
CREATE TABLE artifact (
	attempt_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	path TEXT, 
	bytes BIGINT, 
	sha256 TEXT, 
	tries INTEGER NOT NULL, 
	error TEXT, 
	fetched_at DATETIME, 
	CONSTRAINT pk_artifact PRIMARY KEY (attempt_id), 
	CONSTRAINT ck_artifact_there_is_whole CHECK (sha256 IS NULL OR (path IS NOT NULL AND bytes IS NOT NULL)), 
	CONSTRAINT fk_artifact_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempt (id), 
	CONSTRAINT fk_artifact_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE TABLE attempt (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	idempotency_key TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	hold_micros BIGINT NOT NULL, 
	day TEXT NOT NULL, 
	intent_at DATETIME NOT NULL, 
	send_before DATETIME NOT NULL, 
	doubt_since DATETIME, 
	generation_id TEXT, 
	price_micros BIGINT, 
	price_estimated BOOLEAN NOT NULL, 
	accepted_at DATETIME, 
	next_look_at DATETIME, 
	overdue_at DATETIME, 
	percent INTEGER, 
	queue_position INTEGER, 
	ended_at DATETIME, 
	error TEXT, fingerprint TEXT, prompt_key TEXT, created_at DATETIME, candidates JSON, refunded_micros BIGINT DEFAULT '0' NOT NULL, batch_id INTEGER, campaign TEXT, said_state TEXT, doubt_clock TEXT, unproven TEXT, video_url TEXT, void_on_word BOOLEAN DEFAULT 0 NOT NULL, cut_off BOOLEAN DEFAULT 0 NOT NULL, seen_charged BOOLEAN DEFAULT 0 NOT NULL, request_key TEXT, mark TEXT, announced_as TEXT, 
	CONSTRAINT pk_attempt PRIMARY KEY (id), 
	CONSTRAINT ck_attempt_state CHECK (state IN ('open', 'accepted', 'rejected', 'in_doubt', 'void', 'completed', 'failed', 'abandoned')), 
	CONSTRAINT ck_attempt_accepted_has_id_and_price CHECK (state NOT IN ('accepted', 'completed', 'failed', 'abandoned') OR (generation_id IS NOT NULL AND price_micros IS NOT NULL)), 
	CONSTRAINT ck_attempt_not_created_is_free CHECK (state NOT IN ('rejected', 'void') OR price_micros IS NULL), 
	CONSTRAINT ck_attempt_hold CHECK (hold_micros >= 0), 
	CONSTRAINT fk_attempt_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);
CREATE TABLE batch (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	source TEXT, 
	columns JSON NOT NULL, 
	active BOOLEAN NOT NULL, 
	paused BOOLEAN NOT NULL, 
	max_price_micros BIGINT, 
	waiting_for TEXT, 
	created_at DATETIME NOT NULL, refunds TEXT DEFAULT 'none' NOT NULL, removed_at DATETIME, reading JSON, archived_at DATETIME, 
	CONSTRAINT pk_batch PRIMARY KEY (id), 
	CONSTRAINT uq_batch_name UNIQUE (name)
);
CREATE TABLE budget (
	"key" TEXT NOT NULL, 
	cap_micros BIGINT, 
	charged_micros BIGINT NOT NULL, 
	held_micros BIGINT NOT NULL, 
	refunded_micros BIGINT NOT NULL, 
	CONSTRAINT pk_budget PRIMARY KEY ("key"), 
	CONSTRAINT ck_budget_charged CHECK (charged_micros >= 0), 
	CONSTRAINT ck_budget_held CHECK (held_micros >= 0), 
	CONSTRAINT ck_budget_refunded CHECK (refunded_micros >= 0)
);
INSERT INTO "budget" VALUES('account',NULL,0,0,0);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind TEXT NOT NULL, 
	batch_id INTEGER, 
	job_id INTEGER, 
	attempt_id INTEGER, 
	reason TEXT, 
	message TEXT, 
	CONSTRAINT pk_event PRIMARY KEY (id)
);
CREATE TABLE "job" (
    id INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    key_from_content BOOLEAN NOT NULL,
    "row" INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    manifest_fingerprint TEXT,
    kind TEXT NOT NULL,
    prompt TEXT NOT NULL,
    orientation TEXT NOT NULL,
    duration INTEGER,
    image JSON,
    callback_url TEXT,
    campaign TEXT,
    priority INTEGER NOT NULL,
    in_manifest BOOLEAN NOT NULL,
    cells JSON NOT NULL,
    state TEXT NOT NULL,
    attempt_id INTEGER,
    attempts INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    due_at DATETIME,
    held_back TEXT,
    held_back_by TEXT,
    held_beneath TEXT,
    overruled_at DATETIME,
    handed BOOLEAN DEFAULT 0 NOT NULL,
    charged_micros BIGINT NOT NULL,
    video_url TEXT,
    error_kind TEXT,
    error TEXT,
    created_at DATETIME NOT NULL,
    submitted_at DATETIME,
    completed_at DATETIME,
    filed_attempt_id INTEGER,
    named BOOLEAN DEFAULT 0 NOT NULL,
    parameters JSON DEFAULT '{}' NOT NULL,
    images JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_job PRIMARY KEY (id),
    CONSTRAINT uq_job_batch_id_key UNIQUE (batch_id, "key"),
    CONSTRAINT ck_job_state CHECK (state IN ('queued', 'submitting', 'in_doubt', 'pending',
        'processing', 'completed', 'failed', 'cancelled')),
    CONSTRAINT ck_job_error_kind CHECK (error_kind IS NULL OR error_kind IN ('validation', 'image',
        'content', 'system', 'timeout', 'overdue', 'unknown', 'no-file')),
    CONSTRAINT ck_job_failed_has_kind CHECK (state != 'failed' OR error_kind IS NOT NULL),
    CONSTRAINT ck_job_completed_has_url CHECK (state != 'completed' OR video_url IS NOT NULL),
    CONSTRAINT ck_job_held_back CHECK (held_back IS NULL OR held_back IN ('unasked', 'left_out',
        'exists', 'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT ck_job_held_beneath CHECK (held_beneath IS NULL OR held_back IN ('exists',
        'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT fk_job_batch_id FOREIGN KEY(batch_id) REFERENCES batch (id)
);
CREATE TABLE "price" (
    kind TEXT NOT NULL,
    last_micros BIGINT NOT NULL,
    highest_micros BIGINT NOT NULL,
    source TEXT NOT NULL,
    seen_at DATETIME NOT NULL,
    odd_micros BIGINT,
    odd_at DATETIME,
    CONSTRAINT pk_price PRIMARY KEY (kind),
    CONSTRAINT ck_price_source CHECK (source IN ('configured', 'learned', 'set'))
);
CREATE TABLE review (
	attempt_id INTEGER NOT NULL, 
	verdict TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_review PRIMARY KEY (attempt_id), 
	CONSTRAINT fk_review_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempt (id), 
	CONSTRAINT ck_review_verdict CHECK (verdict IN ('favourite', 'rejected'))
);
CREATE TABLE tally (
	batch_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	error_kind TEXT NOT NULL, 
	jobs INTEGER NOT NULL, 
	CONSTRAINT pk_tally PRIMARY KEY (batch_id, state, error_kind)
)
 WITHOUT ROWID

;
CREATE INDEX ix_attempt_job_id ON attempt (job_id);
CREATE INDEX ix_attempt_look ON attempt (next_look_at) WHERE state = 'accepted';
CREATE UNIQUE INDEX uq_attempt_generation_id ON attempt (generation_id);
CREATE UNIQUE INDEX uq_attempt_live ON attempt (job_id) WHERE state IN ('open', 'in_doubt', 'accepted');
CREATE INDEX ix_artifact_job_id ON artifact (job_id);
CREATE INDEX ix_attempt_unsettled ON attempt (prompt_key) WHERE state IN ('open', 'in_doubt');
CREATE INDEX ix_attempt_void ON attempt (ended_at) WHERE state = 'void';
CREATE INDEX ix_attempt_failed ON attempt (ended_at) WHERE state = 'failed';
CREATE INDEX ix_attempt_given_up ON attempt (accepted_at) WHERE state = 'abandoned';
CREATE INDEX ix_attempt_estimated ON attempt (accepted_at) WHERE price_estimated;
CREATE INDEX ix_attempt_request_key ON attempt (request_key) WHERE generation_id IS NOT NULL;
CREATE INDEX ix_event_notable ON event (batch_id, id) WHERE kind NOT IN ('accepted', 'completed');
CREATE INDEX ix_job_queue ON job (batch_id, retries, priority DESC, id, in_manifest, "row", due_at) WHERE state = 'queued' AND held_back IS NULL
;
CREATE INDEX ix_job_later ON job (batch_id, due_at) WHERE state = 'queued' AND due_at IS NOT NULL
;
CREATE INDEX ix_job_batch_state ON job (batch_id, state)
;
CREATE INDEX ix_job_unfiled ON job (batch_id) WHERE state = 'completed' AND filed_attempt_id IS NOT attempt_id
;
CREATE INDEX ix_job_completed ON job (batch_id, completed_at) WHERE completed_at IS NOT NULL
;
CREATE INDEX ix_job_handed ON job (state, batch_id) WHERE handed
;
CREATE INDEX ix_job_held_back ON job (batch_id, held_back) WHERE held_back IS NOT NULL
;
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
END;
CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
END;
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
END;
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
END;
CREATE TRIGGER attempt_found AFTER INSERT ON attempt WHEN NEW.state = 'accepted'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(NEW.accepted_at, NEW.intent_at), 'found',
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END;
