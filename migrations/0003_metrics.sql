-- What is remembered of each condition between its evaluations.
create table watch (
    condition text primary key,
    state text not null
);

-- How far what a Prometheus remembers of its alerts has been read, and what is known of those that are on.
create table recall (
    metrics text primary key,
    state text not null
);

-- Samples that conditions ask for, a row for each page scraped or message pushed, numbered as they came.
create table sample (
    position integer primary key,
    metrics text not null,         -- the entry of the settings they are from
    came_at bigint not null,       -- by our clock
    samples text not null
);
create index sample_metrics on sample (metrics, position);
create index sample_came_at on sample (came_at);
-- One row. Whoever adds samples locks it first, so that none commits behind a reader's back.
create table sample_head (
    id integer primary key check (id = 1),
    next bigint not null           -- the position the next row gets
);
insert into sample_head (id, next) values (1, 1);

-- Conditions of incidents as they were drawn last.
create table plot (
    incident text not null,
    condition text not null,
    drawn_at bigint not null,
    state text not null,
    svg text not null,
    hash text not null,            -- of the svg: whether it was drawn alike is known without reading it
    primary key (incident, condition)
);

-- 1: a condition is among its signals, so that there is something to draw.
alter table incident add column measured bigint not null default 0;
create index incident_measured on incident (updated_at) where measured = 1;
