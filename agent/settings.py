"""The settings of this room. The defaults are the recommended configuration; none needs tuning to start."""

from typing import Literal

from pydantic import Field

from envs.features import FeatureSettings
from stream.settings import Section


class EncoderSettings(Section):
    """The BERT encoder of texts."""

    model: str | None = Field(None, description="a Hugging Face id or a folder; the packaged MiniLM where not set")
    max_tokens: int = Field(64, ge=4, le=512, description="tokens of a text that are read")
    batch_size: int = Field(32, ge=1, description="texts that go through the model together")
    cache_texts: int = Field(100_000, ge=1, description="embeddings kept by the caller; the least used goes first")
    actors: int = Field(1, ge=1, description="Ray actors that serve the encoder")


class InterestSettings(Section):
    """The store of users' interests."""

    max_users: int = Field(25_000, ge=1, description="users of a partition remembered; the least recently seen goes")
    vectors: int = Field(4, ge=1, description="interest vectors a user")
    same_interest: float = Field(0.45, ge=-1, le=1, description="cosine from which a click joins a known interest")
    half_life_clicks: float = Field(10.0, gt=0, description="clicks after which an older one weighs half")
    attention: float = Field(4.0, ge=0, description="how strongly the present context selects among the interests")


class ExpertSettings(Section):
    """The Bayesian logistic expert and the projection it reads."""

    rank: int = Field(16, ge=1, description="components of a side, at most")
    min_rank: int = Field(4, ge=1, description="components of a side, at least, where it has that many columns")
    explained: float = Field(0.9, gt=0, le=1, description="share of variance that the components keep")
    sd_cross: float = Field(0.7, gt=0, description="prior sd of the logit from all cross features together")
    sd_item: float = Field(0.7, gt=0, description="prior sd of the logit from the item's features")
    sd_similarity: float = Field(1.0, gt=0, description="prior sd of the logit from the cosines to text and interest")
    mean_similarity: float = Field(0.2, description="prior mean of the logit per scaled cosine")
    sd_context: float = Field(0.5, gt=0, description="prior sd of the logit from the context's features")
    sd_intercept: float = Field(2.0, gt=0, description="prior sd of the intercept")
    memory_rows: float = Field(100_000, gt=0, description="rows after which evidence weighs half")
    buffer_rows: int = Field(30_000, ge=1_024, description="rows kept for a refresh of the projection")
    refresh_rows: tuple[int, ...] = Field((256, 1_024, 4_096, 16_384), description="resolved rows that start a refresh")


class ExploreSettings(Section):
    """How scores become a distribution. `floor` of the probability is spread evenly, whatever the strategy."""

    strategy: Literal["inverse_gap_weighting", "boltzmann", "epsilon_greedy"] = "inverse_gap_weighting"
    floor: float = Field(0.01, gt=0, le=1, description="share of decisions that is uniform")
    gap_scale: float = Field(300.0, gt=0, description="inverse gap weighting: gamma = gap_scale * sqrt(rows)")
    inverse_temperature: float = Field(3.0, ge=0, description="Boltzmann: C of exp(C * logit)")
    epsilon: float = Field(0.05, gt=0, le=1, description="epsilon-greedy: share that is uniform")


class DelaySettings(Section):
    """How open decisions count before they close. Only decisions read them; what is settled never does."""

    open_decisions: bool = Field(True, description="whether they count: clicks at once, the rest more with their age")
    max_open: int = Field(8_192, ge=2, description="open decisions that are read: half the newest, half a sample")
    min_clicks: int = Field(50, ge=1, description="closed clicks from which the distribution of delays is theirs")
    kept_clicks: int = Field(2_000, ge=1, description="closed clicks that the distribution of delays is taken from")


class AgentSettings(Section):
    """The agent: what it reads, how it learns, how it explores."""

    scorer: Literal["expert", "cosine"] = Field("expert", description="cosine: similarity only, for comparison")
    features: FeatureSettings = FeatureSettings()
    encoder: EncoderSettings = EncoderSettings()
    interests: InterestSettings = InterestSettings()
    expert: ExpertSettings = ExpertSettings()
    explore: ExploreSettings = ExploreSettings()
    delay: DelaySettings = DelaySettings()
    update_rows: int = Field(256, ge=1, description="closed outcomes that start an update")
