"""Who is online, on which devices, and which voicemail service has the least to do."""

import pytest

from signaling.parts import Party, Right
from signaling.presence import Presence, Session

pytestmark = pytest.mark.unit


def session(name: str, *rights: Right, grace: float | None = None) -> Session:
    return Session(Party(f"8:acs:{name}", name=name), frozenset(rights or ("voip",)), grace)


def presence(**sessions: Session) -> Presence:
    present = Presence()
    for name, state in sessions.items():
        present.put(name, state)
    return present


def test_nobody_is_there() -> None:
    empty = Presence()
    assert set(empty.online) == set() == empty.devices("8:acs:ann")
    assert empty.voicemail(lambda _: 0) is None and not empty.voicemail_online


def test_all_devices_of_a_user_ring() -> None:
    present = presence(a=session("ann"), b=session("ann"), c=session("bob"))
    assert set(present.online) == {"8:acs:ann", "8:acs:bob"}
    assert present.devices("8:acs:ann") == {"a", "b"}
    assert present.devices("8:acs:dan") == set()
    assert present.party("c").name == "bob"


def test_lost_and_rightless_sessions_do_not_ring() -> None:
    present = presence(
        lost=session("ann", grace=9.0),
        joins=session("bob", "voip.join"),
        service=session("vm", "voicemail"),
    )
    assert set(present.online) == set()
    assert present.devices("8:acs:ann") == set()


def test_the_voicemail_service_with_the_least_to_do() -> None:
    services = {name: session("vm", "voip", "voicemail") for name in ("v1", "v2", "v3")}
    present = presence(**services, ann=session("ann"), lost=session("vm", "voip", "voicemail", grace=1.0))
    load = {"v1": 3, "v2": 1, "v3": 1, "ann": 0, "lost": 0}
    assert present.voicemail(load.__getitem__) == "v2"
    assert present.voicemail(load.__getitem__, besides="v2") == "v3"
    assert present.voicemail_online
    assert present.devices("8:acs:vm") == {"v1", "v2", "v3"}  # for those who want to hear their mailbox


def test_what_becomes_of_a_session_counts_at_once() -> None:
    present = presence(a=session("ann"), b=session("ann"), vm=session("vm", "voicemail"))
    present.put("a", session("ann", grace=9.0))
    present.put("vm", session("vm", "voicemail", grace=7.0))
    assert (present.devices("8:acs:ann"), present.graces) == ({"b"}, {"a": 9.0, "vm": 7.0})
    assert present.voicemail(lambda _: 0) is None
    assert [name for name in ("a", "b", "vm", "unknown") if present.here(name)] == ["b"]
    present.put("a", session("ann"))
    assert (present.devices("8:acs:ann"), present.graces) == ({"a", "b"}, {"vm": 7.0})
    for name in ("a", "b", "vm", "unknown"):
        present.remove(name)
    assert not present.online and not present.sessions and not present.graces


def test_a_mixer_never_rings() -> None:
    mixers = {name: session("mixer", "voip", "mixer") for name in ("m1", "m2")}
    present = presence(**mixers)
    assert set(present.online) == set()
    assert present.mixer({"m1": 2, "m2": 1}.__getitem__) == "m2"
    assert present.mixer(lambda _: 0, besides="m1") == "m2"
    assert present.voicemail(lambda _: 0) is None
