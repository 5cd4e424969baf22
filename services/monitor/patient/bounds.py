"""How much is kept of one patient, and for how long: by the patient's clock, and each with its reason.

None of these is a clinical limit. They bound memory, and are wide enough for what rules look back at.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

LAST = datetime.max.replace(tzinfo=UTC)

KEEP_ENDED_ORDERS = timedelta(days=400)
"""How long an order or supply is kept after it ended or was entered in error: a year's look-back and room for late facts."""
MAX_ORDERS = 1000
"""Orders kept of one patient, and as many supplies; those go first that are over, then those that nothing was heard of for
longest."""
MAX_VERSIONS = 30
"""Versions kept of one order; the oldest are then told as one."""
ONCE_COUNTS = timedelta(days=1)
"""How long a single dose counts after it was due or given. No pharmacology: the time in which a late feed and a person who
is to see its alert still meet it."""
INFUSION_COUNTS = timedelta(days=2)
"""How long an infusion with no end counts as running when nothing more is heard of it: bags are changed daily, so a second
day of silence means that the stop was not told."""
ASSUMED_SUPPLY = timedelta(days=30)
"""How long a supply lasts that says neither days nor amount and dose: a month's supply is the usual one (unverified). What
rests on it says so (``basis``)."""
LONGEST_SUPPLY = timedelta(days=400)
"""A longer supply is a slip of the keyboard; a year's supply of a contraceptive is the longest that is handed out."""

MAX_TEXT = 300
"""Characters kept of a text as received; a longer one is a report, which its source keeps."""

MAX_DOSES = 4
"""Doses kept of one medicine, the newest: the last one, and some to fall back on when it was entered in error."""
MAX_DOSES_OF_A_DAY = 12
"""Doses kept of one medicine in the day before its newest, for what may be given in 24 hours: one every two hours. Infusions are
told by their rate, and the newest say it."""
MAX_DOSED = 300
"""Doses kept of all medicines together; more than a month of 40 medicines has last doses."""
KEEP_DOSES = timedelta(days=60)
"""How long a dose is kept: beyond the longest washout on a label (fluoxetine before an MAO inhibitor: five weeks)."""

MAX_MEASURES = 12
"""Bedside measurements kept of one kind, the newest."""
MAX_ENTRIES = 400
"""Entries kept of a problem or allergy list; the longest of a thousand Synthea patients has 60."""
MAX_FORMER_IDS = 100
"""Ids that were merged into this one, kept to be shown; some sites merge every unknown patient into one record."""
MAX_STAYS = 20
"""Stays kept, the newest: the present one and those that a late event may name."""
MAX_OBLIGATIONS = 200
"""Obligations kept; those due first stay."""
MAX_OF_EACH_KIND = 4
"""Newest results kept of each kind that is no sure number (without one, with a comparator or implausible), beside those that
rules need. More than two machines at a bedside report for one time."""
MAX_VOID = 20
"""Newest results kept of an analyte that were cancelled or entered in error, so that an older version does not revive them when
a feed is delivered again: a laboratory cancels a run with all its results."""


class Need(Struct, frozen=True):
    """What a rule reads of an analyte: the ``newest`` results, and beside them those not older than ``within``, up to
    ``most``. Results that are no sure number are kept beside."""

    newest: int
    within: timedelta = timedelta(0)
    most: int = 60

    def joined(self, other: Need) -> Need:
        """What serves both."""
        return Need(max(self.newest, other.newest), max(self.within, other.within), max(self.most, other.most))


SHOWN = Need(newest=2)
"""Results kept of an analyte that no rule reads: for the picture, and for calculations such as kidney function, which
want the newest and the one before, to see whether it is steady."""
MAX_EPISODES = 50
"""Alerts that have ended and that a later one of the same problem points at; more problems than a patient has."""
