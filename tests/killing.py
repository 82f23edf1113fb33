"""A process that is killed between two steps of its work, by a failpoint of the store."""

from collections.abc import Callable


class Killed(BaseException):
    """The process is gone."""


def killing(step: str, nth: int = 1) -> Callable[[str], None]:
    """A failpoint that ends the process the `nth` time it comes to `step`, and lives on where it is asked again."""
    came = 0

    def failpoint(name: str) -> None:
        nonlocal came
        came += name == step
        if name == step and came == nth:
            raise Killed(step)

    return failpoint
