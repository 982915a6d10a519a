"""The settings of this room. The defaults are the recommended configuration; none needs tuning to start."""

from typing import Literal

from pydantic import Field

from envs.features import FeatureSettings
from stream.settings import Section


class EncoderSettings(Section):
    """The BERT encoder of texts."""

    model: str | None = Field(None, description="a Hugging Face id or a folder; the packaged MiniLM where not set")
    engine: Literal["onnx-int8", "torch-fp32"] = Field(
        "onnx-int8", description="onnx-int8: 8-bit integers, several times as fast; torch-fp32: the weights as they are"
    )
    converted: str | None = Field(
        None, description="folder of models converted to integers; `streambandit` in the user's cache where not set"
    )
    manner: int = Field(0, ge=0, description="components of how an item's text is written that are read (64 do well)")
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

    rank: int = Field(16, ge=1, description="components of a side, at most, where no text is read")
    text_rank: int = Field(20, ge=1, description="components of a side, at most, where texts are")
    text_further: int = Field(44, ge=0, description="components of an item's text behind those, which are not crossed")
    min_rank: int = Field(4, ge=1, description="components of a side, at least, where it has that many columns")
    explained: float = Field(0.98, gt=0, le=1, description="share of variance that the components keep")
    sd_cross: float = Field(1.0, gt=0, description="prior sd of the logit from all cross features together")
    sd_item: float = Field(0.7, gt=0, description="prior sd of the logit from the item's features")
    sd_text_further: float = Field(0.5, gt=0, description="prior sd of the logit from those and the manner together")
    sd_similarity: float = Field(1.0, gt=0, description="prior sd of the logit from the cosines to text and interest")
    mean_similarity: float = Field(0.2, description="prior mean of the logit per scaled cosine")
    sd_context: float = Field(0.5, gt=0, description="prior sd of the logit from the context's features")
    sd_intercept: float = Field(2.0, gt=0, description="prior sd of the intercept")
    sd_item_id: float = Field(0.5, gt=0, description="prior sd of an item's effect beyond its features")
    sd_user: float = Field(0.4, gt=0, description="prior sd of the logit from a user's own weights together")
    sd_user_intercept: float = Field(0.3, gt=0, description="prior sd of a user's own intercept")
    sd_level: float = Field(0.5, gt=0, description="prior sd of the level of a context (its group, or its text)")
    max_items: int = Field(1_000_000, ge=1_024, description="items with an effect; the longest unseen go first")
    max_users: int = Field(1_000_000, ge=1_024, description="users with weights; the longest unseen go first")
    max_contexts: int = Field(100_000, ge=1_024, description="contexts with a level; the longest unseen go first")
    memory_rows: float = Field(100_000, gt=0, description="rows after which evidence weighs half")
    buffer_rows: int = Field(30_000, ge=1_024, description="rows kept for a refresh of the projection")
    refresh_rows: tuple[int, ...] = Field((256, 1_024, 4_096, 16_384), description="resolved rows that start a refresh")


class ExploreSettings(Section):
    """How beliefs become a distribution. `floor` of the probability is spread evenly, whatever the strategy."""

    strategy: Literal[
        "inverse_gap_weighting", "greedy", "epsilon_greedy", "boltzmann", "linucb", "thompson", "neural_thompson"
    ] = "inverse_gap_weighting"
    floor: float = Field(0.01, gt=0, le=1, description="share of decisions that is uniform")
    sd_scale: float = Field(1.0, ge=0, description="what is explored for is this share of the posterior's deviations")
    gap_scale: float = Field(1_000.0, gt=0, description="inverse gap weighting: gamma = gap_scale * sqrt(rows)")
    tuned: bool = Field(True, description="inverse gap weighting: how much to explore is learned from what it costs")
    budget: float = Field(0.01, gt=0, lt=1, description="share of clicks that exploring may cost")
    learning_rows: float = Field(
        25_000, gt=0, description="rows from which the budget holds; while there are fewer, it is the square root more"
    )
    level: float = Field(0.8, gt=0, le=1, description="share of decisions that explore deviations, to begin with")
    most: float = Field(0.8, gt=0, le=1, description="the same, at most, for a usual user while nothing has changed")
    newcomers: float = Field(1.0, ge=0, description="how much more a new user is explored for than one well known")
    newcomer_decisions: float = Field(10.0, gt=0, description="decisions and clicks after which half of that is left")
    alarm: float = Field(2.0, ge=1, description="what the level is multiplied by when a change was noticed")
    alarm_rows: float = Field(500.0, gt=0, description="rows after which half of that rise is left")
    evaluable: float = Field(0.0, ge=0, le=1, description="inverse gap weighting: share of softmax(logit / 0.3)")
    epsilon: float = Field(0.05, gt=0, le=1, description="epsilon-greedy: share that is uniform, at first")
    epsilon_min: float = Field(0.01, ge=0, le=1, description="epsilon-greedy: share that stays uniform (or epsilon)")
    epsilon_decay_rows: float = Field(10_000, gt=0, description="epsilon-greedy: rows after which epsilon is halved")
    inverse_temperature: float | None = Field(
        None, ge=0, description="Boltzmann: C of exp(C * log-odds); by each decision's uncertainty where not set"
    )
    value_rows: float = Field(1_000, gt=0, description="Boltzmann: rows from which an item's own mean weighs half")
    bonus: float = Field(1.0, gt=0, description="LinUCB: standard deviations that the random bonus is scaled by")
    bonus_scales: int = Field(16, ge=1, le=1_024, description="LinUCB: scales of the bonus that are counted over")
    samples: int = Field(64, ge=1, le=4_096, description="Thompson sampling: draws from the posterior a decision")


class DelaySettings(Section):
    """How open decisions count before they close. Only decisions read them; what is settled never does."""

    open_decisions: bool = Field(True, description="whether they count: clicks at once, the rest more with their age")
    max_open: int = Field(8_192, ge=2, description="open decisions that are read: half the newest, half a sample")
    min_clicks: int = Field(50, ge=1, description="closed clicks from which the distribution of delays is theirs")
    kept_clicks: int = Field(2_000, ge=1, description="closed clicks that the distribution of delays is taken from")


class NetworkSettings(Section):
    """The small network beside the experts."""

    towers: int = Field(4, ge=1, description="networks whose mean counts; each sees another half of the rows")
    hidden: int = Field(64, ge=1, description="hidden units of a tower")
    learning_rate: float = Field(1e-3, gt=0, description="of AdamW, after the warm-up")
    warm_up: int = Field(100, ge=1, description="steps over which the learning rate rises to its full value")
    weight_decay: float = Field(0.1, ge=0, description="of AdamW")
    largest_gradient: float = Field(1.0, gt=0, description="norm to which a larger gradient is shortened")
    sd_last_layer: float = Field(
        1.0, gt=0, description="neural Thompson: prior sd of each weight around what it learned"
    )
    batch: int = Field(256, ge=1, description="rows of a step")
    steps: int = Field(16, ge=0, description="steps for each 256 rows learned; 0 leaves the network out")
    recent_rows: float = Field(8_000, gt=0, description="rows after which an older one is drawn half as often")
    idle_weight: float = Field(0.12, ge=0, description="below this weight it takes a quarter of its steps")


class RecentSettings(Section):
    """The second expert: it learns what the first one misses, and forgets it soon."""

    rank: int = Field(16, ge=1, description="leading components of a side that it reads, at most")
    sd_cross: float = Field(1.5, gt=0, description="prior sd of its logit from all cross features together")
    sd_item: float = Field(0.5, gt=0, description="prior sd of its logit from the item's features")
    sd_context: float = Field(0.3, gt=0, description="prior sd of its logit from the context's features")
    sd_similarity: float = Field(0.3, gt=0, description="prior sd of its logit from the similarities")
    sd_intercept: float = Field(0.3, gt=0, description="prior sd of its intercept")
    sd_item_id: float = Field(0.2, gt=0, description="prior sd of its effect of an item")
    memory_rows: float = Field(400.0, gt=0, description="rows after which evidence weighs half")
    max_items: int = Field(4_096, ge=1_024, description="items with an effect; the longest unseen go first")


class StackSettings(Section):
    """How much the logits of expert, recent expert and network count: weights to begin with, and how they move."""

    expert: float = Field(0.95, ge=0, description="weight of the expert to begin with")
    recent: float = Field(0.7, ge=0, description="weight of the recent expert to begin with")
    network: float = Field(0.05, ge=0, description="weight of the network to begin with")
    proof: float = Field(20.0, ge=0, description="log loss that the network must have saved to count; 0: no proof")
    precision: float = Field(60.0, gt=0, description="of those weights")
    memory_rows: float = Field(5_000, gt=0, description="rows after which evidence on the weights weighs half")


class ChangeSettings(Section):
    """How a break in what readers like is noticed, and what is forgotten then."""

    ratio: float = Field(0.5, gt=0, lt=1, description="of clicks to expected clicks that is looked for")
    threshold: float = Field(20.0, gt=0, description="log likelihood ratio at which a change is taken for real")
    min_rows: int = Field(2_500, ge=0, description="rows before the first alarm")
    apart_rows: int = Field(1_024, ge=0, description="rows between two alarms")
    keep: float = Field(0.02, gt=0, le=1, description="share of the evidence that stays after an alarm")


class SlateSettings(Section):
    """Slates of several slots: how often each slot is seen, and how items resemble those above them."""

    examination: bool = Field(True, description="whether it is learned how often each slot is seen; else all alike")
    redundancy: bool = Field(True, description="whether it is learned what an item loses that resembles one above")
    later_slots: Literal["anew", "proportional"] = Field(
        "anew", description="anew: explored given those above; proportional: by what is left of the first slot's"
    )
    max_slots: int = Field(20, ge=1, description="slots that are told apart; those beyond count as the last of them")
    sd_redundancy: float = Field(2.0, gt=0, description="prior sd of what full resemblance adds to the logit")
    memory_rows: float = Field(50_000, gt=0, description="rows after which evidence on slates weighs half")


class AgentSettings(Section):
    """The agent: what it reads, how it learns, how it explores."""

    scorer: Literal["expert", "cosine"] = Field("expert", description="cosine: similarity only, for comparison")
    features: FeatureSettings = FeatureSettings()
    encoder: EncoderSettings = EncoderSettings()
    interests: InterestSettings = InterestSettings()
    expert: ExpertSettings = ExpertSettings()
    explore: ExploreSettings = ExploreSettings()
    delay: DelaySettings = DelaySettings()
    recent: RecentSettings = RecentSettings()
    network: NetworkSettings = NetworkSettings()
    stack: StackSettings = StackSettings()
    change: ChangeSettings = ChangeSettings()
    slates: SlateSettings = SlateSettings()
    update_rows: int = Field(256, ge=1, description="closed outcomes that start an update")
