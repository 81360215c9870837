"""stub"""


def init() -> None: ...
