"""`python -m export_pipeline.sandbox`: serve until interrupted."""

import argparse

from export_pipeline.sandbox.app import SandboxOptions
from export_pipeline.sandbox.copyleaks.options import CHOICES, CopyleaksOptions
from export_pipeline.sandbox.server import LOOPBACK, run


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="export_pipeline.sandbox", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    defaults = CopyleaksOptions()
    for name in ("pace", "success", "reuse", "absent"):
        default = getattr(defaults, name)
        parser.add_argument(f"--{name}", choices=CHOICES[name], default=default)
    parser.add_argument("--no-retry-after", dest="retry_after", action="store_false")
    given = vars(parser.parse_args())
    host, port = given.pop("host"), given.pop("port")
    run(host, port, SandboxOptions.at(**given))


if __name__ == "__main__":
    main()
