"""Ours against theirs: which jobs the platform lacks, which we do not know, and which are told differently. Pure."""

from typing import NamedTuple

from .client import value_at
from .reports import known_of, rendered


class Difference(NamedTuple):
    """One field of one job told differently; both as the platform writes it."""

    job: str
    field: str
    ours: object
    theirs: object


class Compared(NamedTuple):
    """What the record query showed. missing_there: jobs that were accepted and are not in their records; missing_here: theirs
    that we know nothing of; different: Differences."""

    missing_there: tuple
    missing_here: tuple
    different: tuple


def compare(jobs, rows, identities, mapping):
    """Compare our jobs that the platform accepted (by id) with the rows of its record query. Only fields that both have and the
    mapping names under [queries.records.fields] are compared, in the platform's form."""
    query = mapping.queries.records
    theirs = {}
    for row in rows:
        theirs.setdefault(str(value_at(row, query.job)), []).append(row)
    different = []
    for job_id in sorted(set(jobs) & set(theirs)):
        known = rendered(query.fields, known_of(jobs[job_id], identities))
        for field, ours in known.items():
            different += [Difference(job_id, field, ours, told) for told in _others(ours, field, theirs[job_id])]
    return Compared(
        tuple(sorted(set(jobs) - set(theirs))), tuple(sorted(set(theirs) - set(jobs))), tuple(different)
    )


def _others(ours, field, rows):
    told = [value_at(row, field) for row in rows]
    return sorted({str(one) for one in told if one is not None} - {str(ours)})
