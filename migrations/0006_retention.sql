-- One row: the log is whole for records logged from this instant on; 0: from the first. Older records were removed, but for those
-- that decisions still rest on.
create table log_start (
    id integer primary key check (id = 1),
    at bigint not null
);
insert into log_start (id, at) values (1, 0);
