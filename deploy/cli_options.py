"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="TOML file of settings.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as agent.explore.floor=0.02; can be repeated."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the run; the setting `seed`.")]


def with_seed(overrides: list[str] | None, seed: int | None) -> list[str]:
    """The settings of the command line, with the seed that has an option of its own."""
    return [*(overrides or ()), *(() if seed is None else (f"seed={seed}",))]
