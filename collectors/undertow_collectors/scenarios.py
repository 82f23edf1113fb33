"""The simulated world: what users ask, who answers and how, and the changes that can be planted in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

DAY_S = 86_400.0
BURSTING = 13
"""The tenant that can burst, counted from the most frequent; it has 2 % of the requests of 40 tenants."""


@dataclass(frozen=True, slots=True)
class Route:
    """One use case. Sizes are medians in tokens, spreads log standard deviations, rates shares of the answers.

    `growth` is the exponent with which answers grow with the prompt; only `structured` answers are parsed.
    """

    name: str
    share: float
    input_tokens: float
    input_spread: float
    output_tokens: float
    output_spread: float
    growth: float
    max_tokens: int
    structured: bool
    refusal: float
    parse_failure: float


ROUTES = (
    Route("support", 0.45, 420, 0.55, 170, 0.45, 0.15, 800, False, 0.020, 0.0),
    Route("extract", 0.35, 1100, 0.35, 110, 0.30, 0.35, 400, True, 0.004, 0.015),
    Route("summarise", 0.20, 2600, 0.45, 260, 0.35, 0.25, 600, False, 0.008, 0.0),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One deployment behind the gateway. `verbosity` scales its answers; prices are US dollars per million tokens."""

    gateway: str
    provider: str
    model: str
    deployment: str
    sent_model: str
    response_model: str
    fingerprint: str | None
    verbosity: float
    first_token_s: float
    token_s: float
    input_price: float
    output_price: float


GPT_4O = Endpoint(
    "litellm", "openai", "gpt-4o", "openai-primary", "gpt-4o", "gpt-4o-2024-11-20", "fp_4e706aec50",
    1.0, 0.35, 0.011, 2.5, 10.0,
)  # fmt: skip
GPT_4O_AZURE = Endpoint(
    "litellm", "azure.ai.openai", "gpt-4o", "azure-eastus", "gpt-4o", "gpt-4o-2024-11-20", "fp_b705f0c291",
    1.0, 0.45, 0.013, 2.5, 10.0,
)  # fmt: skip
CLAUDE_SONNET = Endpoint(
    "litellm", "anthropic", "claude-sonnet", "anthropic-primary", "claude-sonnet-4-20250514",
    "claude-sonnet-4-20250514", None, 1.25, 0.55, 0.014, 3.0, 15.0,
)  # fmt: skip
LLAMA = Endpoint(
    "litellm", "groq", "llama-3.3-70b", "groq-primary", "llama-3.3-70b-versatile", "llama-3.3-70b-versatile",
    None, 0.85, 0.12, 0.003, 0.59, 0.79,
)  # fmt: skip
FLEET = (GPT_4O, GPT_4O_AZURE, CLAUDE_SONNET, LLAMA)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How an endpoint answers, and what it is asked, relative to normal: factors on sizes, times and odds.

    `cut_off` is an additional share of answers that end at the limit, `errors` the share of attempts that fail, `burst`
    the share of requests that BURSTING sends beside its usual ones, where there are tenants.
    None leaves a name, or the route shares, as they are.
    """

    length: float = 1.0
    refusals: float = 1.0
    parse_failures: float = 1.0
    cut_off: float = 0.0
    latency: float = 1.0
    errors: float = 0.012
    prompts: float = 1.0
    shares: tuple[float, ...] | None = None
    burst: float = 0.0
    response_model: str | None = None
    fingerprint: str | None = None
    prompt_version: str = "v7"


NORMAL = Behaviour()


def combined(one: Behaviour, other: Behaviour) -> Behaviour:
    """Both at once: factors multiply; names, and what is not a factor, are those of `one` where it has its own."""
    factors = ("length", "refusals", "parse_failures", "latency", "prompts")
    return replace(
        one,
        **{name: getattr(one, name) * getattr(other, name) for name in factors},
        cut_off=one.cut_off + other.cut_off,
        errors=other.errors if one.errors == NORMAL.errors else one.errors,
        shares=one.shares or other.shares,
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A change at one moment. `cause` is what a monitor should call it, `none` when there is nothing to report.

    It touches the first endpoint of the fleet, or all of them if `everywhere`; it comes gradually over `rollout_s`
    seconds, and goes away after `lasts_s`. So many `tenants` send the requests; none is named where it is 0. Saturdays
    and Sundays (UTC) bring `weekend_volume` times the requests, and on top of everything `weekend`.
    """

    text: str
    cause: str
    behaviour: Behaviour = NORMAL
    everywhere: bool = False
    rollout_s: float = 0.0
    lasts_s: float = float("inf")
    tenants: int = 0
    weekend: Behaviour = NORMAL
    weekend_volume: float = 1.0


WEEKEND = Behaviour(latency=0.85, errors=0.008, prompts=0.8, shares=(0.60, 0.25, 0.15))
"""Fewer people, who chat more and hand over less, shorter documents; with less load calls are quicker."""
UPDATE = Behaviour(length=0.72, refusals=4.0, parse_failures=6.0)

SCENARIOS: Mapping[str, Scenario] = {
    "none": Scenario("nothing changes", "none"),
    "silent-update": Scenario("shorter answers, more refusals and parse failures", "provider_update", UPDATE),
    "gradual-update": Scenario("the same, rolled out over half a day", "provider_update", UPDATE, rollout_s=DAY_S / 2),
    "small-update": Scenario("answers a tenth shorter", "provider_update", Behaviour(length=0.9)),
    "parse-failures": Scenario("structured answers break more often", "provider_update", Behaviour(parse_failures=6.0)),
    "refusals": Scenario("refusals at four times the odds", "provider_update", Behaviour(refusals=4.0)),
    "cut-off": Scenario("more answers end at the token limit", "provider_update", Behaviour(cut_off=0.06)),
    "declared-update": Scenario(
        "the update, under a new snapshot and fingerprint",
        "declared_update",
        replace(UPDATE, response_model="gpt-4o-2025-03-26", fingerprint="fp_9c5a1d7e20"),
    ),
    "own-release": Scenario(
        "a new prompt version asks for shorter answers", "own_release", Behaviour(length=0.72, prompt_version="v8")
    ),
    "mix-shift": Scenario("users move to other routes", "none", Behaviour(shares=(0.2, 0.3, 0.5)), everywhere=True),
    "longer-prompts": Scenario("prompts grow by three quarters", "none", Behaviour(prompts=1.75), everywhere=True),
    "update-in-mix-shift": Scenario("update and mix shift", "unresolved", replace(UPDATE, shares=(0.2, 0.3, 0.5))),
    "tenant-burst": Scenario(
        "one of 40 tenants, with short answers, sends 40 % of the requests", "none", Behaviour(burst=0.4), tenants=40
    ),
    "slow": Scenario("calls take twice as long", "infrastructure", Behaviour(latency=2.0)),
    "weekly": Scenario("weekends differ, nothing changes", "none", weekend=WEEKEND, weekend_volume=0.4),
    "update-in-week": Scenario(
        "the update, in traffic whose weekends differ", "provider_update", UPDATE, weekend=WEEKEND, weekend_volume=0.4
    ),
    "outage": Scenario("most calls fail for an hour", "availability", Behaviour(errors=0.7), lasts_s=3600.0),
}
