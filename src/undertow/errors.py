"""What can go wrong, and the exit code each mistake ends a command with.

    UndertowError
    ├── UsageError       2   the command line makes no sense
    ├── NotEnoughData    3   no answer can be given yet
    ├── BadData         65   nothing in the input could be read
    ├── StoreError      74   the database or a file failed
    ├── TryAgain        75   a passing fault: broker away, disk full
    ├── Refused         75   the database works and refused one thing, such as for want of memory
    └── ConfigError     78   the configuration names something that cannot be

The codes are those of sysexits.h where it has one.
"""


class UndertowError(Exception):
    """A mistake told in one sentence; never shown with a traceback."""

    exit_code = 1


class UsageError(UndertowError):
    """The command line makes no sense."""

    exit_code = 2


class NotEnoughData(UndertowError):  # noqa: N818  a state of knowledge, not a fault
    """There is too little data to say anything."""

    exit_code = 3


class BadData(UndertowError):  # noqa: N818  the data are bad, the program is not
    """Nothing in the input could be read."""

    exit_code = 65


class StoreError(UndertowError):
    """The database or a file cannot be read or written."""

    exit_code = 74


class TryAgain(UndertowError):  # noqa: N818  an instruction
    """A passing fault; a supervisor should start the process again."""

    exit_code = 75


class Refused(UndertowError):  # noqa: N818  an answer
    """The database refused one thing, of which nothing was kept; the same process can ask it again."""

    exit_code = 75


class ConfigError(UndertowError):
    """The configuration is wrong; the message names the file, the key and the mistake."""

    exit_code = 78
