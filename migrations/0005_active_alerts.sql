-- Alerts that fire, a row each; removed when the alert ends or its lease runs out.
alter table sight rename to active_alert;

-- Rows used to stay for ever. A lease that ran out an hour before the newest record has been recorded as ended or lapsed.
-- Leases without an end are sorted out by the service when it starts.
delete from active_alert where lease_end < (select clock from head where id = 1) - 3600000000;
