import subprocess
import sys

import structlog

from export_pipeline import logs

AS_A_LIBRARY = """
from export_pipeline.receiver.webhooks import log
log.debug("quiet")
log.info("told")
"""
CONFIGURED_BEFORE = "import structlog; structlog.configure(processors=[lambda *_: 'mine'])\n"


def run(code: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_a_library_user_gets_nothing_on_stdout_and_no_debug_lines() -> None:
    out, err = run(AS_A_LIBRARY)
    assert out == ""
    assert "told" in err
    assert "quiet" not in err


def test_whoever_configured_structlog_keeps_it() -> None:
    assert run(CONFIGURED_BEFORE + AS_A_LIBRARY) == ("mine\nmine\n", "")


def test_a_process_of_ours_says_from_which_level_on() -> None:
    out, err = run("from export_pipeline import logs; logs.configure('debug')\n" + AS_A_LIBRARY)
    assert out == ""
    assert "quiet" in err


def test_lines_go_to_where_standard_error_is_at_that_moment(capsys) -> None:
    before = structlog.get_config()
    logs.configure()
    logs.get_logger("test").info("told")
    structlog.configure(**before)
    shown = capsys.readouterr()
    assert (shown.out, "told" in shown.err) == ("", True)
