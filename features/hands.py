"""In whose hands each signal lies: who could bring it back to its mark, and by what.

The five documents address the supplier. What they tell it to do is in *our* hands; what the client does is the
*client's*, where we may ask or invite it to. All else is *nobody's*: what counts only unprompted (an asked-for
endorsement is none), what the client decides alone, what is past, and comparisons with other clients. Signals without
a mark (trends, the contract, tenure) have nothing to be brought back to and are not listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from features.indicators import Indicator

Who = Literal["us", "client", "nobody"]


@dataclass(frozen=True)
class Hands:
    """``who`` could bring a signal back to its mark: we; the client, if we ask or invite it; or nobody.

    ``words`` say to a director what to do, or why nobody can. ``figures`` names the figures of the signal for which
    this holds; empty: for all that have a mark.
    """

    who: Who
    words: str
    figures: tuple[str, ...] = ()


def _us(words: str) -> Hands:
    return Hands("us", words)


def _client(words: str, *figures: str) -> Hands:
    return Hands("client", words, figures)


def _nobody(words: str) -> Hands:
    return Hands("nobody", words)


HANDS: dict[str, Hands] = {
    # The gauntlet (000)
    "G1a": _client("Ask the client how and when it likes to be reached, and open with what matters to it."),
    "G1b": _client("Agree with the client by when each answer is needed."),
    "G1c": _us("Write to the client at the length at which it writes itself."),
    "G1d": _nobody("Only conversations that the client opens unprompted count."),
    "G2a": _client("Agree a date with the client for each of its promises, and remind it in good time."),
    "G2b": _client("Let the client choose the time of each meeting, and confirm it shortly before."),
    "G2c": _client("Turn the client's kind words into agreed steps with a date, and follow them up."),
    "G3a": _client("Invite the client to channels that it has not used yet: a call, a video meeting, a visit."),
    "G4a": _nobody("How much to tell of itself, and when, is the client's to decide."),
    "G4d": _us("Leave it to the client to begin with personal matters, and take them up when it does."),
    "G5a": _client("Ask the client for a reference or a testimonial."),
    "G5b": _nobody("Only referrals that nobody asked for count."),
    "G6a": _client("Ask a contact who values our work to introduce us to its superiors."),
    "G6b": _client("Ask who else of the client's people should take part, and invite them."),
    "G6c": _client("Speak with others at the client too, so that not all hangs on one contact."),
    "G7": _nobody("Only praise that nobody asked for counts."),
    # Depth (001)
    "D1a": _nobody("Only requests that the client makes unprompted count."),
    "D2": _client("Come back to each recommendation: ask what stands in its way, and help with the first step."),
    "D3a": _client("Ask the client who else could use what we do."),
    "D3b": _us("Thank the client for each referral as soon as it comes."),
    "D4": _client("Talk with the client about what our work is worth to it before the next quote or invoice."),
    "D5a": _client("After a mistake own up to it, put it right, and ask the client whether it is settled."),
    "D5b": _us("Find out why the same mistake came again, and remove the cause."),
    "D6a": _client("Offer the client our help with a hard or strategic task."),
    "D6b": _client("Offer the client to present our work to its superiors together."),
    "D7": _client("Ask the client to call us in while a task is still open, and offer to help shape it."),
    "D8a": _nobody("Respect cannot be asked for."),
    "D8b": _nobody("How the client speaks of us is its own."),
    "D8c": _client("Agree times and dates that the client can keep, and remind it of them."),
    "D8d": _client("Confirm meetings some days before, so that what does not suit is moved in time."),
    "D8e": _client("Ask the client what it thinks of each delivery."),
    "D8f": _client("Get in touch with something that is worth an answer to the client."),
    # The stages (002)
    "L2": _us("Set a date with the client to review the work and to plan ahead."),
    "L6": _us("Stay in touch after the client has signed as much as before."),
    # Warmth (003)
    "W1a": _us("Answer the client sooner, and leave nothing that it sends unanswered."),
    "W1b": _us("Keep what we promised the client, and deliver well and on time."),
    "W1c": _nobody("First impressions are made once, before the first contract and shortly after."),
    "W2a": _us("Send the client articles and research that fit its concerns, above all after meetings."),
    "W2b": _us("Come back to what the client's people have told us of themselves."),
    "W3b": _us("Bring our service back to what the client was used to."),
    "W4": _us("Prepare each meeting with research on the client's business and its latest news."),
    "W5": _nobody("It compares this client with all others; what we can change is how we serve this one."),
    # The pillars (004)
    "P1a": _client("Find out which interests we share with the client's people, and talk with them about these."),
    "P1b": _us("Keep the talking even: ask and listen where it is mostly we who talk, come forward where it is not."),
    "P1c": _client("Invite the client to meet in person or on video.", "face_to_face_share"),
    "P2a": _us("Seek terms in which both sides give way."),
    "P2b": _us("Ask the client soon after each signature how it goes, and put right what displeases it."),
    "P2c": _nobody("When the first offer came is past, and the time to close is held against other clients'."),
    "P3a": _us("Get in touch between sales too, with something that the client cares to answer."),
    "P3b": _us("Do the client small kindnesses all through the year."),
    "P3c": _client("Ask contacts who value us to speak for us to their management."),
    "P4b": _nobody("It compares this client with all others."),
}
"""By the id of the signal: every documented one that has a mark."""


def in_hands(indicators: Sequence[Indicator]) -> dict[str, list[int]]:
    """The signals that somebody could bring back to their mark, with the places of the figures for which that holds."""
    found: dict[str, list[int]] = {}
    for place, one in enumerate(indicators):
        hands = HANDS.get(one.signal.id)
        if one.mark is None or one.context or hands is None or hands.who == "nobody":
            continue
        if not hands.figures or one.name in hands.figures:
            found.setdefault(one.signal.id, []).append(place)
    return found
