"""Reasons why a transform cannot be given."""


class TransformException(Exception):  # noqa: N818 - the original's name
    """Base of every transform error."""


class LookupException(TransformException):
    """A frame is not known."""


class ConnectivityException(TransformException):
    """Both frames are known, but no chain of transforms connects them."""


class ExtrapolationException(TransformException):
    """The time asked for lies outside what is buffered."""
