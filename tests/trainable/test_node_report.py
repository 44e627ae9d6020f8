"""What a machine of a cluster says of itself. It is asked here, without Ray."""

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from src.cards import Card
from src.config.overrides import Overrides
from src.errors import UserError
from src.provenance import provenance
from trainable.node_report import Question, look_for_cards, report_node


@pytest.fixture
def question(tiny: list[str], tmp_path: Path) -> Question:
    lock = tmp_path / ".sweep.lock"
    lock.write_text("process 7")
    return Question(lock, ("src/cards.py", "src/nothing.py"), Overrides.parse(tiny), (Overrides.parse(tiny),))


def test_a_machine_reports_its_software_its_data_and_what_it_sees_of_the_sweeps_folder(question: Question):
    report = report_node(question)
    assert report.packages == provenance()["packages"]
    assert len(report.code["src/cards.py"]) == 12
    assert report.code["src/nothing.py"] == ""
    assert (report.lock_text, report.not_writable) == ("process 7", "")
    assert {*report.data} == {"train", "val", "test"}
    assert all(len(fingerprint) == 16 for fingerprint in report.data.values())
    assert report.free_mib > 0
    assert report.weights == {}  # the networks start from random weights


def test_a_folder_that_is_not_here_and_images_that_cannot_be_read_are_sentences(question: Question, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    fixed = question.fixed.plus([f"data.root={elsewhere}"])
    report = report_node(replace(question, lock=elsewhere / ".sweep.lock", fixed=fixed))
    assert report.lock_text == ""
    assert str(elsewhere) in report.not_writable
    assert str(elsewhere) in report.data["train"]


def test_a_lock_that_is_taken_elsewhere_is_seen_if_the_disk_passes_it_on(question: Question):
    assert report_node(question).lock_is_free
    with question.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not report_node(question).lock_is_free


def test_weights_that_are_not_here_are_told_from_those_that_are(question: Question, monkeypatch: pytest.MonkeyPatch):
    networks = tuple(
        question.fixed.plus([f"model.encoder={name}", "model.encoder.pretrained=auto"])
        for name in ("resnet18", "resnet34")
    )
    monkeypatch.setattr(
        "src.models.registry.build_model", lambda model, size: (None, model.encoder.name == "resnet18")
    )  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]
    assert report_node(replace(question, networks=networks)).weights == {"unet resnet18": True, "unet resnet34": False}


def test_cards_that_cannot_be_used_are_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def refuse(device: str) -> list[Card]:
        raise UserError("the driver is too old")

    assert look_for_cards("cpu") == ()
    monkeypatch.setattr("trainable.node_report.find_cards", refuse)
    assert look_for_cards("auto") == "the driver is too old"
