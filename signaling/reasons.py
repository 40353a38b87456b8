"""Why a call leg or a transfer ended: one value for wire, store, log and screen.

Codes follow the ACS call-end tables; the message is for people. Pure.
"""

from typing import Literal

from msgspec import Struct

Category = Literal["Success", "ExpectedError", "UnexpectedClientError", "UnexpectedServerError"]
# Why a call was sent on, in the words of RFC 5806.
Diversion = Literal["unconditional", "no-answer", "unavailable", "user-busy", "deflection", "do-not-disturb"]


class Reason(Struct, frozen=True):
    """One reason: ACS code and sub code, a sentence for people, and how to count it."""

    code: int
    sub_code: int
    message: str = ""
    category: Category = "ExpectedError"


HUNG_UP = Reason(0, 0, "The call was hung up.", "Success")
REMOVED = Reason(0, 5300, "Another participant removed this one from the call.", "Success")
ENDED_FOR_ALL = Reason(0, 4097, "The call was ended for everyone.", "Success")
REPLACED = Reason(0, 7015, "The call was replaced by a transfer.", "Success")
CANCELLED = Reason(487, 0, "The caller gave up before anyone answered.", "Success")
ANSWERED_ELSEWHERE = Reason(487, 10003, "Another device answered.", "Success")
DECLINED_ELSEWHERE = Reason(603, 10024, "Another device declined.", "Success")
NO_ANSWER = Reason(487, 10004, "Nobody answered in time.")
DECLINED = Reason(603, 0, "The call was declined.")
BUSY = Reason(486, 8539, "The called person is busy.")
DO_NOT_DISTURB = Reason(486, 8539, "The called person does not want to be disturbed.")
GLARE = Reason(491, 0, "Both called each other; the call that came first goes on.", "Success")
OFFLINE = Reason(480, 10037, "The called person has no device online.")
NO_VOICEMAIL = Reason(480, 10078, "No voicemail service is online.")
NO_MIXER = Reason(503, 8541, "No mixer is online, so there can be no group call.")
NOT_PRESENT = Reason(404, 8558, "There is no such participant in the call.")
UNKNOWN_USER = Reason(404, 8522, "There is no such user.")
UNKNOWN_CALL = Reason(404, 8522, "There is no such call of yours.")
TARGET_CALL_GONE = Reason(404, 10202, "The call to transfer to is not there, has ended, or is not yours.")
TRANSFER_CONFLICT = Reason(409, 8607, "The call is already being transferred to another target.")
NETWORK = Reason(410, 3100, "The connection to the other end or to the hub was lost.")
NO_MEDIA = Reason(410, 301004, "No sound could be exchanged with the other end.", "UnexpectedClientError")
MEDIA_LOST = Reason(410, 301005, "The sound connection was lost.", "UnexpectedClientError")
INVALID_TOKEN = Reason(495, 4507, "The token is invalid, expired or revoked; get a new one.")
NOT_PERMITTED = Reason(403, 7504, "The token does not grant this.")
BAD_ARGUMENT = Reason(400, 8523, "A target or option does not fit; see the message.", "UnexpectedClientError")
NOT_ESTABLISHED = Reason(400, 8501, "The call is not connected.", "UnexpectedClientError")
WRONG_STATE = Reason(400, 8585, "The call is not in a state that allows this.", "UnexpectedClientError")
GROUP_CALL = Reason(
    409, 8519, "A group call is not transferred: add the person, then leave.", "UnexpectedClientError"
)
TOO_MANY_HOPS = Reason(480, 8521, "The call was forwarded too many times.")
TIMED_OUT = Reason(408, 10057, "The other end did not finish setting up in time.")
SETUP_FAILED = Reason(500, 1, "The other end could not set the call up.", "UnexpectedClientError")
INTERNAL = Reason(500, 0, "Something failed inside; the log says what.", "UnexpectedServerError")


def bad_argument(message: str) -> Reason:
    """Return 400/8523 with a sentence that says what to change."""
    return Reason(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message, BAD_ARGUMENT.category)


REMEDIES = {
    NO_ANSWER: "Call later, or set a rule for unanswered calls.",
    BUSY: "Call later, or set a rule for busy.",
    DO_NOT_DISTURB: "Call later, or set where such calls go (`do_not_disturb_to`).",
    OFFLINE: "Let the called person start an agent.",
    NO_VOICEMAIL: "Start the voicemail service.",
    NO_MIXER: "Start the mixer service.",
    NOT_PRESENT: "Name somebody who is in the call.",
    GROUP_CALL: "Add the person to the call instead.",
    UNKNOWN_USER: "Check the name; a user exists once a token was made for it.",
    TARGET_CALL_GONE: "Name a call of your own that is connected.",
    TRANSFER_CONFLICT: "Wait until the first transfer is over, or cancel it.",
    NETWORK: "Check the network, then call again.",
    NO_MEDIA: "Check that UDP passes between the ends, or set up a TURN server.",
    MEDIA_LOST: "Check the network, then call again.",
    INVALID_TOKEN: "Get a new token from whoever holds the access key.",
    NOT_PERMITTED: "Get a token with this right.",
    BAD_ARGUMENT: "Do as the message says.",
    NOT_ESTABLISHED: "Wait until the call is connected.",
    WRONG_STATE: "Wait for the state that allows it; `state_changed` tells.",
    UNKNOWN_CALL: "Name a call of your own that is not over.",
    DECLINED: "Call later, or leave a message.",
    TOO_MANY_HOPS: "Undo forwards that lead in a circle.",
    TIMED_OUT: "Call again; the log of the other end says what held it up.",
    SETUP_FAILED: "Read the log of the other end.",
    INTERNAL: "Read the hub's log.",
}


# What they mean as `Transfer.error`: A asked, B was to be handed over to C, and talks to A as before.
TRANSFER_ERRORS = {
    NOT_ESTABLISHED: "A and B are not connected yet.",
    BAD_ARGUMENT: "C is A or B, or the same call, or B's own mailbox.",
    WRONG_STATE: "The call to transfer to is not connected.",
    NOT_PERMITTED: "A's token does not grant transfers.",
    UNKNOWN_CALL: "The call to be handed over is not there, has ended, or is not A's.",
    UNKNOWN_USER: "There is no such C.",
    TARGET_CALL_GONE: "The call to transfer to is not there, is not A's, or ended meanwhile.",
    TIMED_OUT: "B did not follow, or A's hub did not answer, in time.",
    GROUP_CALL: "One of the calls is a group call.",
    TRANSFER_CONFLICT: "One of the calls is part of another transfer; the same target would have joined it.",
    NETWORK: "B, C or the hub was lost meanwhile.",
    NO_MEDIA: "B and C found no path for their sound.",
    MEDIA_LOST: "The sound between B and C was lost before it was heard.",
    TOO_MANY_HOPS: "C's calls go in a circle.",
    OFFLINE: "C has no device online, and C's rules lead nowhere or were not to be used.",
    NO_VOICEMAIL: "No voicemail service is online to answer for C.",
    BUSY: "C is busy, and C's rules lead nowhere or were not to be used.",
    DO_NOT_DISTURB: "C does not want to be disturbed, and C's rules lead nowhere or were not to be used.",
    CANCELLED: "A cancelled, or B hung up meanwhile.",
    NO_ANSWER: "C did not answer in time, and C's rules lead nowhere or were not to be used.",
    SETUP_FAILED: "C's device could not set the call up.",
    DECLINED: "C declined, or B did (transfer consent).",
}


def ended_for(cause: str, ringing: bool) -> Reason:
    """Return what the cause of a `call.end` means, by whether the device still rings.

    A ringing device that could not take the call counts as not online, so that the callee's rules go on.
    """
    while_ringing, later = _CAUSES[cause]
    return while_ringing if ringing else later


_CAUSES = {
    "hangup": (DECLINED, HUNG_UP),
    "declined": (DECLINED, HUNG_UP),
    "busy": (BUSY, HUNG_UP),
    "no_media": (OFFLINE, NO_MEDIA),
    "media_lost": (OFFLINE, MEDIA_LOST),
    "failed": (OFFLINE, SETUP_FAILED),
}
