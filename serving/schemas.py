"""What goes in and out of the service, as types: requests are checked by them and OpenAPI is made of them.

The rows of a request stay plain: their columns are those of the canonical tables, which describe themselves
here and are checked row by row, so that one bad row does not turn away the good ones.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, field_validator
from typing_extensions import TypeAliasType

from features.histories.columns import OWN_PREFIX
from features.histories.tables import (
    ACCOUNTS,
    CONTACTS,
    DEALS,
    INTERACTIONS,
    KINDS,
    STAGE_REVIEWS,
    TABLES,
    Column,
    Dataset,
    Table,
)
from serving.closer import Wishes

MOST_ROWS = 200_000
"""Rows of one table that a request may hold."""

MOST_ACCOUNTS = 1_000
"""Accounts that may be scored at a time; explained answers are some 110 kB each."""


EXAMPLE: dict[str, Any] = {
    "as_of": "2026-06-30T00:00:00Z",
    "accounts": [{"account_id": "A1", "name": "Northgate Freight", "industry": "logistics"}],
    "deals": [
        {
            "deal_id": "D1",
            "account_id": "A1",
            "opened_at": "2025-06-01",
            "outcome": "won",
            "closed_at": "2025-07-01",
            "starts_on": "2025-07-01",
            "ends_on": "2026-08-01",
            "amount": 120000,
        }
    ],
    "interactions": [
        {
            "interaction_id": "I1",
            "account_id": "A1",
            "at": "2026-06-02T09:00:00Z",
            "kind": "message",
            "actor": "us",
            "channel": "email",
            "thread_id": "T1",
        },
        {
            "interaction_id": "I2",
            "account_id": "A1",
            "at": "2026-06-02T15:30:00Z",
            "kind": "message",
            "actor": "client",
            "channel": "email",
            "thread_id": "T1",
        },
    ],
}
"""A small request, shown in OpenAPI."""


def _column_schema(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {"description": f"{column.meaning}; {column.expected}"}
    if column.type == "category":
        return described | {"enum": [*column.allowed, None]}
    if column.type == "time":
        forms = [{"type": "string", "format": form} for form in ("date-time", "date")]
        return described | {"anyOf": [*forms, {"type": "null"}]}
    types = {"bool": "boolean", "int": "integer", "float": "number"}
    limits = {"minimum": column.minimum, "maximum": column.maximum}
    known = {name: limit for name, limit in limits.items() if limit is not None}
    return described | {"type": [types.get(column.type, "string"), "null"]} | known


def _row_schema(table: Table) -> dict[str, Any]:
    return {
        "type": "object",
        "title": table.name,
        "description": table.meaning,
        "properties": {column.name: _column_schema(column) for column in table.columns},
        "patternProperties": {f"^{OWN_PREFIX}": {"type": ["number", "string", "boolean", "null"]}},
        "required": [column.name for column in table.columns if column.required],
    }


AccountRow = TypeAliasType("AccountRow", Annotated[dict[str, Any], WithJsonSchema(_row_schema(ACCOUNTS))])
ContactRow = TypeAliasType("ContactRow", Annotated[dict[str, Any], WithJsonSchema(_row_schema(CONTACTS))])
InteractionRow = TypeAliasType("InteractionRow", Annotated[dict[str, Any], WithJsonSchema(_row_schema(INTERACTIONS))])
DealRow = TypeAliasType("DealRow", Annotated[dict[str, Any], WithJsonSchema(_row_schema(DEALS))])
StageReviewRow = TypeAliasType("StageReviewRow", Annotated[dict[str, Any], WithJsonSchema(_row_schema(STAGE_REVIEWS))])

_MOMENT = Column("moment", "time", "a moment", required=True)


def _seconds(value: object) -> int:
    """UTC seconds of a moment as the tables read times."""
    try:
        converted = _MOMENT.convert(value)
    except ValueError as error:
        raise ValueError(f"must be {error}") from None
    if converted is None:
        raise ValueError(f"must be {_MOMENT.expected}")
    return int(converted)


Moment = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "description": _MOMENT.expected, "examples": ["2026-06-30T00:00:00Z"]}),
]


class Declaration(BaseModel):
    """What the caller's records cover: none of a kind is a fact only where that kind is recorded."""

    model_config = ConfigDict(extra="forbid")

    observed_from: Moment | None = Field(default=None, description="When recording began.")
    records: list[Literal[KINDS]] | None = Field(  # type: ignore[valid-type]
        default=None, description="The kinds of interaction that are recorded."
    )

    def dataset(self) -> Dataset:
        """The same for a history."""
        records = None if self.records is None else frozenset(self.records)
        return Dataset(observed_from=self.observed_from, records=records)


class ScoreRequest(BaseModel):
    """The histories of one or many accounts, and the moment as of which to score them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    as_of: Moment = Field(description="Only what was known at this moment counts.")
    horizon: int | None = Field(
        default=None,
        description="Horizon, in days, to explain and to weigh the value with: one of the model's "
        "(see `GET /v1/model`); without it 180 days or the model's nearest.",
    )
    explain: bool = Field(default=True, description="Whether to explain the risk; scoring alone is faster.")
    interval: bool = Field(default=True, description="Whether to say how sure each risk is; without it is faster.")
    help: bool = Field(default=False, description="Whether to say what would help; it takes some time.")
    scorecards: bool = Field(default=False, description="Whether to add the scorecards; it takes some time.")
    course: bool = Field(
        default=False,
        description="Whether to say where the stage is going and what the next needs; it takes some time.",
    )
    since: Moment | None = Field(
        default=None,
        description="An earlier moment: what changed from then until `as_of` is told too; it takes some time.",
    )
    accounts: list[AccountRow] = Field(default=[], max_length=MOST_ROWS)
    contacts: list[ContactRow] = Field(default=[], max_length=MOST_ROWS)
    interactions: list[InteractionRow] = Field(default=[], max_length=MOST_ROWS)
    deals: list[DealRow] = Field(default=[], max_length=MOST_ROWS)
    stage_reviews: list[StageReviewRow] = Field(default=[], max_length=MOST_ROWS)
    declares: Declaration = Field(default=Declaration(), description="What the records cover.")

    @field_validator("since")
    @classmethod
    def _is_before(cls, since: int | None, request: ValidationInfo) -> int | None:
        if since is not None and since >= request.data.get("as_of", since + 1):
            raise ValueError("must be before as_of")
        return since

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The rows by table name."""
        return {name: getattr(self, name) for name in TABLES}

    def wishes(self) -> Wishes:
        """What is asked for beside risks and stages."""
        return Wishes(self.explain, self.interval, self.help, self.scorecards, self.course, self.since)


class Answer(BaseModel):
    """Base of everything the service answers: no field may be there that is not described."""

    model_config = ConfigDict(extra="forbid")


class Share(Answer):
    """A share of the risk; shares add up to the score."""

    log_odds: float = Field(description="Share of the calibrated log odds.")
    points: float = Field(description="Share of the probability: 0.01 is one percentage point.")


class SignalShare(Share):
    """What one documented signal adds to the risk: the sum over its indicators."""

    signal: str
    name: str


class IndicatorShare(Share):
    """What one indicator adds to the risk, with its figure."""

    column: str = Field(description="The indicator's name; `GET /v1/model` describes it.")
    signal: str
    unit: str
    direction: Literal["up", "down", "band", "U", "context"] | None = Field(description="Which figure is better.")
    mark: str | None = Field(description="The figure that a strong relationship reaches.")
    documented: bool | None = Field(description="Whether the source gives the mark; else it is ours.")
    source: str = Field(description="The source document.")
    evidence_unit: str
    value: float | None = Field(description="The figure; null: no evidence yet.")
    mark_met: bool | None
    evidence: int | None = Field(description="How much evidence the figure rests on.")


class Reason(IndicatorShare):
    """One of the strongest signals, in words, told by the figure that carries most of it."""

    name: str = Field(description="The signal's name.")
    sentence: str
    raises: bool = Field(description="Whether it raises the risk; else it lowers it.")


class Explanation(Answer):
    """How the risk at the horizon comes about.

    `base_log_odds` + `time_ahead` + all `indicators` = `log_odds`; points lead from `base_risk` to `risk`.
    """

    base_risk: float = Field(description="The risk that training data shows on average.")
    base_log_odds: float
    risk: float
    log_odds: float
    time_ahead: Share = Field(description="The horizon's own share; it tells nothing of the client.")
    signals: list[SignalShare]
    indicators: list[IndicatorShare]
    reasons: list[Reason] = Field(description="The strongest signals, strongest first.")


class MissedMark(Answer):
    """A figure that misses its mark."""

    column: str
    value: float
    target: float = Field(description="The nearest figure that meets the mark.")
    sentence: str


class HelpStep(Answer):
    """One signal that could be brought back to its mark, and the risk by the model then."""

    signal: str
    name: str
    who: Literal["us", "client"] = Field(
        description="In whose hands it is: ours; or the client's, if we ask or invite."
    )
    action: str = Field(description="What to do, in words.")
    risk: float = Field(description="The risk with this signal at its mark, all else as it is.")
    change: float = Field(description="That against the present risk, in probability points; below 0.")
    figures: list[MissedMark] = Field(description="The figures that were brought to their marks.")


class Together(Answer):
    """The first steps together: computed together, as their effects do not add up."""

    signals: list[str]
    risk: float
    change: float


class Help(Answer):
    """What would help: signals in somebody's hands whose return to the mark lowers the risk by the model.

    Association, not promise: clients with such figures left less often.
    """

    horizon: int
    risk: float = Field(description="The present risk at the horizon.")
    steps: list[HelpStep] = Field(description="What lowers the risk most comes first.")
    together: Together


class ChangePart(Share):
    """What one signal adds to the change of the risk, told by the figure that carries most of it."""

    signal: str = Field(description="The signal's id; `time`: the horizon and the nearness of the contract's end.")
    name: str
    column: str
    before: float | None = Field(description="The figure at `since`; null: no evidence.")
    after: float | None = Field(description="The figure at `as_of`; null: no evidence.")
    sentence: str
    raises: bool = Field(description="Whether it raised the risk; else it lowered it.")


class Changes(Answer):
    """What changed between `since` and `as_of`: `time` and all `signals` add up to `change`, to 1e-9."""

    since: str
    risk_before: float | None = Field(description="The risk at `since`, at the horizon.")
    not_at_risk_before: str | None = Field(description="Why there was no risk to tell at `since`.")
    risk: float | None = Field(description="The risk at `as_of`, at the horizon.")
    change: float | None = Field(description="The change of the risk; null without a risk at both moments.")
    time: ChangePart | None
    signals: list[ChangePart] = Field(description="Every signal, the largest first; none without a risk at both.")


class Direction(Answer):
    """The change of the stage over the last 180 days, against the noise of such a change."""

    since: str
    way: Literal["advancing", "steady", "slipping"] | None = Field(description="Null: not known.")
    basis: Literal["structural", "judged"]
    expected_before: float | None = Field(description="The expected stage then, 1 courting to 5 convergence.")
    expected: float | None = Field(description="The expected stage now.")
    change: float | None
    noise: float | None = Field(description="The usual size of such a change where the stage did not change.")


class StageStep(Answer):
    """One signal brought to its mark on the way to the next stage."""

    signal: str
    name: str
    who: Literal["us", "client"] = Field(
        description="In whose hands it is: ours; or the client's, if we ask or invite."
    )
    action: str = Field(description="What to do, in words.")
    chance: float | None = Field(
        description="The probability of the next stage or beyond then; null: it is a deal won."
    )
    change: float | None
    figures: list[MissedMark]


class NotKnown(Answer):
    """A signal in somebody's hands of which no marked figure is known."""

    signal: str
    name: str
    who: Literal["us", "client"]


class Course(Answer):
    """Where the stage is going, and what parts it from the next one. Association, not promise."""

    direction: Direction
    next_stage: str | None = Field(description="Null: there is none, or there are too few reviews to tell of it.")
    rests_on: str = Field(description="What the next stage rests on, in words.")
    chance: float | None = Field(description="The probability of the next stage or beyond now; null: it is a deal won.")
    steps: list[StageStep]
    not_known: list[NotKnown] = Field(description="What nothing is known of and would be worth recording.")


class CardFigure(Answer):
    """A figure held against its mark."""

    column: str
    value: float | None = Field(description="The figure; null: no evidence yet.")
    mark: str
    met: bool | None


class GauntletStep(Answer):
    """One of the seven steps."""

    number: int
    name: str
    verdict: Literal["pass", "fail", "unknown"]
    figures: list[CardFigure]


class DepthSignal(Answer):
    """One of the eight signals of depth."""

    number: int
    name: str
    weight: int
    verdict: Literal["deep", "shallow", "unknown"]
    figures: list[CardFigure]


class Depth(Answer):
    """How deep the relationship is: deep where two thirds of the known weight is."""

    verdict: Literal["deep", "shallow", "unknown"]
    deep_weight: int
    known_weight: int
    signals: list[DepthSignal]


class Pillar(Answer):
    """One of the four pillars: strong where two thirds of its known marks are met."""

    number: int
    name: str
    verdict: Literal["strong", "weak", "unknown"]
    marks_met: int
    marks_known: int
    figures: list[CardFigure]


class WarmthComponent(Answer):
    """One part of the warmth."""

    row: str = Field(description="The signal's id.")
    name: str
    weight: int | float
    score: float | None = Field(description="From 0 to 1 against its mark; null: unknown.")
    figures: list[CardFigure]


class Warmth(Answer):
    """How warm the relationship is, and what that is made of."""

    degrees: float | None = Field(description="From 0, cold, to 100; null where too little is known.")
    place: Literal["cooler", "happy medium", "warmer"] | None
    known: int = Field(description="How many of the components are known.")
    components: list[WarmthComponent]


class Scorecards(Answer):
    """The documents' own judgements of the figures; no model has a part in them."""

    gauntlet: list[GauntletStep]
    depth: Depth
    pillars: list[Pillar]
    warmth: Warmth


class Stage(Answer):
    """Where the relationship stands."""

    stage: str = Field(description="One of the five, two of them merged, former or unknown.")
    probabilities: dict[str, float]
    basis: Literal["structural", "judged"] = Field(description="A fact of the deals, or judged from reviews.")
    likely_set: list[str] = Field(
        description="Neighbouring stages that hold the one a director would see, for 90 % of judged accounts; a "
        "structural stage stands alone."
    )


class AccountScore(Answer):
    """One account's answer."""

    account_id: str
    as_of: str
    horizon: int = Field(description="The horizon, in days, of `revenue_at_risk` and of the explanation.")
    risk: dict[str, float] | None = Field(description="Calibrated risk of leaving, by horizon in days.")
    interval: dict[str, tuple[float, float]] | None = Field(
        description="The low and the high end of each risk (90 %), by horizon in days: how sure the model is of it. "
        "Null where there is no risk or it was not asked for."
    )
    not_at_risk: str | None = Field(description="Why there is no risk to tell.")
    value: float | None = Field(description="Money per year; null: unknown.")
    revenue_at_risk: float | None = Field(description="Value times risk at the horizon.")
    stage: Stage
    explanation: Explanation | None
    help: Help | None = Field(description="What would help, where asked for and where there is a risk.")
    changes: Changes | None = Field(description="What changed since `since`, where asked for.")
    scorecards: Scorecards | None = Field(description="The scorecards, where asked for.")
    course: Course | None = Field(description="Where the stage is going, where asked for.")


class RejectedRow(Answer):
    """A row that was turned away, and why."""

    field: str = Field(description="The table: the request's field that holds the row.")
    row: int = Field(description="The row's number, from 1.")
    column: str
    value: str
    allowed: str


class ScoreResponse(Answer):
    """The accounts in the order of their ids."""

    as_of: str
    model: str = Field(description="The version of the model.")
    accounts: list[AccountScore]
    nothing_known: list[str] = Field(description="Accounts of which nothing was known by then.")
    rejected: int = Field(description="How many faults the rows had; the faulty rows did not count.")
    rejects: list[RejectedRow] = Field(description="The first of them.")
    ignored: dict[str, list[str]] = Field(description="Columns no table has, by table; they did not count.")


class IndicatorInfo(Answer):
    """What one indicator is."""

    id: str
    column: str
    family: str
    signal_name: str
    signal_meaning: str
    name: str
    meaning: str
    formula: str
    unit: str
    window: str
    better: str
    mark: str
    origin: str
    minimum: str
    portfolio: bool = Field(description="Whether it compares the account with all others, as of a month start.")
    source: str


class ModelInfo(Answer):
    """The model that answers."""

    name: str
    version: str
    registered_at: str
    definition: Literal["contract", "silence"] = Field(description="What counts as lost.")
    horizons: list[int]
    fingerprint: str = Field(description="SHA-256 over the definitions of the columns.")
    training: dict[str, Any] = Field(description="What it was trained and judged on: span, counts, figures.")
    indicators: list[IndicatorInfo]
