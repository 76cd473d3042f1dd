"""Why a command ends without success. Each reason has an exit status, which a pipeline acts on."""

from __future__ import annotations


class Trouble(Exception):
    """A command cannot do what it was asked; the message is for a person."""

    status = 1


class WrongInput(Trouble):
    """What we were given is not right: arguments, an image folder, a file of exceptions, a record."""

    status = 2


class Refused(Trouble):
    """The release would break a rule: a tag that is taken, a digest that is unknown, a step that was left out."""

    status = 3


class Blocked(Trouble):
    """The scan did not show that the image is safe."""

    status = 4


class ApiTrouble(Trouble):
    """The registry does not answer, or does not let us."""

    status = 5
