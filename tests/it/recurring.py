"""The shifts of calendars, by recurring-ical-events. Reads feeds as JSON lines, writes the names on
call at each of their instants, a JSON list a line."""

import datetime as dt
import json
import sys
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

UTC = dt.timezone.utc
HOUSE = ZoneInfo("Europe/Berlin")


def instant(value):
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    return (value if value.tzinfo else value.replace(tzinfo=HOUSE)).astimezone(UTC)


with open(sys.argv[1]) as feeds, open(sys.argv[2], "w") as answers:
    for line in feeds:
        feed = json.loads(line)
        instants = [dt.datetime.fromisoformat(at) for at in feed["instants"]]
        margin = dt.timedelta(days=40)
        calendar = icalendar.Calendar.from_ical(feed["ics"])
        query = recurring_ical_events.of(calendar)
        found = query.between(min(instants) - margin, max(instants) + margin)
        shifts = [
            (instant(event["DTSTART"].dt), instant(event["DTEND"].dt), str(event["SUMMARY"]))
            for event in found
        ]
        names = [
            sorted({name for start, end, name in shifts if start <= at < end}) for at in instants
        ]
        answers.write(json.dumps(names) + "\n")
