"""The live view: a table that redraws itself on a terminal, a line now and then elsewhere."""

import io

from rich.console import Console

from deploy.live import LiveView
from deploy.record import Progress


def run(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None, legacy_windows=False)
    with LiveView("[demo]", 400, console=console) as view:
        view.say("Ray is up [at last]")
        for t in range(13):
            view.update(
                Progress(t_s=t, decisions=t * 10, click_rate=0.1, click_rate_uniform=0.05, click_rate_oracle=0.3)
            )
    return out.getvalue()


def test_without_a_terminal_it_prints_a_line_every_five_seconds_and_the_last():
    lines = run(terminal=False).splitlines()
    assert lines[:2] == ["[demo]", "Ray is up [at last]"]
    assert [line.split()[0] for line in lines[2:]] == ["0:00", "0:05", "0:10", "0:12"]
    assert "120 of 400 decisions" in lines[-1]
    assert "click rate 10.00%, uniform 5.00%, best possible 30.00%" in lines[-1]


def test_on_a_terminal_it_shows_bars_to_scale():
    shown = run(terminal=True)
    assert "Ray is up [at last]" in shown
    assert "120 of 400" in shown
    last = shown[shown.rindex("click rate") :].splitlines()
    assert [line.count("█") for line in last[:3]] == [11, 5, 34]  # of 34: a third, a sixth, all
