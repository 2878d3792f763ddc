-- Times are microseconds since 1970 in UTC, ids are text, JSON is text.

-- One row. Whoever appends or judges locks it first, so nothing commits behind a reader's back.
create table head (
    id integer primary key check (id = 1),
    next bigint not null,          -- the position the next record gets
    clock bigint not null,         -- logged_at of the newest record
    applied bigint not null,       -- position of the last record the judge has applied
    epoch bigint not null,         -- the judge in office; an older one is refused
    lease_until bigint not null,   -- until when it is in office, where replicas share the database
    last_alert bigint not null     -- position of the newest record with an alert; 0: none yet
);
insert into head (id, next, clock, applied, epoch, lease_until, last_alert) values (1, 1, 0, 0, 0, 0, 0);

-- Arrivals. No index on event ids: a random unique index costs two to four times the append, and the engine knows repeats.
create table log (
    position integer primary key,
    logged_at bigint not null,
    source text not null,
    events text not null
);
create index log_source on log (source, position);

-- Arrivals as they came, apart from the log so that reading the log stays quick and bodies can be dropped sooner.
create table raw (
    position integer primary key,
    body blob not null
);

create table quarantine (
    position integer primary key,
    logged_at bigint not null,
    source text not null,
    fault text not null
);

create table source_stat (
    source text primary key,
    records bigint not null,
    events bigint not null,
    faults bigint not null,
    last_position bigint not null,
    last_at bigint not null
);

create table sight (
    subject text primary key,
    last_seen bigint not null,
    lease_end bigint
);

create table incident (
    id text primary key,
    revision bigint not null,
    phase text not null,
    phase_since bigint not null,
    standing text not null,
    opened_at bigint not null,     -- the earliest time known of it, by which lists are sorted
    updated_at bigint not null,
    state text not null
);
create index incident_opened_at on incident (opened_at);
create index incident_phase on incident (phase, phase_since);
create index incident_standing on incident (standing, opened_at);

create table alias (
    alias text primary key,
    incident text not null
);
create index alias_incident on alias (incident);

-- Events that belong to no incident yet and may still come to.
create table loose (
    event_id text primary key,
    occurred_at bigint not null,
    event text not null
);

create table ledger (
    incident text primary key,
    closed_at bigint not null,
    decision text not null,
    standing text not null,
    entry text not null,           -- as it stood at closing
    amended_at bigint,
    amended text                   -- as it stands since, when that differs
);
create index ledger_closed_at on ledger (closed_at);

create table postmortem (
    id text primary key,
    incident text not null unique,
    status text not null,
    opened_at bigint not null,
    state text not null
);
create index postmortem_opened_at on postmortem (opened_at);

create table meeting (
    id text primary key,
    sequence bigint not null,
    starts_at bigint not null,
    state text not null
);

create table delivery (
    sequence integer primary key autoincrement,
    key text not null unique,
    destination text not null,
    action text not null,
    state text not null check (state in ('pending', 'delivered', 'refused')),
    attempts bigint not null,
    next_at bigint not null,
    error text,
    created_at bigint not null,
    done_at bigint
);
create index delivery_state on delivery (state, destination, sequence);
