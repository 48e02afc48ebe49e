"""Numbers that are our choice where the documents give only words; each is named once, here.

Times are in seconds. A documented number stands with its indicator as a documented mark. A user chooses otherwise in a
file of her own, which the environment's ``RAPPORT_SETTINGS`` (or ``rapport --settings``) names (``chosen_settings``).
"""

from __future__ import annotations

import os
from pathlib import Path

from features.chosen_settings import chosen
from features.histories.log import DAY

WINDOWS: dict[str, int] = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 1 << 39}
"""Every windowed indicator exists over these spans ``(t - w, t]``; "all" is longer than any history."""

MINIMUM_OBSERVATIONS = 5
"""Least number of observations behind a share, mean or median."""

MINIMUM_OBSERVED_DAYS = 90
"""Least number of observed days behind a rate."""

CONVERSATION_AFTER_CLIENT = 14 * DAY
"""A conversation stays open this long after the client's last touch."""

CONVERSATION_AFTER_US = 30 * DAY
"""A conversation stays open this long after our last touch."""

REPLY_WITHIN = 30 * DAY
"""A touch counts as a reply up to this long after the touch it answers."""

PROMPTED_WITHIN = 14 * DAY
"""A touch of the client is prompted if we touched that contact this long before at most, unless the record says."""

STRONG_WITHIN = 1 * DAY
"""A reply within a day is strong (documented)."""

WEAK_WITHIN = 7 * DAY
"""A reply after more than a day and within a week is weak (documented)."""

FLAGGED_AFTER = 10 * DAY
"""A reply after this long means it had been flagged: strong (documented), unless we nudged."""

TERSE_BELOW = 0.5
RAMBLING_ABOVE = 2.0
"""A reply with less than half, or more than twice, the words of what it answers does not mirror it."""

SALES_AFTER_CLOSE = 60 * DAY
"""A sales phase lasts this long after a deal closes."""

SALES_BEFORE_END = 60 * DAY
"""A sales phase begins this long before a known contract end."""

OUR_CONDUCT_PER_CLIENT_TOUCH = 2
"""Counts of our own conduct count at most this many for each touch of the client in the window."""

WELL_RATED = 7
"""A delivery rated this or more is a good one."""

GAP_FLOOR = 1 * DAY
"""The least usual gap that silence is compared with, so that a burst of mails does not make an afternoon look long."""

ZERO_IS_A_FACT_AFTER = 365 * DAY
"""None of a recorded kind seen counts as zero once an account was observed this long; before that it is unknown."""

# The signals of a deep relationship (D)

REMEMBERED_AFTER = 60 * DAY
"""A request for help after so long without a touch of the client shows that we were remembered."""

ADVICE_DECIDED_AFTER = 90 * DAY
"""A recommendation that was not acted upon within this time counts as not taken, until it is acted upon after all."""

THANKED_WITHIN = 14 * DAY
"""We owe thanks for a referral within this time."""

FORGIVEN_OVER = 90 * DAY
FORGIVEN_AT = 0.8
"""A mistake is forgiven if the client's touches over this time after it reach this share of those as long before."""

COMPLEX_FROM = 4
"""A brief of this level or more is complex."""

FEEDBACK_WITHIN = 30 * DAY
"""Feedback on a delivery, or on our asking for it, counts if it comes within this time."""

LAST_MINUTE = 1 * DAY
"""A cancellation this short before the start, or later, came at the last minute."""

# Openness, advocacy and reach (G4 to G7), and each contact's own baseline (G1b, G1c)

SENIOR_FROM = 4
"""A contact of this seniority or more is senior: directors and executives."""

QUARTER = 365 * DAY // 4
CONTINUING_QUARTERS = 8
"""Endorsements go on where they fall into several of this many quarters (of a year of 365 days) before t."""

BASELINE_REPLIES = 5
"""So many earlier replies of a contact show what is usual for that person."""

DELAY_FLOOR = DAY // 24
"""Against what is usual, quicker answers than this all count as taking this long: seconds and minutes are no signal."""

WORKDAY_BEGINS = 9 * DAY // 24
WORKDAY_ENDS = 17 * DAY // 24
WORKDAYS = 5
"""A contact works between these times of its own day, on this many days of the week from Monday on."""

# Our conduct over the life of the relationship (L1 to L6, W1c to W4) and what makes it last (P1 to P3)

NEGLECT_HALF_LIFE = 60 * DAY
"""A small failure of ours weighs half as much after this long."""

LATE_ANSWER_AFTER = 3 * DAY
"""An answer of ours that takes longer than this (long enough for a weekend) is late, a small failure."""

STAGNATION_AFTER = 180 * DAY
"""No review meeting held for this long, and none ahead, is stagnation."""

ATTENTION_OVER = 90 * DAY
"""Our touches of this long after a win are set against those of as long before."""

COLD_AFTER_WIN = 90 * DAY
"""The relationship is still cold this long after the first win."""

FOLLOWED_UP_WITHIN = 7 * DAY
"""A held meeting is followed up if we send an article or research within this time."""

SERVICE_MONTHS = 12
"""The evenness of our service is that of so many months, each a twelfth of a year of 365 days."""

FAST_ENOUGH = DAY // 24
"""Against other months, quicker answers than this all count as taking this long."""

PROMPT_WITHIN = 1 * DAY
"""An answer of ours within this time is prompt."""

SLIP_RECENT = 90 * DAY
SLIP_BEFORE = 365 * DAY
"""Our service over the recent time is set against that over the time before it."""

RESENTMENT_WITHIN = 180 * DAY
"""Feedback this long after a signature tells whether the client resents what it signed."""

POORLY_RATED = 4
"""Feedback with this rating or less is bad."""

MINIMUM_DEALS = 2
"""Least number of won deals, or of agreements that cost one side something, behind a share of them: they are few."""

# The portfolio as a whole (W5, P4)

ENOUGH_ACCOUNTS = 10
"""Least number of accounts with revenue before an account is compared with the portfolio."""

MINUTES_OF_A_MESSAGE = 5
"""What a message of ours counts as effort."""

UNHURRIED_FROM = 0.5
"""A deal that closes in less than this part of the usual time was closed in haste."""

VITAL_SHARE = 0.8
"""The vital few are those that together bring this share of the income (documented: a fifth brings it)."""

MARKS: dict[str, float | tuple[float, float]] = {
    "G1b.strong_over_weak": 0.0,
    "G1c.mirrored_replies": 0.5,
    "G2a.commitments_kept_rate": 0.75,
    "G2b.show_up_rate": 0.9,
    "G2c.words_without_action": 0.2,
    "G3a.channel_breadth": 3,
    "G4a.personal_share": 0.0,
    "G4d.disclosure_led_by_client": 0.5,
    "G5a.references_given": 1,
    "G5b.proactive_referrals": 1,
    "G6a.introductions_upward": 1,
    "G6b.active_contacts": 3,
    "G6c.isolation": 0.7,
    "G7.unprompted_endorsements": 1,
    "G7.continuing": 2,
    "D1a.help_requests": 2,
    "D2.advice_taken_rate": 0.5,
    "D3a.referrals": 1,
    "D3b.referrals_thanked_rate": 1.0,
    "D4.fee_friction": 0.1,
    "D5a.forgiveness": 0.8,
    "D5b.repeat_mistakes": 0.2,
    "D6a.complex_work_share": 0.3,
    "D6b.exposure_to_seniors": 0.2,
    "D7.early_involvement": 0.3,
    "D8a.respect": 0.6,
    "D8b.supplier_talk": 0.02,
    "D8c.minutes_late": 5,
    "D8c.late_share": 0.2,
    "D8d.last_minute_cancellations": 0.05,
    "D8e.feedback_given_rate": 0.5,
    "D8f.silence_ratio": 3,
    "L2.stagnation": 0,
    "L6.attention_after_sale": 1,
    "W1a.our_response_time": 24,
    "W1a.our_response_rate": 0.95,
    "W1b.our_reliability": 0.9,
    "W1c.immaculate_contacts": 0.95,
    "W2a.value_added_touches": 4,
    "W2b.personal_details_remembered": 2,
    "W3b.service_slip": 0,
    "W5.evenness": 0,
    "P1a.shared_interests": 1,
    "P1b.client_share_of_touches": (0.35, 0.65),
    "P1b.client_share_of_words": (0.35, 0.65),
    "P1c.face_to_face_share": 0.5,
    "P1c.body_language": 0,
    "P2a.our_share_of_concessions": (0.3, 0.7),
    "P2b.resentment": 0.1,
    "P3a.contact_outside_sales": 1,
    "P3b.small_gestures": 6,
    "P3c.ambassadors": 1,
    "P3c.attention_in_sales": 0.75,
    "P4b.effort_alignment": (0.5, 2.0),
}
"""The marks that are our own choice, by signal and figure; a pair is the band between."""

# The scorecards and warmth, and what our own conduct needs to count

LONGER_WINDOW = ("730d", 730 * DAY)
"""The steps 5 to 7 of the gauntlet are judged over this window: who vouches for us does so once in a while."""

HASTY_WITHIN = 7 * DAY
"""Selling sooner than this after the first touch is haste."""

TWO_THIRDS = (2, 3)
"""The whole of a scorecard holds when this part of the known weight, or of the known marks, does: whole numbers."""

DEPTH_WEIGHTS: dict[str, int] = {"D1": 1, "D2": 2, "D3": 1, "D4": 2, "D5": 1, "D6": 1, "D7": 2, "D8": 1}
"""What each signal of depth weighs: taking advice more than asking for it; D4 and D7 are sure signs (documented)."""

DEPTH_SIGNALS_NEEDED = 4
"""So many of the eight signals must be known before the whole is called deep or shallow."""

WARMTH_WEIGHTS: dict[str, int] = {
    "W1a": 10,
    "W1b": 12,
    "W1c": 4,
    "W2a": 6,
    "W2b": 4,
    "W3b": 7,
    "W4": 7,
    "G1a": 6,
    "G1b": 4,
    "G1c": 3,
    "G1d": 5,
    "G4a": 4,
    "G4d": 4,
    "D1a": 8,
    "D8a": 4,
    "D8b": 2,
    "D8c": 2,
    "D8d": 2,
    "D8e": 4,
    "D8f": 2,
}
"""What each component of warmth weighs: our own conduct one half, the client's the other."""

WARMTH_COMPONENTS_NEEDED = 6
"""Warmth is unknown below so many known components."""

WARMTH_BAND = (55, 85)
"""The happy medium: clients need not become friends."""

VARIABLE = "RAPPORT_SETTINGS"
if os.environ.get(VARIABLE):
    globals().update(chosen(Path(os.environ[VARIABLE]), globals()))
