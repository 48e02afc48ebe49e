"""Calendars as a source: iCalendar files, folders of them, zipped or not (see ``docs/calendar.md``)."""

from features.sources.calendar.reading import CalendarOptions, read, recognises

__all__ = ["CalendarOptions", "read", "recognises"]
