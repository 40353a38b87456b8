"""Voicemail: the service that answers for people who do not, and the owner's view of a mailbox."""

from node.voicemail.mailbox import Mailbox
from node.voicemail.script import Limits
from node.voicemail.service import VoicemailService
from signaling.mailboxes import MailboxSettings, Message

__all__ = ["Limits", "Mailbox", "MailboxSettings", "Message", "VoicemailService"]
