"""Every environment variable that has a meaning, and those that are set and have none."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from export_pipeline.home_keys import HOME_VARIABLE
from export_pipeline.settings import Settings
from export_pipeline.storage.open import BACKENDS, options_of
from export_pipeline.storage.options import Variable, declared
from export_pipeline.vendors.open import VARIABLES, vendor_variables
from export_pipeline.vendors.options import ACCOUNTS

PREFIX = "EXPORT_"
LIKENESS = 0.85
"""Of 1: with one or two letters wrong; all names begin alike."""
_ENDS = {options.prefix: [one.name for one in declared(account)] for options, account in VARIABLES}
"""Prefix of a vendor's variables -> the ends of those of an account."""


def read_variables(settings: Settings) -> Iterator[Variable]:
    """Every variable that these settings read: those of all accounts, and of the store in use."""
    yield Variable(HOME_VARIABLE, "The home folder")
    yield from declared(Settings)
    yield from vendor_variables(settings.vendor_variables)
    options = options_of(settings.storage_url)
    if options is not None:
        yield from declared(options)


def unread(env: Mapping[str, str], settings: Settings) -> list[str]:
    """Of each variable that is set and nobody reads, what may be meant."""
    stores = [options for scheme in BACKENDS if (options := options_of(f"{scheme}://"))]
    known = {one.name for one in read_variables(settings)}
    known |= {one.name for options in stores for one in declared(options)}
    return [
        _meant(name, known)
        for name, value in sorted(env.items())
        if name.startswith(PREFIX) and value and name not in known
    ]


def _meant(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=LIKENESS)
    guess = [f"did you mean {near[0]}?"] if near else []
    account = [
        f"That of a further account is read once {prefix}{ACCOUNTS} names the account"
        for prefix, ends in _ENDS.items()
        if any(name.startswith(prefix) and name.endswith(f"_{end}") for end in ends)
    ]
    return f"{name} is set and nobody reads it: {' '.join([*guess, *account]) or 'unset it'}"
