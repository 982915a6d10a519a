"""`streambandit tune`: settings by Ray Tune, judged off-policy by progressive validation on a log.

Each trial is a new policy that learns the log from nothing; its estimate's lower end is what is maximised, so that
settings whose value the log cannot tell do not win by luck.
"""

import logging
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.errors import AgentError
from deploy.errors import EvaluateError
from deploy.evaluating.evaluation import ESTIMATORS, evaluate
from deploy.evaluating.policies import target_of
from deploy.evaluating.sources import KAFKA, read_log
from deploy.evaluating.space import Choice, Range, Space, extremes, parse_space, written
from deploy.evaluating.trials import SECTION, Trial, rank
from deploy.settings_load import load_settings
from envs.errors import EnvsError

_METRIC = "lower"


@dataclass(frozen=True)
class TuneOptions:
    """What is searched for.

    Attributes:
        log: as of `read_log`.
        space: `KEY=VALUES` of settings of the agent, as of `parse_space`.
        search: grid, random or bayes.
        trials: how many; a grid has as many as it has combinations.
        estimator: whose lower end is maximised.
        parallel: trials at once.
        limit: decisions of the log, at most.
        out: where the best settings are written; nowhere where None.
        config, overrides: the settings that are not searched for.
    """

    log: str
    space: tuple[str, ...]
    search: str
    trials: int
    estimator: str
    parallel: int
    limit: int
    out: Path | None
    config: Path | None
    overrides: tuple[str, ...]


def tune_settings(options: TuneOptions, console: Console) -> list[Trial]:
    """Runs the trials, prints them, the best first, and the best settings as TOML.

    Returns:
        The trials in that order.

    Raises:
        EvaluateError: the search is not as it must be, or no trial could be judged.
        SettingsError: a value that would be tried is not allowed.
    """
    space = _checked(options)
    base = load_settings(options.config, options.overrides)
    read_log(options.log, base, options.limit)  # what is wrong with it is told here, once
    from deploy.cluster import cluster  # noqa: PLC0415 - Ray starts after all checks

    with cluster(quiet=True):
        trials = run_trials(options, space, base.seed)
    return rank(trials, options.estimator, options.out, console)


def run_trials(options: TuneOptions, space: Space, seed: int) -> list[Trial]:
    """Runs the trials on the cluster that is there, in the order in which they were started."""
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # its progress tables would stand between ours
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    from ray import tune  # noqa: PLC0415 - slow to load

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    options = _absolute(options)
    with tempfile.TemporaryDirectory(prefix="streambandit-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_run_trial, options=options, space=space), {"cpu": 1}),
            param_space={key: _domain(part, grid=options.search == "grid") for key, part in space.items()},
            tune_config=tune.TuneConfig(
                metric=_METRIC,
                mode="max",
                num_samples=1 if options.search == "grid" else options.trials,
                search_alg=_search(options.search, seed),
                max_concurrent_trials=options.parallel,
                reuse_actors=True,  # a process that has loaded everything tries the next settings
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        return [_trial(result, space) for result in tuner.fit()]


def judge(options: TuneOptions, settings: dict[str, str]) -> Trial:
    """The value of a policy with some settings that learns the log; errors of the log or the agent become the trial's.

    Raises:
        SettingsError, EvaluateError, StreamError: settings or log cannot be used at all.
    """
    overrides = [*options.overrides, *(f"{key}={value}" for key, value in settings.items())]
    loaded = load_settings(options.config, overrides)
    log = read_log(options.log, loaded, options.limit)
    try:
        target = target_of("settings:", log, loaded)
        found = evaluate(log, target, [options.estimator], loaded.seed)
    except (AgentError, EnvsError) as error:
        return Trial(settings, None, None, str(error))
    return Trial(settings, found.estimates[options.estimator], found.loss, None)


def _run_trial(config: dict[str, Any], options: TuneOptions, space: Space) -> None:
    from ray import tune  # noqa: PLC0415 - in the trial's own process

    trial = judge(options, {key: written(value, space[key]) for key, value in config.items()})
    estimate = trial.estimate
    tune.report({_METRIC: float("-inf") if estimate is None else estimate.lower, "trial": trial})


def _absolute(options: TuneOptions) -> TuneOptions:
    """The same with absolute paths: a trial runs in a folder of its own."""
    log = options.log if options.log == KAFKA else str(Path(options.log).absolute())
    return replace(options, log=log, config=options.config and options.config.absolute())


def _trial(result: Any, space: Space) -> Trial:  # noqa: ANN401 - Ray ships no types
    if result.error is not None:
        settings = {key: written(value, space[key]) for key, value in (result.config or {}).items()}
        return Trial(settings, None, None, str(result.error).strip().splitlines()[-1])
    found: Trial = result.metrics["trial"]
    return found


def _domain(part: Choice | Range, *, grid: bool) -> Any:  # noqa: ANN401 - Ray ships no types
    from ray import tune  # noqa: PLC0415

    if isinstance(part, Choice):
        return tune.grid_search(list(part.values)) if grid else tune.choice(list(part.values))
    if part.whole:
        low, high = int(part.low), int(part.high) + 1
        return tune.lograndint(low, high) if part.log else tune.randint(low, high)
    return tune.loguniform(part.low, part.high) if part.log else tune.uniform(part.low, part.high)


def _search(search: str, seed: int) -> Any:  # noqa: ANN401 - Ray ships no types
    if search != "bayes":
        from ray.tune.search.basic_variant import BasicVariantGenerator  # noqa: PLC0415

        return BasicVariantGenerator(random_state=seed)
    from optuna.samplers import TPESampler  # noqa: PLC0415 - an extra
    from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415

    logging.getLogger("optuna").setLevel(logging.ERROR)
    return OptunaSearch(sampler=TPESampler(seed=seed))


def _checked(options: TuneOptions) -> Space:
    if options.estimator not in ESTIMATORS:
        raise EvaluateError(f"--estimator must be one of {', '.join(ESTIMATORS)}; got {options.estimator!r}")
    if options.search == "bayes":
        try:
            import optuna  # noqa: F401, PLC0415
        except ImportError as error:
            raise EvaluateError("--search bayes needs Optuna: install streambandit[tune]") from error
    space = parse_space(options.space, grid=options.search == "grid")
    for key in space:
        if not key.startswith(SECTION):
            raise EvaluateError(f"--space must name settings of the agent, such as agent.explore.floor; got {key!r}")
    for settings in extremes(space):
        load_settings(options.config, [*options.overrides, *(f"{key}={value}" for key, value in settings.items())])
    return space
