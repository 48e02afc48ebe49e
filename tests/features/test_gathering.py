"""The door for sources of every kind: what a file or folder is, is told by its content."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.histories.columns import Reject
from features.sources.gathering import Gathered, ImportOptions, gather
from features.sources.importing import import_to_folder, import_to_store, try_import
from features.sources.opening import open_dataset, open_tables
from features.sources.readers import SourceError
from features.sources.store import Store
from features.sources.store_connection import NoSuchStore, StoreError
from features.sources.telling import told
from rapport import app
from tests.features import calendar_samples, mail_samples
from tests.features.crm_exports import export

NOW = 1_750_000_000
OURS = ImportOptions(our_domains=frozenset({"ours.example"}), until=NOW)
TOUCH = "interaction_id,account_id,at,kind,actor\n"
HUBSPOT = [
    {
        "Record ID": "11",
        "Company name": "North Mill",
        "Company Domain Name": "n.example",
        "Create Date": "2023-01-05",
    },
]


def touches(folder: Path, name: str, *numbers: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(TOUCH + "".join(f"{one},A,2024-05-{one:02},message,client\n" for one in numbers))
    return file


def mails(folder: Path, **fields: str) -> Path:
    return mail_samples.put(folder, {"1.eml": mail_samples.mail(**fields)})


def rows(gathered: Gathered) -> dict[str, int]:
    return {name: len(table) for name, table in gathered.rows.items() if len(table)}


def test_a_single_file_is_the_table_that_its_name_says(tmp_path: Path) -> None:
    assert rows(gather([touches(tmp_path, "interactions-2024.csv", 1, 2)])) == {"interactions": 2}


def test_a_single_file_of_another_name_is_what_the_mapping_says(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("id;client;day\n1;A;2024-05-01\n2;A;soon\n")
    mapping = tmp_path / "m.toml"
    columns = 'interaction_id = "id"\naccount_id = "client"\nat = "day"\n'
    constants = 'kind = { constant = "call" }\nactor = { constant = "us" }\n'
    mapping.write_text(f"[interactions.columns]\n{columns}{constants}")
    gathered = gather([file], ImportOptions(mapping))
    assert rows(gathered) == {"interactions": 1}
    assert [(one.file, one.row, one.column) for one in gathered.rejects] == [("calls.csv", 2, "at")]
    mapping.write_text(f'[interactions]\nfiles = "calls*.csv"\n[interactions.columns]\n{columns}{constants}')
    assert rows(gather([file], ImportOptions(mapping))) == {"interactions": 1}


def test_two_sections_for_one_file_leave_open_which_it_is(tmp_path: Path) -> None:
    file, mapping = tmp_path / "calls.csv", tmp_path / "m.toml"
    file.write_text("id\n1\n")
    mapping.write_text('[interactions.columns]\ninteraction_id = "id"\n[deals.columns]\ndeal_id = "id"\n')
    with pytest.raises(SourceError, match=r"calls\.csv: which table is it\? .* interactions, deals"):
        gather([file], ImportOptions(mapping))


def test_an_export_of_a_crm_is_none_of_our_tables_though_its_name_is(tmp_path: Path) -> None:
    folder = export(tmp_path / "hubspot", {"accounts.csv": HUBSPOT})
    gathered = gather([folder])
    assert rows(gathered) == {"accounts": 1}
    assert gathered.rows["accounts"]["account_id"].to_pylist() == ["11"]
    assert gathered.told == {"hubspot (CRM export)": {"company records read": 1}}
    assert rows(gather([folder / "accounts.csv"])) == {"accounts": 1}


def test_several_sources_come_in_together(tmp_path: Path) -> None:
    sources = [touches(tmp_path / "a", "interactions.csv", 1, 2).parent, mails(tmp_path / "b")]
    gathered = gather(sources, OURS)
    assert rows(gathered) == {"interactions": 3, "contacts": 1}
    assert gathered.counts["interactions"].read == 3
    assert list(gathered.told) == ["b (mail)"]


def test_a_folder_gives_all_that_it_holds_and_names_what_nobody_knows(tmp_path: Path) -> None:
    folder = mails(tmp_path / "all")
    touches(folder, "interactions.csv", 1, 2)
    export(folder, {"companies.csv": HUBSPOT})
    (folder / "meeting.ics").write_bytes(calendar_samples.calendar(calendar_samples.event()))
    (folder / "notes.txt").write_text("hello")
    (folder / "own.csv").write_text("a,b\n1,2\n")
    gathered = gather([folder], OURS)
    assert rows(gathered) == {"accounts": 1, "contacts": 2, "interactions": 4}
    assert list(gathered.told) == ["all (CRM export)", "all (mail)", "all (calendar)"]
    assert "all: 1 files hold nothing that is known and were passed over (own.csv)" in gathered.notes


def test_our_domains_and_contacts_may_stand_in_the_mapping(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('[people]\nour_domains = ["ours.example"]\ncontacts = "people.csv"\n')
    (tmp_path / "people.csv").write_text("email,account_id,contact_id\nacme.example,A17,\n")
    gathered = gather([mails(tmp_path / "mails")], ImportOptions(mapping, until=NOW))
    assert gathered.rows["interactions"]["account_id"].to_pylist() == ["A17"]
    own = tmp_path / "own.csv"
    own.write_text("email,account_id,contact_id\nann@acme.example,A18,ann\n")
    gathered = gather([tmp_path / "mails"], ImportOptions(mapping, contacts=own, until=NOW))
    assert gathered.rows["interactions"]["account_id"].to_pylist() == ["A18"]


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ('our_domains = "ours.example"', "our_domains 'ours.example' must be a list of domains and addresses"),
        ("contacts = 3", "contacts 3 must be the name of a file"),
        ("domains = []", "'domains' is not known; allowed are our_domains, contacts"),
    ],
)
def test_people_of_a_mapping_are_checked(tmp_path: Path, people: str, told: str) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(f"[people]\n{people}\n")
    with pytest.raises(SourceError, match=told):
        gather([mails(tmp_path / "mails")], ImportOptions(mapping))


@pytest.mark.parametrize("files", [{"notes.txt": "hello"}, {"own.csv": "a,b\n1,2\n"}])
def test_what_is_of_no_known_kind_is_told(tmp_path: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(SourceError, match=rf"is of no known kind; .* rapport import --suggest {name} proposes"):
            gather([tmp_path / name])
    with pytest.raises(SourceError, match="holds nothing that is known"):
        gather([tmp_path])
    with pytest.raises(SourceError, match="there is no such file or folder"):
        gather([tmp_path / "nowhere"])


def test_what_a_source_found_is_checked_and_named_by_its_place(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(f"email,account_id\nann@acme.example,{'A' * 201}\n")
    folder = mails(tmp_path / "mails")
    mail_samples.put(folder, {"2.eml": mail_samples.mail(From="Cy <cy@other.example>")})
    gathered = gather([folder], ImportOptions(our_domains=OURS.our_domains, contacts=people, until=NOW))
    assert gathered.rows["interactions"]["account_id"].to_pylist() == ["other.example"]
    assert {(one.file, one.row, one.column) for one in gathered.rejects} >= {("1.eml", 1, "account_id")}
    assert (gathered.counts["interactions"].read, gathered.counts["interactions"].rejected) == (2, 1)


# Into a folder, into a store, or only for trial


def test_a_store_takes_what_is_new_and_the_summary_tells(tmp_path: Path) -> None:
    store = str(tmp_path / "clients.db")
    file = touches(tmp_path, "interactions.csv", 1, 2)
    first = import_to_store([file], store, NOW)
    assert (first.stored["interactions"].new, first.stored["interactions"].repeated) == (2, 0)
    file = touches(tmp_path, "interactions.csv", 1, 2, 3)
    again = import_to_store([file], store, NOW + 1)
    assert (again.stored["interactions"].new, again.stored["interactions"].repeated) == (1, 2)
    assert "interactions: 3 rows read, 1 new, 0 updated, 2 repeated" in list(told(again))
    assert len(open_tables(store).interactions) == 3


def test_a_store_and_a_folder_give_the_same_tables(tmp_path: Path) -> None:
    sources = [touches(tmp_path / "a", "interactions.csv", 1, 2).parent, mails(tmp_path / "b")]
    import_to_folder(sources, tmp_path / "tables", OURS)
    import_to_store(sources, str(tmp_path / "s.db"), NOW, OURS)
    in_folder, in_store = open_tables(tmp_path / "tables"), open_tables(tmp_path / "s.db")
    assert in_store.interactions.equals(in_folder.interactions)
    assert in_store.contacts.equals(in_folder.contacts)
    assert open_dataset(tmp_path / "s.db").sha256 == open_dataset(tmp_path / "tables").sha256


def test_a_trial_writes_nothing_and_counts_what_would_be_new(tmp_path: Path) -> None:
    file, store = touches(tmp_path, "interactions.csv", 1, 2), str(tmp_path / "clients.db")
    summary = try_import([file], NOW, store=store)
    assert summary.counts["interactions"].kept == 2
    assert any("There is no store" in note for note in summary.notes)
    assert [path.name for path in tmp_path.iterdir()] == ["interactions.csv"]
    import_to_store([file], store, NOW)
    touches(tmp_path, "interactions.csv", 2, 3)
    summary = try_import([file], NOW + 1, store=store)
    assert (summary.stored["interactions"].new, summary.stored["interactions"].repeated) == (1, 1)
    assert len(open_tables(store).interactions) == 2
    assert len(Store(store).batches()) == 1


def test_what_a_store_turned_away_goes_to_a_file_that_is_whole(tmp_path: Path) -> None:
    file, rejects = tmp_path / "interactions.csv", tmp_path / "rejects.csv"
    file.write_text(TOUCH + "1,A,soon,message,client\n2,A,2024-05-01,sang,client\n2,,2024-05-01,sang,client\n")
    rejects.write_text("of an earlier import")
    summary = import_to_store([file], str(tmp_path / "s.db"), NOW, reject_file=rejects)
    assert summary.rejected == 3
    assert summary.reject_file == rejects
    assert [line.split(",")[:3] for line in rejects.read_text().splitlines()] == [
        ["file", "row", "column"],
        ["interactions.csv", "1", "at"],
        ["interactions.csv", "2", "kind"],
        ["interactions.csv", "3", "account_id"],
        ["interactions.csv", "3", "kind"],
    ]
    assert isinstance(summary.rejects[0], Reject)


def test_a_source_that_cannot_be_read_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("id\n1\n")
    with pytest.raises(SourceError, match="has no column"):
        import_to_store([tmp_path / "interactions.csv"], str(tmp_path / "s.db"), NOW)
    with pytest.raises(NoSuchStore, match="there is no such store"):
        open_tables(tmp_path / "s.db")


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("hello, I am a text and no database at all; " * 40)
    with pytest.raises(StoreError, match=r"s\.db"):
        open_dataset(tmp_path / "s.db")


# The command


def run(*arguments: str | Path, code: int = 0) -> str:
    answer = CliRunner().invoke(app, ["import", *map(str, arguments)])
    assert answer.exit_code == code, answer.output
    return answer.stderr


def test_the_store_is_that_of_the_environment_else_one_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAPPORT_STORE", raising=False)
    file = touches(tmp_path / "raw", "interactions.csv", 1)
    assert "Next: rapport train\n" in run(file)
    assert (tmp_path / "rapport.db").is_file()
    monkeypatch.setenv("RAPPORT_STORE", str(tmp_path / "own.db"))
    assert "1 new" in run(file)
    assert f"Next: rapport train {tmp_path / 'else.db'}\n" in run(file, "--store", tmp_path / "else.db")
    assert "1 rows" in run(file, "--out", tmp_path / "tables")
    assert open_dataset(tmp_path / "tables").sha256 == open_dataset(tmp_path / "own.db").sha256


def test_mails_without_our_domains_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = mails(tmp_path / "mails")
    answer = CliRunner().invoke(app, ["import", str(folder)])
    assert isinstance(answer.exception, SourceError)
    assert "Name them with --our-domain; the most frequent are acme.example, ours.example" in str(answer.exception)
    assert "1 read, 1 imported" in run(folder, "--our-domain", "ours.example", "--dry-run")
    assert not (tmp_path / "rapport.db").exists()


def test_a_mapping_is_proposed_and_then_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "calls.csv"
    rows = "".join(f"{number},A,2024-05-0{number},call,us\n" for number in (1, 2, 3))
    file.write_text(f"Call ID,Customer,Date,Type,Direction\n{rows}")
    assert "Proposed mapping written to calls.toml" in run("--suggest", file)
    proposed = (tmp_path / "calls.toml").read_text()
    assert "[interactions.columns]" in proposed
    shutil.copy(tmp_path / "calls.toml", tmp_path / "kept.toml")
    answer = CliRunner().invoke(app, ["import", "--suggest", str(file)])
    assert "calls.toml: exists" in str(answer.exception)
    assert "3 rows read, 3 new" in run(file, "--map", tmp_path / "kept.toml")
    assert CliRunner().invoke(app, ["import", "--suggest", str(tmp_path)]).exit_code == 2
