"""The peers: strong contextual bandits that anyone can install, each with its own exploration and published settings.

Their settings were chosen on the tuning seeds, never on those of the report. All of them learn closed rounds only, each
once, a batch at a time; they need the extra `peers`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.bench.errors import BenchError
from deploy.bench.peer_flat import FlatPlayer
from deploy.bench.peer_linear import LinearPlayer, LinearSettings, posterior_draws, upper_bounds
from deploy.bench.peer_mabwiser import MabSettings, MabWiserPlayer
from deploy.bench.peer_ridge import Ridge
from deploy.bench.peer_vw import VwPlayer, VwSettings
from deploy.bench.rounds import Player, World


@dataclass(frozen=True, slots=True)
class PeerSpec:
    """A peer that can be built for a world.

    Attributes:
        build: Makes a fresh player of a world and a seed.
        settings: What it was told: its command line, or its parameters in words.
        skips: Worlds that it does not play, with the reason.
    """

    build: Callable[[World, int], Player]
    settings: str
    skips: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, world: World, seed: int) -> Player | None:
        """A fresh player, or None where the peer does not play this world.

        Raises:
            BenchError: its library is not installed.
        """
        if world.name in self.skips:
            return None
        try:
            return self.build(world, seed)
        except ModuleNotFoundError as error:
            msg = f"Peers must be installed (pip install 'streambandit[peers]'); got no module {error.name!r}"
            raise BenchError(msg) from error


def _vw(name: str, settings: VwSettings) -> PeerSpec:
    words = (
        f"vw {settings.command}; u context, i candidate, d item id; columns as standard scores within ±4, of texts "
        f"{settings.rank} components a side and their cosine, fitted on the first 1,024 rounds"
    )
    if settings.users:
        words += "; h user id where users return"
    return PeerSpec(lambda world, seed: VwPlayer(name, world, seed, settings), words)


def _linear(name: str, symbol: str, settings: LinearSettings) -> PeerSpec:
    scores = {"α": upper_bounds, "v": posterior_draws}[symbol]
    words = (
        f"{symbol} {settings.width:g}; ridge {settings.ridge.shared:g} on [1, a] × [1, b] of {settings.rank} whitened "
        f"components a side (and the cosine of texts), {settings.ridge.item:g} on an intercept of each item"
    )
    return PeerSpec(lambda world, seed: LinearPlayer(name, world, seed, scores, settings), words)


def _mabwiser(name: str, settings: MabSettings) -> PeerSpec:
    words = (
        f"MAB(items, LearningPolicy.{settings.policy}(alpha={settings.alpha:g}, l2_lambda={settings.ridge:g})) on "
        f"[1, {settings.rank} whitened components of the context]; the best of the live candidates"
    )
    skips = {
        "many-items": "the library scores all 20,000 items in each round: 5 minutes a run, where others take seconds"
    }
    return PeerSpec(lambda world, seed: MabWiserPlayer(name, world, seed, settings), words, skips)


_SQUARE_CB = "--cb_explore_adf --squarecb --cb_type mtr -b 20"
_PRIOR = (1.0, 19.0)

PEERS: dict[str, PeerSpec] = {
    "vw": _vw("vw", VwSettings(f"{_SQUARE_CB} --gamma_scale 1000 -q ui -q hi", 24, items=True, users=True)),
    "vw-slow": _vw(
        "vw-slow", VwSettings(f"{_SQUARE_CB} --gamma_scale 500 -l 0.1 -q ui -q hi", 24, items=True, users=True)
    ),
    "linucb": _linear("linucb", "α", LinearSettings(20, Ridge(shared=1.0, item=50.0), 0.1)),
    "linear-ts": _linear("linear-ts", "v", LinearSettings(20, Ridge(shared=1.0, item=50.0), 0.05)),
    "mabwiser": _mabwiser("mabwiser", MabSettings(8, "LinUCB", 0.2, 10.0)),
    "flat-ts": PeerSpec(
        lambda world, seed: FlatPlayer("flat-ts", world, seed, _PRIOR),
        f"Beta({_PRIOR[0]:g}, {_PRIOR[1]:g}) of each item's click rate",
    ),
}
