"""datasets/sources/hub.py: datasets of the hub, and its errors in one line.

The library is real if it is installed; the hub is always faked.
"""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from worthit.datasets import prepare, registry
from worthit.datasets.errors import DataError
from worthit.datasets.sources import hub
from worthit.datasets.splits.protocol import Protocol
from worthit.datasets.tables.columns import Choices


class NotFoundError(FileNotFoundError): ...


class Feature:
    def __init__(self, *names: str) -> None:
        self.names = list(names)


class FakeSplit:
    """The part of a split that is read."""

    _indices = None

    def __init__(self, **columns: Any) -> None:
        self.data = SimpleNamespace(table=pa.table(columns))
        self.features: dict[str, Any] = {"label": Feature("ham", "spam")}

    def with_format(self, kind: None) -> "FakeSplit":
        return self


def fake(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def load_dataset(dataset_id: str, configuration: str | None) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    library = SimpleNamespace(
        load_dataset=load_dataset, exceptions=SimpleNamespace(DatasetNotFoundError=NotFoundError)
    )
    monkeypatch.setattr(hub, "importlib", SimpleNamespace(import_module=lambda name: library))


def rows(first: int, last: int, labelled: bool = True) -> FakeSplit:
    numbers = range(first, last)
    labels = [i % 2 if labelled else -1 for i in numbers]
    return FakeSplit(sentence=[f"comment number {i}" for i in numbers], label=labels)


def test_given_splits_and_class_names_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {"train": rows(0, 80), "validation": rows(80, 100), "test": rows(100, 120, False),
                       "unsupervised": rows(120, 130, False)})  # fmt: skip
    made = prepare.prepare("someone/mail:plain", Protocol())
    assert made.title == "someone/mail (plain)"
    assert made.classes == ("ham", "spam")
    assert set(prepare.comments(made.key, "test").texts) == {
        f"comment number {i}" for i in range(80, 100)
    }
    assert made.steps[0].name == "in the corpus, 20 rows without a label left out"
    assert "splits that are neither train nor test, left out: unsupervised" in made.notes


def test_a_dataset_with_one_split_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {"train": rows(0, 200)})
    made = prepare.prepare("hub:someone/mail", Protocol())
    assert made.step("test, balanced").counts == (10, 10)


def test_splits_that_a_test_file_replaces_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"train": rows(0, 80), "validation": rows(80, 90), "test": rows(90, 100)})
    lines = [f"another comment {i},{('ham', 'spam')[i % 2]}" for i in range(20)]
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["sentence,label", *lines]))
    made = prepare.prepare("someone/mail", Protocol(), Choices(test_file=file))
    assert made.step("test").comments == 20
    assert "splits that --test-file replaces, left out: test, validation" in made.notes


def test_several_labels_of_a_text_have_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [[0], [0, 1], [2], [1, 2]]
    texts = [f"comment number {i}" for i in range(80)]
    split = FakeSplit(sentence=texts, labels=[sets[i % 4] for i in range(80)])
    split.features = {"labels": SimpleNamespace(feature=Feature("joy", "anger", "fear"))}
    fake(monkeypatch, {"train": split})
    made = prepare.prepare("someone/feelings", Protocol(), Choices(multilabel=True))
    assert made.classes == ("anger", "fear", "joy")
    assert made.steps[0].counts == (40, 40, 40)


def test_the_fingerprint_depends_on_content_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = []
    for last, choices in (
        (80, Choices()),
        (80, Choices()),
        (81, Choices()),
        (80, Choices(label_column="x")),
    ):
        fake(monkeypatch, {"train": rows(0, last)})
        prints.append(registry.source("hub:a/b", choices).fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."),
         "there is no file or folder a/b, and no public dataset with that id on the hub; check the "
         "spelling, or run `hf auth login`"),
        (NotFoundError("Dataset 'a/b' is a gated dataset on the Hub. Visit the page."),
         "a/b is gated; accept its terms at https://huggingface.co/datasets/a/b, run `hf auth login`, and run again"),
        (ConnectionError("Couldn't reach 'a/b' on the Hub (ConnectError)"),
         "the hub cannot be reached for a/b, and it is not in its cache; go online (and unset HF_HUB_OFFLINE), "
         "or give a file"),
        (ValueError("Config name is missing.\nPlease pick one among: ['x', 'y']"),
         "a/b has several configurations; name one: hub:a/b:NAME (Config name is missing. Please pick one "
         "among: ['x', 'y'])"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"),
         "a/b cannot be read from the hub (Dataset scripts are no longer supported, but found b.py); download it "
         "as Parquet and give the file"),
    ],
)  # fmt: skip
def test_each_error_of_the_hub_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    fake(monkeypatch, error)
    with pytest.raises(DataError) as caught:
        prepare.prepare("a/b", Protocol())
    assert str(caught.value) == line


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = SimpleNamespace()  # what `import datasets` finds if theirs is not installed
    monkeypatch.setattr(hub, "importlib", SimpleNamespace(import_module=lambda name: ours))
    with pytest.raises(
        DataError, match=r"install the library that reads it: pip install 'worthit\[hub\]'$"
    ):
        prepare.prepare("a/b", Protocol())


def test_a_dataset_saved_to_disk_is_read(tmp_path: Path) -> None:
    library: Any = importlib.import_module("datasets")
    if not hasattr(library, "load_dataset"):
        pytest.skip("the extra `hub` is not installed")
    kinds = library.Features(
        sentence=library.Value("string"), label=library.ClassLabel(names=["ham", "spam"])
    )
    made = library.DatasetDict({
        name: library.Dataset.from_dict(
            {"sentence": [f"comment {i}" for i in numbers], "label": [i % 2 for i in numbers]}, features=kinds
        ).shuffle(seed=1)
        for name, numbers in (("train", range(100)), ("test", range(100, 120)))
    })  # fmt: skip
    made.save_to_disk(str(tmp_path / "saved"))
    found = prepare.prepare(str(tmp_path / "saved"), Protocol())
    assert found.classes == ("ham", "spam")
    test = prepare.comments(found.key, "test")
    assert set(test.texts) == {f"comment {i}" for i in range(100, 120)}
    assert all(
        int(text.split()[1]) % 2 == label
        for text, label in zip(test.texts, test.labels, strict=True)
    )
    # Tests are offline.
    with pytest.raises(DataError, match=r"^the hub cannot be reached for nobody/nothing"):
        prepare.prepare("hub:nobody/nothing", Protocol())


def test_a_damaged_saved_dataset_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(
        DataError, match=r"looks like a saved dataset but cannot be read|install the library"
    ) as caught:
        prepare.prepare(str(tmp_path), Protocol())
    assert "\n" not in str(caught.value)
