"""The run as it goes on: a live table on a terminal, a plain line every few seconds elsewhere."""

from types import TracebackType
from typing import Self

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.record import Progress

_BAR = 34
_REFRESH_PER_S = 4


class LiveView:
    """Shows each `Progress` it is given; a context manager.

    Args:
        title: what is run.
        total: decisions after which the run ends; None where it goes on.
        console: where to; standard output without.
        every_s: seconds between two plain lines, where the console is no terminal.
    """

    def __init__(
        self, title: str, total: int | None = None, *, console: Console | None = None, every_s: float = 5.0
    ) -> None:
        self._title, self._total, self._every_s = title, total, every_s
        self._console = console or Console()
        self._live: Live | None = None
        self._last: Progress | None = None
        self._printed: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=_REFRESH_PER_S, transient=False)
            self._live.start()
            self._live.update(Panel(Text("starting …"), title=self._title, border_style="blue"))
        else:
            self._console.print(self._title, markup=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._last is not None and self._last is not self._printed:
            self._print(self._last)

    def update(self, progress: Progress) -> None:
        """Shows where the run is now."""
        self._last = progress
        if self._live is not None:
            self._live.update(self._panel(progress))
        elif self._printed is None or progress.t_s - self._printed.t_s >= self._every_s:
            self._print(progress)

    def say(self, text: str) -> None:
        """Prints a line that stays, above the live table."""
        self._console.print(text, markup=False, highlight=False)

    def _print(self, progress: Progress) -> None:
        self._printed = progress
        self._console.print(plain_line(progress, self._total), markup=False, highlight=False, soft_wrap=True)

    def _panel(self, progress: Progress) -> RenderableType:
        rates = Table.grid(padding=(0, 2))
        top = max((rate for _, rate, _ in _rates(progress)), default=0.0)
        for name, rate, colour in _rates(progress):
            rates.add_row(name, f"{rate:6.2%}", Bar(top or 1.0, 0.0, rate, width=_BAR, color=colour))
        figures = Table.grid(padding=(0, 3))
        decisions = f"{progress.decisions:,}" + (f" of {self._total:,}" if self._total else "")
        version = "–" if progress.policy_version is None else str(progress.policy_version)
        figures.add_row("decisions", decisions, "latency p50", _ms(progress.latency_p50_ms))
        figures.add_row("per second", f"{progress.decisions_per_s:,.0f}", "latency p99", _ms(progress.latency_p99_ms))
        figures.add_row("policy version", version, "explores", _share(progress.exploration))
        figures.add_row("elapsed", _clock(progress.t_s), "loss", _number(progress.loss))
        return Panel(Group(rates, Text(), figures), title=self._title, border_style="blue", expand=False)


def plain_line(progress: Progress, total: int | None = None) -> str:
    """The progress as one line.

    >>> plain_line(Progress(t_s=61, decisions=1200, click_rate=0.09, decisions_per_s=20, policy_version=4), 2000)
    '1:01  1,200 of 2,000 decisions (20/s)  click rate 9.00%  policy version 4'
    """
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate, _ in _rates(progress))
    known = progress.latency_p50_ms is not None
    latency = f"latency p50 {_ms(progress.latency_p50_ms)}, p99 {_ms(progress.latency_p99_ms)}" if known else ""
    parts = (
        _clock(progress.t_s),
        f"{progress.decisions:,}{f' of {total:,}' if total else ''} decisions ({progress.decisions_per_s:,.0f}/s)",
        rates,
        latency,
        "" if progress.policy_version is None else f"policy version {progress.policy_version}",
    )
    return "  ".join(part for part in parts if part)


def _rates(progress: Progress) -> list[tuple[str, float, str]]:
    rates = (
        ("click rate", progress.click_rate, "blue"),
        ("uniform", progress.click_rate_uniform, "bright_black"),
        ("best possible", progress.click_rate_oracle, "yellow"),
    )
    return [(name, rate, colour) for name, rate, colour in rates if rate is not None]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
