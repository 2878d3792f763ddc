-- A delivery that a process is at; when the time is past, another may take it.
alter table delivery add column claimed_until bigint not null default 0;

-- Members and signals of large incidents, so that one more alert does not write all of them again. Small ones keep theirs in incident.state.
create table part (
    incident text not null,
    kind text not null,            -- member or signal
    number bigint not null,        -- from 0
    hash bigint not null,          -- of what it holds: a part that is the same is not written
    state text not null,
    primary key (incident, kind, number)
);
alter table incident add column parts bigint not null default 0;

-- Up to when the judge has judged: the time of the last record or timer that it applied.
alter table head add column judged_at bigint not null default 0;
