"""Mail as a source: mbox, maildir, folders of single mails, zipped or not (see ``docs/mail.md``)."""

from features.sources.mail.reading import MailOptions, read, recognises

__all__ = ["MailOptions", "read", "recognises"]
