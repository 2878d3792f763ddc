#!/usr/bin/env python3
"""Turns public incident histories into lines of normalised events, which `afterword backtest --events` reads.

    convert.py github  parsed/incidents.jsonl      > github.jsonl     of mrshu/github-statuses
    convert.py gcp     app/public/incidents.json   > gcp.jsonl        of moritalous/cloud-status-history
    convert.py jenkins content/issues              > jenkins.jsonl    of jenkins-infra/status

Only facts are copied: when, how bad, which component, and an id. An incident without a valid end after its beginning is left out and
reported; no time is made up.
"""

import datetime
import json
import pathlib
import re
import sys

SEVERITY = {
    "github": {"critical": "critical", "major": "critical", "minor": "warning", "none": "info", "maintenance": "info"},
    "gcp": {"high": "critical", "medium": "warning", "low": "info"},
    "jenkins": {"down": "critical", "disrupted": "warning", "notice": "info"},
}
# Jenkins marks planned maintenance only in its titles.
PLANNED = re.compile(r"maintenance|upgrade|migrat|planned|scheduled|advisory|advisories", re.IGNORECASE)


def github(path):
    for line in pathlib.Path(path).read_text().splitlines():
        row = json.loads(line)
        service = (row.get("components") or ["GitHub"])[0]
        yield row["id"], service, row["impact"], row["downtime_start"] or row["started_at"], row["downtime_end"] or row["resolved_at"], row["impact"] == "maintenance", False


def gcp(path):
    for row in json.loads(pathlib.Path(path).read_text()):
        reported = any("incident report" in update["text"].lower() for update in row["updates"])
        yield row["number"], row["service_name"], row["severity"], row["begin"], row.get("end"), False, reported


def jenkins(path):
    for file in sorted(pathlib.Path(path).glob("*.md")):
        head, _, body = file.read_text().removeprefix("---\n").partition("\n---")
        stated = dict(re.findall(r"^(\w+): *(.+)$", head, re.MULTILINE))
        affected = re.findall(r"^ +- +(.+)$", head, re.MULTILINE)
        planned = bool(PLANNED.search(stated["title"]))
        written = bool(re.search(r"timeline|root cause|post-?mortem", body, re.IGNORECASE)) and not planned
        yield file.stem, (affected or ["jenkins.io"])[0].strip(), stated.get("severity"), stated["date"], stated.get("resolvedWhen"), planned, written


def instant(text):
    """The time in UTC, or None if it is not a valid time."""
    text = re.sub(r"-00:00$", "+00:00", text.strip().strip("'\"").replace("Z", "+00:00"))
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=at.tzinfo or datetime.timezone.utc)
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(kind, path):
    lines = []
    for number, service, impact, begin, end, planned, labelled in globals()[kind](path):
        event = {"kind": "declaration", "source": kind, "key": f"{kind}-{number}", "service": service, "planned": planned,
                 "title": f"{service}: {impact}, {number}{' (written up)' if labelled else ''}",
                 "severity": SEVERITY[kind].get(impact, "unknown")}
        began, ended = instant(begin), instant(end or "")
        if not began or not ended or ended <= began:
            print(f"{number}: left out, from {begin!r} to {end!r}", file=sys.stderr)
            continue
        lines.append((began, {**event, "status": "firing"}))
        lines.append((ended, {**event, "status": "resolved"}))
    for at, event in sorted(lines, key=lambda line: line[0]):
        print(json.dumps({"occurred_at": at, **event}, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(*sys.argv[1:])
