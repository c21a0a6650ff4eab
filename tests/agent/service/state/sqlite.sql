CREATE TABLE access_attempts (
    id VARCHAR(64) NOT NULL,
    browser VARCHAR(64) NOT NULL,
    iss VARCHAR(400) NOT NULL,
    sealed BLOB NOT NULL,
    ends FLOAT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE access_sessions (
    id VARCHAR(64) NOT NULL,
    via VARCHAR(10) NOT NULL,
    caller VARCHAR(80) NOT NULL,
    name VARCHAR(300) NOT NULL,
    patient VARCHAR(64),
    credential VARCHAR(400) NOT NULL,
    sealed BLOB,
    version INTEGER NOT NULL,
    renewing FLOAT NOT NULL,
    seen FLOAT NOT NULL,
    ends FLOAT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE cds_answers (
    grant VARCHAR NOT NULL,
    patient VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    as_of DATE NOT NULL,
    answer TEXT NOT NULL,
    answered DATETIME NOT NULL,
    PRIMARY KEY (grant, patient, question)
);

CREATE INDEX ix_cds_answers_answered ON cds_answers (answered);

CREATE TABLE cds_rounds (
    grant VARCHAR NOT NULL,
    due FLOAT NOT NULL,
    holder VARCHAR(32) NOT NULL,
    PRIMARY KEY (grant)
);

CREATE TABLE cds_shown (
    uuid VARCHAR NOT NULL,
    card VARCHAR NOT NULL,
    service VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    sent DATETIME NOT NULL,
    PRIMARY KEY (uuid)
);

CREATE INDEX ix_cds_shown_card ON cds_shown (card);

CREATE TABLE cds_tokens (
    issuer VARCHAR NOT NULL,
    jti VARCHAR NOT NULL,
    until DATETIME NOT NULL,
    PRIMARY KEY (issuer, jti)
);

CREATE INDEX ix_cds_tokens_until ON cds_tokens (until);

CREATE TABLE holders (
    id VARCHAR(32) NOT NULL,
    lease FLOAT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE jobs (
    id VARCHAR(32) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    patient VARCHAR(64),
    caller JSON NOT NULL,
    kind VARCHAR(64) NOT NULL,
    input JSON NOT NULL,
    idempotency_key VARCHAR(255),
    digest VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    holder VARCHAR(32) NOT NULL,
    tries INTEGER NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER,
    error JSON,
    created FLOAT NOT NULL,
    updated FLOAT NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX jobs_by_key ON jobs (owner, idempotency_key);

CREATE INDEX jobs_by_owner ON jobs (owner, created);

CREATE INDEX jobs_open ON jobs (created) WHERE state IN ('waiting', 'working');

CREATE TABLE kept_summary (
    id VARCHAR(32) NOT NULL,
    caller VARCHAR(255) NOT NULL,
    patient VARCHAR(80) NOT NULL,
    until FLOAT NOT NULL,
    "transaction" JSON NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX ix_kept_summary_until ON kept_summary (until);

CREATE TABLE threads (
    id VARCHAR(32) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    patient VARCHAR(64) NOT NULL,
    as_of DATE,
    title TEXT NOT NULL,
    created FLOAT NOT NULL,
    updated FLOAT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX threads_by_owner ON threads (owner, updated);

CREATE TABLE cds_feedback (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    suggestions TEXT NOT NULL,
    reason VARCHAR,
    reason_system VARCHAR,
    comment TEXT,
    done DATETIME NOT NULL,
    received DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(uuid) REFERENCES cds_shown (uuid)
);

CREATE INDEX ix_cds_feedback_uuid ON cds_feedback (uuid);

CREATE TABLE job_units (
    job VARCHAR(32) NOT NULL,
    number INTEGER NOT NULL,
    unit TEXT NOT NULL,
    result TEXT,
    PRIMARY KEY (job, number),
    FOREIGN KEY(job) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE runs (
    id VARCHAR(32) NOT NULL,
    thread VARCHAR(32),
    owner VARCHAR(255) NOT NULL,
    caller JSON NOT NULL,
    patient VARCHAR(64) NOT NULL,
    question TEXT NOT NULL,
    as_of DATE NOT NULL,
    idempotency_key VARCHAR(255),
    digest VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    holder VARCHAR(32) NOT NULL,
    tries INTEGER NOT NULL,
    asked FLOAT NOT NULL,
    ended FLOAT,
    answer TEXT,
    error JSON,
    PRIMARY KEY (id),
    FOREIGN KEY(thread) REFERENCES threads (id) ON DELETE CASCADE
);

CREATE INDEX runs_at_work ON runs (holder) WHERE state = 'working';

CREATE UNIQUE INDEX runs_by_key ON runs (owner, idempotency_key);

CREATE INDEX runs_by_thread ON runs (thread, asked);

CREATE UNIQUE INDEX runs_one_in_a_thread ON runs (thread) WHERE state = 'working';
