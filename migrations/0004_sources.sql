-- What stood beside a body and matters for reading it, as JSON: [[name, value], …]. Never credentials or signatures.
alter table raw add column headers text not null default '[]';
-- When it came, by which it is read again; null: as it was logged.
alter table raw add column came_at bigint;

-- What became of a record in quarantine.
alter table quarantine add column state text not null default 'open';   -- open, mended, dismissed
alter table quarantine add column passed bigint not null default 0;      -- 1: it was read, and the engine could not take it
alter table quarantine add column tried_at bigint;                       -- when it was last read again, or dismissed
alter table quarantine add column mended_by bigint;                      -- the position of the record with what was read then
create index quarantine_source on quarantine (source, state, position);

-- When each source was heard. Whoever receives adds to it now and then; the later instant stands.
create table source_seen (
    source text primary key,
    last_message bigint,
    last_event bigint,
    last_refused bigint,
    last_limited bigint
);
insert into source_seen (source, last_message, last_event)
    select source, last_at, case when events > 0 then last_at end from source_stat;

-- What came from each source in each hour. Whoever receives adds to it.
create table source_hour (
    source text not null,
    hour bigint not null,          -- its beginning
    messages bigint not null,
    events bigint not null,
    refused bigint not null,
    limited bigint not null,
    first_message bigint,
    longest bigint not null,       -- the longest silence that a message of this hour ended, in microseconds
    primary key (source, hour)
);
