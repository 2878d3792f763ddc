-- The reference clock may be set back: `logged_at` then goes on in its order, and decisions are taken by the clock as it is.
alter table log add column clock_at bigint;                        -- the clock when the record was logged; null: as logged_at
alter table head add column clock_at bigint not null default 0;    -- all later records read the clock after this, until it is set back
update head set clock_at = clock;
