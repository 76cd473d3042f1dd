"""Nukkad Pay, the fictional payments company whose data, traffic and accidents all labs share.

Everything is drawn from a seed and a day, on a virtual clock; `docs/world.md` explains every distribution.
"""

from labs.world.calendar import CalendarDay
from labs.world.clock import Clock, Timer
from labs.world.incidents import Incident, IncidentKind
from labs.world.plan import plan_incidents
from labs.world.world import World

__all__ = ["CalendarDay", "Clock", "Incident", "IncidentKind", "Timer", "World", "plan_incidents"]
