"""Commands for a person to copy: whole, with every id as any shell and chat takes it."""

from collections.abc import Sequence

from export_pipeline.scans import ScanKey, escape


def retry(keys: Sequence[ScanKey], count: int, *, sealed: bool = False) -> str:
    """Order these scans again, or, if there are more than these, all like them of the account.

    Args:
        keys: scans of one account, at least one.
        count: how many there are.
        sealed: whether they are sealed, so that what they lack goes into a new generation.
    """
    of_all = retry_all(keys[0].vendor, keys[0].account, sealed=sealed)
    return of_all if count > len(keys) else of_all + _ids(keys)


def retry_all(vendor: str, account: str, *, sealed: bool = False) -> str:
    """Order all scans of an account again that failed; see `retry`."""
    flag = " --new-generation" if sealed else ""
    return f"export-pipeline retry{flag} --vendor {vendor} --account {account}"


def listed(vendor: str, account: str, state: str) -> str:
    """List the scans of an account that stand so, each with its reason."""
    word = f"'{state}'" if " " in state else state
    return f"export-pipeline scans list --vendor {vendor} --account {account} --state {word}"


def show(key: ScanKey) -> str:
    """Tell everything that is known of one scan."""
    return f"export-pipeline scans show{_of(key)}{_ids([key])}"


def verify(keys: Sequence[ScanKey]) -> str:
    """Reread the bags of these scans of one account, at least one."""
    return f"export-pipeline verify{_of(keys[0])}{_ids(keys)}"


def _of(key: ScanKey) -> str:
    return f" --vendor {key.vendor} --account {key.account}"


def _ids(keys: Sequence[ScanKey]) -> str:
    """Escaped as in partition keys, which every command takes: no shell reads anything into them.

    But zsh takes a word that begins with `=` for the path of a command, hence the quotes.
    """
    names = [escape(key.scan) for key in keys]
    dashes = ["--"] if any(name.startswith("-") for name in names) else []
    words = [f"'{name}'" if name.startswith("=") else name for name in names]
    return " " + " ".join([*dashes, *words])
