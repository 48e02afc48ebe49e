"""The HTTP contract without BentoML: answers, errors as problem details, and OpenAPI that is true."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import api as contract
from serving.answers import moment
from serving.api import create_api
from serving.champion import Champion
from serving.problems import Problem
from serving.schemas import EXAMPLE, ModelInfo, ScoreRequest, ScoreResponse
from tests.serving.clients import AS_OF, DAY, Records, part


@pytest.fixture(scope="module")
def client(champion: Champion) -> Iterator[TestClient]:
    application = create_api()
    application.state.champion = champion
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def openapi(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def request_of(made: Records, *accounts: str, **more: Any) -> dict[str, Any]:
    """A request for some accounts."""
    parts = [part(made, account) for account in accounts]
    return {"as_of": moment(AS_OF), **{table: [row for one in parts for row in one[table]] for table in made}, **more}


def problem_of(response: Any, status: int) -> Problem:
    """The problem that a response tells."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    told = Problem.model_validate_json(response.content, strict=True)
    assert told.status == status
    return told


def test_one_account_is_scored(client: TestClient, made: Records) -> None:
    response = client.post("/v1/score", json=request_of(made, "C036"))
    assert response.status_code == 200
    answer = ScoreResponse.model_validate_json(response.content, strict=True)
    (account,) = answer.accounts
    assert (answer.model, answer.as_of, answer.rejected, answer.ignored) == ("7", moment(AS_OF), 0, {})
    assert account.risk is not None
    assert list(account.risk) == ["30", "90", "180", "365"]
    assert account.explanation is not None
    assert account.explanation.risk == pytest.approx(account.risk["180"], abs=1e-12)
    assert account.value is not None
    assert account.revenue_at_risk == account.value * account.risk["180"]


def test_many_accounts_are_scored_as_each_alone(
    client: TestClient, made: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["C000", "C001", "C002", "C036"]
    alone = [client.post("/v1/score", json=request_of(made, name)).json()["accounts"][0] for name in names]
    together = client.post("/v1/score", json=request_of(made, *reversed(names))).json()["accounts"]
    assert together == alone
    monkeypatch.setattr(contract, "INLINE_ROWS", 0)
    in_a_thread = client.post("/v1/score", json=request_of(made, *names)).json()["accounts"]
    assert in_a_thread == alone


def test_explaining_can_be_left_out(client: TestClient, made: Records) -> None:
    full = client.post("/v1/score", json=request_of(made, "C036", horizon=90)).json()["accounts"][0]
    short = client.post("/v1/score", json=request_of(made, "C036", horizon=90, explain=False)).json()["accounts"][0]
    assert (full["horizon"], full["revenue_at_risk"]) == (90, full["value"] * full["risk"]["90"])
    assert full.pop("explanation") is not None
    assert short.pop("explanation") is None
    assert short == full


def test_intervals_can_be_left_out(client: TestClient, made: Records) -> None:
    full = client.post("/v1/score", json=request_of(made, "C036")).json()["accounts"][0]
    short = client.post("/v1/score", json=request_of(made, "C036", interval=False)).json()["accounts"][0]
    assert list(full["interval"]) == list(full["risk"])
    assert all(low <= full["risk"][days] <= high for days, (low, high) in full["interval"].items())
    assert short == {**full, "interval": None}


def test_more_is_told_where_asked_for_and_nothing_else_changes(client: TestClient, made: Records) -> None:
    plain = client.post("/v1/score", json=request_of(made, "C036", "C000")).json()["accounts"]
    since = moment(AS_OF - 300 * DAY)
    asked = request_of(made, "C036", "C000", help=True, scorecards=True, course=True, since=since)
    response = client.post("/v1/score", json=asked)
    prospect, account = ScoreResponse.model_validate_json(response.content, strict=True).accounts
    assert prospect.help is None
    assert prospect.changes is not None
    assert (prospect.changes.risk, prospect.changes.not_at_risk_before) == (None, "no contract yet")
    assert account.risk is not None
    assert account.help is not None
    assert account.help.risk == pytest.approx(account.risk["180"], abs=1e-12)
    assert account.help.together.risk <= account.help.risk
    assert account.changes is not None
    assert account.changes.since == since
    assert account.changes.time is not None
    assert account.changes.change is not None
    parts = [account.changes.time.points, *(one.points for one in account.changes.signals)]
    assert sum(parts) == pytest.approx(account.changes.change, abs=1e-9)
    assert account.scorecards is not None
    assert [step.number for step in account.scorecards.gauntlet] == list(range(1, 8))
    assert account.course is not None
    assert account.course.rests_on
    more = ("help", "changes", "scorecards", "course")
    assert [{**one, **dict.fromkeys(more)} for one in response.json()["accounts"]] == plain
    assert [one[name] for one in plain for name in more] == [None] * 8


def test_what_is_recorded_can_be_declared(client: TestClient, made: Records) -> None:
    declared = {"records": ["message", "commitment"], "observed_from": "2023-01-01"}
    response = client.post("/v1/score", json=request_of(made, "C036", declares=declared))
    assert response.status_code == 200


def test_bad_rows_are_told_by_field_row_and_column(client: TestClient, made: Records) -> None:
    asked = request_of(made, "C036")
    asked["interactions"].insert(1, {**asked["interactions"][0], "words": -1, "odd": 1})
    answer = client.post("/v1/score", json=asked).json()
    assert answer["rejects"] == [
        {
            "field": "interactions",
            "row": 2,
            "column": "words",
            "value": "-1",
            "allowed": "a whole number from 0 to 1e+07",
        }
    ]
    assert answer["rejected"] == 1
    assert answer["ignored"] == {"interactions": ["odd"]}
    assert len(answer["accounts"]) == 1


def test_a_request_without_a_good_row_is_a_problem(client: TestClient) -> None:
    asked = {"as_of": "2026-01-01", "deals": [{"deal_id": "D"}]}
    told = problem_of(client.post("/v1/score", json=asked), 422)
    assert "no row is left" in told.detail
    assert {fault.where for fault in told.faults} == {"/deals/0/account_id", "/deals/0/opened_at"}


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"as_of": None}, "/as_of", "must be a date"),
        ({"as_of": "30/06/2026"}, "/as_of", "must be a date"),
        ({"as_of": "2026-06-30T12:00:00"}, "/as_of", "with its offset"),
        ({"as_of": 1782777600}, "/as_of", "must be a date"),
        ({"horizon": 60}, "/horizon", "30, 90, 180, 365 days"),
        ({"since": EXAMPLE["as_of"]}, "/since", "must be before as_of"),
        ({"since": "lately"}, "/since", "must be a date"),
        ({"help": "please"}, "/help", "valid boolean"),
        ({"horizon": "soon"}, "/horizon", "valid integer"),
        ({"deals": [7]}, "/deals/0", "valid dictionary"),
        ({"deals": {}}, "/deals", "valid list"),
        ({"opinions": []}, "/opinions", "not permitted"),
        ({"declares": {"records": ["gossip"]}}, "/declares/records/0", "'message'"),
    ],
)
def test_a_wrong_request_is_told_where_it_is_wrong(
    client: TestClient, change: dict[str, Any], where: str, message: str
) -> None:
    told = problem_of(client.post("/v1/score", json={**EXAMPLE, **change}), 422)
    assert [fault.where for fault in told.faults] == [where]
    assert message in told.faults[0].message


@pytest.mark.parametrize("body", [b"", b"{", b'{"as_of": }', b"[" * 100_000, b'{"horizon": ' + b"9" * 5000 + b"}"])
def test_a_body_that_is_no_json_is_a_problem(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
    problem_of(response, 422 if body == b"" else 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_of_another_kind_is_a_problem(client: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    told = problem_of(client.post("/v1/score", content=json.dumps(EXAMPLE), headers=headers), 415)
    assert "application/json" in told.detail


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    assert problem_of(client.get("/v2/score"), 404).title == "Not Found"
    response = client.delete("/v1/score")
    problem_of(response, 405)
    assert response.headers["allow"] == "POST"


def test_too_many_accounts_are_a_problem(client: TestClient) -> None:
    asked = {"as_of": "2026-01-01", "accounts": [{"account_id": str(number)} for number in range(1001)]}
    assert "at most 1,000" in problem_of(client.post("/v1/score", json=asked), 422).detail


def test_names_that_cannot_be_written_do_not_break_the_answer(client: TestClient) -> None:
    half = "\\ud800"
    row = f'{{"account_id": "A", "odd{half}": 1}}, {{"account_id": "{half}", "x_{half}": "{half}"}}'
    body = f'{{"as_of": "2026-01-01", "accounts": [{row}]}}'
    response = client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert response.json()["ignored"] == {"accounts": ["odd?"]}
    body = f'{{"as_of": "2026-01-01", "x{half}": 1}}'
    problem_of(client.post("/v1/score", content=body, headers={"Content-Type": "application/json"}), 422)


def test_many_faults_are_counted_and_the_first_told(client: TestClient) -> None:
    asked = {"as_of": "2026-01-01", "accounts": [{"account_id": "A"}, *({"name": "nameless"} for _ in range(500))]}
    answer = client.post("/v1/score", json=asked).json()
    assert (answer["rejected"], len(answer["rejects"])) == (500, 100)


def test_an_error_of_ours_says_nothing_of_itself(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bytes:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(contract, "answer", fail)
    response = client.post("/v1/score", json=EXAMPLE)
    problem_of(response, 500)
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_the_model_is_described(client: TestClient, champion: Champion) -> None:
    told = ModelInfo.model_validate_json(client.get("/v1/model").content, strict=True)
    assert (told.name, told.version, told.definition) == ("rapport", "7", "contract")
    assert told.horizons == [30, 90, 180, 365]
    assert told.fingerprint == champion.models.risk.fingerprint
    assert tuple(one.column for one in told.indicators) == champion.models.risk.columns
    marked = next(one for one in told.indicators if one.column == "G1a.first_attempt_response_rate.365d")
    assert (marked.mark, marked.origin, marked.source) == (">= 0.75", "documented", "000")


def test_the_example_of_openapi_is_a_request(client: TestClient, openapi: dict[str, Any]) -> None:
    (example,) = openapi["components"]["schemas"]["ScoreRequest"]["examples"]
    ScoreRequest.model_validate(example)
    assert client.post("/v1/score", json=example).json()["rejected"] == 0


def test_openapi_describes_every_error_as_a_problem(openapi: dict[str, Any]) -> None:
    assert {path: sorted(methods) for path, methods in openapi["paths"].items()} == {
        "/v1/score": ["post"],
        "/v1/model": ["get"],
    }
    asked = openapi["paths"]["/v1/score"]["post"]["responses"]
    assert set(asked) == {"200", "400", "401", "413", "415", "422", "500"}
    for status, response in asked.items():
        kind = "application/json" if status == "200" else "application/problem+json"
        assert list(response["content"]) == [kind]


def test_every_reference_of_openapi_leads_somewhere(openapi: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            node = list(node.values())
        if isinstance(node, list):
            for one in node:
                yield from references(one)

    schemas = openapi["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in references(openapi)}
    assert named == set(schemas) - {"HTTPValidationError", "ValidationError"}
    assert {"AccountRow", "InteractionRow", "DealRow", "ScoreResponse", "Problem", "Fault"} <= named
    assert schemas["InteractionRow"]["required"] == ["interaction_id", "account_id", "at", "kind", "actor"]
