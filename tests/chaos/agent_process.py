"""The product's driver with marked sessions and marked checkpoints; all else is `streambandit run`.

`python -m chaos.agent_process SETTINGS.json MARKS_FOLDER BUILD`
"""

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import agent.sealed
import deploy.resume
from chaos.marks import Marks
from chaos.sessions import PhasedSession
from deploy.run import RunOptions, run_agent
from deploy.settings import Settings

_write, _resume = agent.sealed._write, deploy.resume.resume


def main(settings_file: str, marks_folder: str, build: str) -> int:
    """Runs until a signal asks it to end."""
    settings = Settings.model_validate_json(Path(settings_file).read_text())
    marks = Marks(Path(marks_folder), "driver", 0)

    def write(path: Path, content: bytes) -> None:
        """As the product writes a file of a checkpoint; between two files somebody may ask to stay."""
        _write(path, content)
        if "checkpoint" in path.parent.name:
            marks.enter("checkpoint")
            marks.hold("checkpoint")
            marks.enter("stepping")

    def resume(*arguments: Any) -> bool:
        """As the product resumes."""
        marks.enter("replay")
        marks.hold("replay")
        done = _resume(*arguments)
        marks.enter("stepping")
        return done

    session: Any = PhasedSession(settings, Path(marks_folder), build)
    with patch("agent.sealed._write", write), patch("deploy.live_run.resume", resume):
        run_agent(settings, RunOptions(), open_session=session)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
