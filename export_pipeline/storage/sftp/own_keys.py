"""The keys that let the archive's own user in, wherever they lie, to tell lent ones from them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncssh
from asyncssh.public_key import load_default_keypairs

from export_pipeline.storage.sftp.place import Login


def own_keys(login: Login) -> set[bytes]:
    """Return the public halves of all that asyncssh would log in with; blocks for a moment.

    Raises:
        ConfigError: the key that was set cannot be read.
    """
    if login.key:
        return {login.private_key().public_data}
    if login.password:
        return set()
    # A loop of its own, since the caller may stand on one.
    with ThreadPoolExecutor(1) as pool:
        of_agent = pool.submit(asyncio.run, _of_agent()).result()
    return of_agent | {pair.public_data for pair in load_default_keypairs()}


async def _of_agent() -> set[bytes]:
    try:
        async with asyncssh.connect_agent() as agent:
            return {pair.public_data for pair in await agent.get_keys()}
    except (OSError, ValueError, asyncssh.Error):
        return set()  # there is none that answers, and so none that lets us in
