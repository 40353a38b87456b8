"""Whether settings make sense among the users there are, asked before they are saved (spec §5). Pure."""

from signaling.routing import Directory
from signaling.settings import Settings, ToGroup, ToPerson, User


def objection(user: User, settings: Settings, directory: Directory) -> str | None:
    """Return the sentence that says why a user cannot have these settings, None if it can."""
    return (
        _of_persons(user, settings, directory)
        or _of_group(settings, directory)
        or _of_foreign_groups(settings, directory)
        or _of_circle(user, settings, directory)
    )


def _of_persons(user: User, settings: Settings, directory: Directory) -> str | None:
    named = [to.identifier for to in settings.destinations if isinstance(to, ToPerson)]
    for name in (*named, *(settings.group.members if settings.group else ())):
        person = directory.find(name)
        if person is None:
            return f"there is no user {name} on this hub; check the name or number"
        if person.raw_id == user.raw_id:
            return "your calls cannot go on to yourself; name somebody else"
    return None


def _of_group(settings: Settings, directory: Directory) -> str | None:
    """Object to a member who is named twice, by different names."""
    seen: set[str] = set()
    for name in settings.group.members if settings.group else ():
        person = directory.find(name)
        if person is not None and person.raw_id in seen:
            return f"{name} is in the group twice"
        seen |= {person.raw_id} if person else set()
    return None


def _of_foreign_groups(settings: Settings, directory: Directory) -> str | None:
    for to in settings.destinations:
        if isinstance(to, ToGroup) and to.identifier is not None:
            owner = directory.find(to.identifier)
            if owner is None or owner.settings.group is None:
                return f"there is no call group of {to.identifier}: nobody is in it yet"
    return None


def _of_circle(user: User, settings: Settings, directory: Directory) -> str | None:
    """Object to forwards at once that lead back to where they have been."""
    way = [user]
    to = settings.forwarding
    while isinstance(to, ToPerson) and (person := directory.find(to.identifier)) is not None:
        way.append(person)
        if person.raw_id in {each.raw_id for each in way[:-1]}:
            names = " → ".join(each.name or each.raw_id for each in way)
            return f"this forward leads in a circle: {names}"
        to = person.settings.forwarding
    return None
