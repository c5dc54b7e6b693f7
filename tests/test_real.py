"""A few tests on the real comments and the real weights, which are downloaded once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests import chat_server
from tests.smollm_server import SmolLM
from worthit.datasets import prepare
from worthit.datasets.splits.protocol import Protocol
from worthit.models.bert import Bert
from worthit.models.endpoint import Endpoint, EndpointSettings
from worthit.models.llama import Llama, LlamaSettings
from worthit.models.llama_zero_shot import LlamaZeroShot, ZeroShotSettings
from worthit.models.transformer.bert_settings import BertSettings

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def prepared() -> prepare.Prepared:
    return prepare.prepare("wikipedia", Protocol(train_size=400, test_size=200, natural_size=200))


def test_the_corpus_has_the_comments_and_labels_its_authors_describe(
    prepared: prepare.Prepared,
) -> None:
    first = prepared.steps[0]
    assert (first.comments, first.toxic) == (159_686, 15_362)
    assert prepared.stream
    assert prepared.population[1] / sum(prepared.population) == pytest.approx(0.0135, abs=0.0005)
    foreign = prepared.steps[1].comments - prepared.steps[2].comments
    assert 0 < foreign < 200  # nearly all of the corpus is English


def test_no_real_test_comment_is_trained_on(prepared: prepare.Prepared) -> None:
    def folded(part: str) -> set[str]:
        return {
            " ".join(text.casefold().split()) for text in prepare.comments(prepared.key, part).texts
        }

    assert not folded("train") & (folded("test") | folded("natural"))


def test_a_tenth_of_the_natural_comments_are_toxic(prepared: prepare.Prepared) -> None:
    """In proportion it would be 3 of 200."""
    assert prepare.comments(prepared.key, "natural").labels.sum() == 20


def test_minilm_learns_from_400_comments(prepared: prepare.Prepared, tmp_path: Path) -> None:
    train, test = (prepare.comments(prepared.key, part) for part in ("train", "test"))
    model = Bert(BertSettings(epochs=1)).fit(train.texts, train.labels)
    scores = model.predict_proba(test.texts)[:, 1]
    assert roc_auc_score(test.labels, scores) > 0.85
    model.save(tmp_path)
    assert Bert.load(tmp_path).predict_proba(test.texts)[:, 1] == pytest.approx(scores, abs=0.02)


def test_smollm2_is_a_llama_that_tuning_changes(prepared: prepare.Prepared, tmp_path: Path) -> None:
    train, test = (prepare.comments(prepared.key, part) for part in ("train", "test"))
    untuned = LlamaZeroShot().fit(train.texts, train.labels)
    assert untuned.size().parameters == 134_515_008
    tuned = Llama(LlamaSettings(epochs=1)).fit(train.texts[:80], train.labels[:80])
    tuned.save(tmp_path)
    loaded = Llama.load(tmp_path)
    before, after, again = (
        model.predict_proba(test.texts[:40])[:, 1] for model in (untuned, tuned, loaded)
    )
    assert again == pytest.approx(after, abs=0.05)  # bf16, merged in another order
    assert np.abs(after - before).mean() > 0.05


def test_smollm_on_a_server_gives_the_probabilities_of_its_own_tokens(
    prepared: prepare.Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worthit.models.chat.answer_cache.cache_folder", tmp_path.joinpath)
    train, test = (prepare.comments(prepared.key, part) for part in ("train", "test"))
    texts, language_model = list(test.texts[:12]), SmolLM()
    with chat_server.serve(language_model.answer) as server:
        model = Endpoint(EndpointSettings(model="SmolLM2", url=server.url, shots=2))
        model.fit(train.texts, train.labels)
        asked = model.ask(texts, 4)
    assert len(server.requests) == 1 + len(texts)
    for one in asked:
        assert one.completion is not None
        assert one.problem in ("", "names no class")
    answered = [(text, one) for text, one in zip(texts, asked, strict=True) if one.scores]
    by_token = [one for _, one in answered if one.scores and one.scores.how != "text"]
    assert len(by_token) >= len(texts) // 2
    bodies = {body["messages"][-1]["content"]: body for body in server.requests}
    for text, one in answered:
        assert one.scores is not None
        assert one.completion is not None
        ids = language_model.prompt(bodies[f"Comment: {text[:4000]}\nAnswer:"]["messages"])
        assert one.completion.prompt_tokens == ids.shape[1]
        with torch.inference_mode():
            shares = language_model.network(ids).logits[0, -1].softmax(0)
        first = {
            name: float(shares[language_model.tokenizer(name)["input_ids"][0]])
            for name in ("True", "False")
        }
        if one.scores.how == "log-probabilities":
            own = first["True"] / (first["True"] + first["False"])
            assert one.scores.probabilities[1] == pytest.approx(own, abs=0.1)


def test_smollm2_knows_toxic_comments_if_it_is_asked_well(prepared: prepare.Prepared) -> None:
    test = prepare.comments(prepared.key, "test")
    model = LlamaZeroShot(ZeroShotSettings(prompt="statement:all")).fit(test.texts, test.labels)
    assert roc_auc_score(test.labels[:80], model.predict_proba(test.texts[:80])[:, 1]) > 0.75
