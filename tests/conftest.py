"""What tests share: a cache of their own, warnings as errors, and tiny random checkpoints."""

import json
import string
from collections.abc import Iterable
from pathlib import Path

import pytest

WORDS = (
    "is this comment toxic answer true or false : . the you a nice good helpful thanks stupid "
    "idiot liar clown page article source river old music"
).split()


@pytest.fixture(autouse=True)
def _strict(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each test has an empty cache, unless it is about the real weights and comments."""
    if "real" not in request.keywords:
        monkeypatch.setenv("WORTHIT_CACHE", str(tmp_path / "cache"))
        # On matrices this small two threads wait for each other more than they compute.
        import torch

        torch.set_num_threads(1)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"))
            # Of torch, transformers and bitsandbytes themselves; ours stay errors.
            item.add_marker(pytest.mark.filterwarnings("default::FutureWarning"))
            item.add_marker(pytest.mark.filterwarnings("default:Merge lora module to 4-bit"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, as `from_pretrained` reads it."""
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights and a byte-level tokenizer that knows the answers."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    answers = " ".join(["", "True", "False", *string.ascii_uppercase])
    tokenizer.train_from_iterator([answers * 9, " ".join(WORDS) * 3], trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>"
    )
    fast.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["model_type"] == "llama"
    return folder
