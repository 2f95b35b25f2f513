"""What went wrong, as a sentence for the person who must act."""

from sqlalchemy.exc import SQLAlchemyError


def in_words(error: Exception) -> str:
    """An error of ours as it is, the database's and the system's without what is of no use."""
    if isinstance(error, SQLAlchemyError):
        # Its own text repeats the statement; the driver's says what happened.
        said = str(getattr(error, "orig", None) or type(error).__name__)
        return f"the ledger cannot be used: {said.strip()}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
