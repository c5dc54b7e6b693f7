"""embeddings pool, finish and prompt as the checkpoint's files of sentence-transformers say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file

from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CheckpointError
from worthit.models.contract import silent
from worthit.models.embeddings import Embeddings
from worthit.models.transformer import sentence_modules
from worthit.models.weights import checkpoints

TEXTS = ["you stupid clown", "nice article", "thanks the source is good and the river is old ."]
PROMPT = "the page : "
Checkpoint = Callable[..., Path]


@pytest.fixture
def checkpoint(tiny_bert: Path, tmp_path: Path) -> Checkpoint:
    """A tiny BERT with files of sentence-transformers: `modules` after the encoder."""

    def make(
        pooling: dict[str, Any] | None = None,
        modules: tuple[str, ...] = ("Pooling",),
        **files: dict[str, Any],
    ) -> Path:
        folder = tmp_path / f"checkpoint{len(list(tmp_path.iterdir()))}"
        shutil.copytree(tiny_bert, folder)
        listed = [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
        ]
        for number, kind in enumerate(modules, 1):
            path = f"{number}_{kind}"
            (folder / path).mkdir()
            kind_path = f"sentence_transformers.models.{kind}"
            listed.append({"idx": number, "name": f"{number}", "path": path, "type": kind_path})
        write(folder / "modules.json", listed)
        if pooling is not None:
            write(folder / "1_Pooling" / "config.json", pooling)
        for name, content in files.items():
            write(folder / f"{name}.json", content)
        return folder

    return make


def write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content), "utf-8")


def flags(*modes: str) -> dict[str, Any]:
    return {flag: mode in modes for flag, mode in sentence_modules._FLAGS.items()}


def embed(
    folder: Path, texts: list[str] = TEXTS, pads: bool = False, **settings: Any
) -> np.ndarray:
    """The embeddings, shape (n, dimensions)."""
    model = Embeddings(device="cpu", classes=TOXIC)
    model.pads = pads  # type: ignore[misc]
    model.set_params(checkpoint=str(folder), precision="fp32", **settings)
    model._open_checkpoint()
    return model._embed_all(texts, silent)


def states_of(folder: Path, text: str) -> torch.Tensor:
    """The encoder's states of one text, shape (tokens, size)."""
    tokenizer = checkpoints.tokenizer(folder)
    network = transformers.BertModel.from_pretrained(folder)
    with torch.no_grad():
        states: torch.Tensor = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return states


EXPECTED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "cls": lambda states: states[0],
    "max": lambda states: states.max(dim=0).values,
    "mean": lambda states: states.mean(dim=0),
    "mean_sqrt_len_tokens": lambda states: states.sum(dim=0) / len(states) ** 0.5,
    "weightedmean": lambda states: (
        (states * torch.arange(1, len(states) + 1)[:, None]).sum(dim=0)
        / sum(range(1, len(states) + 1))
    ),
    "lasttoken": lambda states: states[-1],
}


@pytest.mark.parametrize("pads", [False, True])
@pytest.mark.parametrize("modes", [*((mode,) for mode in EXPECTED), ("lasttoken", "cls", "mean")])
def test_token_vectors_are_pooled_as_the_checkpoint_says(
    checkpoint: Checkpoint, modes: tuple[str, ...], pads: bool
) -> None:
    folder = checkpoint(flags(*modes))
    found = embed(folder, pads=pads)
    for text, vector in zip(TEXTS, found, strict=True):
        states = states_of(folder, text)
        expected = torch.cat([EXPECTED[mode](states) for mode in EXPECTED if mode in modes])
        expected = torch.nn.functional.normalize(expected, dim=0)
        assert vector == pytest.approx(expected.numpy(), abs=1e-4)


def test_newer_files_name_their_modes(checkpoint: Checkpoint) -> None:
    assert embed(checkpoint({"pooling_mode": "cls"})) == pytest.approx(
        embed(checkpoint(flags("cls")))
    )
    assert embed(checkpoint({"pooling_mode": ["max", "cls"]})).shape == (3, 64)
    reversed_order = embed(checkpoint({"pooling_mode": ["cls", "max"]}))
    assert embed(checkpoint(flags("max", "cls"))) == pytest.approx(reversed_order)


def test_without_files_the_mean_is_taken(tiny_bert: Path, checkpoint: Checkpoint) -> None:
    assert embed(tiny_bert) == pytest.approx(embed(checkpoint(flags("mean"))))


@pytest.mark.parametrize("pads", [False, True])
@pytest.mark.parametrize("included", [True, False])
def test_the_default_prompt_precedes_each_text(
    checkpoint: Checkpoint, included: bool, pads: bool
) -> None:
    named = {"prompts": {"classify": PROMPT, "other": "x"}, "default_prompt_name": "classify"}
    pooling = flags("mean") | {"include_prompt": included}
    folder = checkpoint(pooling, config_sentence_transformers=named)
    found = embed(folder, pads=pads)
    for text, vector in zip(TEXTS, found, strict=True):
        states = states_of(folder, PROMPT + text)[0 if included else 4 :]  # [CLS] the page :
        expected = torch.nn.functional.normalize(states.mean(dim=0), dim=0)
        assert vector == pytest.approx(expected.numpy(), abs=1e-4)
    unused = {"prompts": {"classify": PROMPT}, "default_prompt_name": None}
    plain = checkpoint(pooling, config_sentence_transformers=unused)
    assert embed(plain) == pytest.approx(embed(checkpoint(flags("mean"))))


def test_a_prompt_leaves_the_comment_its_length(checkpoint: Checkpoint) -> None:
    named = {"prompts": {"classify": PROMPT}, "default_prompt_name": "classify"}
    folder = checkpoint(flags("mean"), config_sentence_transformers=named)
    long = "nice article thanks"
    assert embed(folder, [long], max_length=2) == pytest.approx(
        embed(folder, ["nice article"], max_length=2), abs=1e-6
    )
    assert embed(folder, [long], max_length=3) != pytest.approx(
        embed(folder, ["nice article"], max_length=3), abs=1e-3
    )


def test_the_checkpoint_limits_tokens_and_makes_letters_small(checkpoint: Checkpoint) -> None:
    limits = {"max_seq_length": 5, "do_lower_case": True}
    folder = checkpoint(flags("mean"), sentence_bert_config=limits)
    long, cut = ["nice article thanks you"], ["nice article thanks"]
    assert embed(folder, long, max_length=None) == pytest.approx(embed(folder, cut), abs=1e-6)
    assert embed(folder, long) != pytest.approx(embed(folder, cut), abs=1e-3)
    assert sentence_modules.read(folder, "given", "cpu").text("NICE ") == "nice"


@pytest.mark.parametrize("pads", [False, True])
def test_a_dense_layer_follows(checkpoint: Checkpoint, pads: bool) -> None:
    torch.manual_seed(1)
    weight, bias = torch.randn(8, 32), torch.randn(8)
    folder = checkpoint(flags("mean"), ("Pooling", "Dense", "Normalize"))
    write(folder / "2_Dense" / "config.json", {
        "in_features": 32, "out_features": 8, "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    })  # fmt: skip
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense/model.safetensors")
    for text, vector in zip(TEXTS, embed(folder, pads=pads), strict=True):
        pooled = states_of(folder, text).mean(dim=0)
        expected = torch.nn.functional.normalize(torch.tanh(weight @ pooled + bias), dim=0)
        assert vector == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.parametrize(
    ("modules", "pooling", "complaint"),
    [
        (("Pooling", "LSTM"), flags("mean"), "has the step LSTM; known: Pooling, Dense"),
        (("CNN", "Pooling"), None, "does not pool after its encoder"),
        (("Pooling",), flags(), "pools by nothing; known: cls"),
        (("Pooling",), {"pooling_mode": "median"}, "pools by median; known: cls"),
        (("Pooling",), {"pooling_mode_median_tokens": True}, "pools by pooling_mode_median_tokens"),
        (("Pooling",), flags("cls") | {"include_prompt": False}, "first token without the prompt"),
        (("Pooling",), None, "has damaged files of sentence-transformers"),
        (("Pooling", "Dense"), flags("mean"), "has damaged files of sentence-transformers"),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(
    checkpoint: Checkpoint, modules: tuple[str, ...], pooling: dict[str, Any], complaint: str
) -> None:
    folder = checkpoint(pooling, modules)
    with pytest.raises(CheckpointError, match=complaint) as refused:
        Embeddings(classes=TOXIC).set_params(checkpoint=str(folder)).prepare()
    assert "\n" not in str(refused.value)


def test_pickled_layers_and_unknown_activations_are_refused(checkpoint: Checkpoint) -> None:
    folder = checkpoint(flags("mean"), ("Pooling", "Dense"))
    config = {"activation_function": "torch.nn.modules.linear.Identity"}
    write(folder / "2_Dense" / "config.json", config)
    with pytest.raises(CheckpointError, match="are never opened"):
        sentence_modules.read(folder, "given", "cpu")
    write(folder / "2_Dense" / "config.json", {"activation_function": "os.system"})
    with pytest.raises(CheckpointError, match="the activation system; known: Identity"):
        sentence_modules.read(folder, "given", "cpu")


def test_another_pooling_is_another_checkpoint(checkpoint: Checkpoint) -> None:
    cls, mean = checkpoint(flags("cls")), checkpoint(flags("mean"))
    assert checkpoints.resolve(str(cls)).identity != checkpoints.resolve(str(mean)).identity


@pytest.mark.parametrize("steps", [("Pooling",), ("Pooling", "Normalize")])
def test_a_plain_mean_is_computed_as_a_sum_of_length_1(
    checkpoint: Checkpoint, steps: tuple[str, ...]
) -> None:
    """Division by the number of tokens would only change the last bits."""
    modules = sentence_modules.read(checkpoint(flags("mean"), steps), "mine", "cpu")
    states, lengths = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]]), torch.tensor([2])
    assert modules.needs_only_direction
    assert modules.pool(states, lengths).tolist() == [[4.0, 6.0]]
