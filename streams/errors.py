"""What goes wrong outside of the program, told in one sentence."""


class Failed(Exception):
    """Something outside does not let a command do its work: the text is one sentence for whoever gave the command.

    `__notes__`, where there are any, hold what a program involved has said.
    """


class WrongUse(Exception):
    """A command was given what does not fit it: the text is one sentence for whoever gave it."""
