"""What a check says when a document is wrong."""


class WrongError(Exception):
    """What is wrong with a command, in one sentence."""
