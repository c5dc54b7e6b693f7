"""bench/forecast/networks.py: sizes of a checkpoint from its headers."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from worthit.bench.forecast import networks


def test_sizes_are_those_of_the_loaded_network(tiny_bert: Path) -> None:
    import transformers

    found = networks.find(str(tiny_bert))
    assert found is not None
    loaded = transformers.AutoModel.from_pretrained(tiny_bert)
    config = json.loads((tiny_bert / "config.json").read_text())
    assert (found.width, found.layers) == (config["hidden_size"], config["num_hidden_layers"])
    assert found.parameters >= sum(each.numel() for each in loaded.encoder.parameters())
    linear = sum(each.numel() for each in loaded.encoder.layer.parameters() if each.dim() == 2)
    assert found.layer_weights == linear
    assert not found.is_llm


def test_a_packaged_network_that_is_not_here_has_its_size_and_download() -> None:
    found = networks.find("SmolLM2-135M-Instruct")
    assert found is not None
    assert found.folder is None
    assert found.download_bytes == 92_871_040
    assert found.is_llm


@pytest.mark.parametrize("given", ["no/such", "/no/such/folder", "not a name", "x.gguf"])
def test_unknown_checkpoints_have_no_network(given: str) -> None:
    assert networks.find(given) is None


def test_tokens_stop_at_the_limit_and_count_the_question() -> None:
    encoder, llm = map(networks.find, ("all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"))
    assert encoder is not None
    assert llm is not None
    assert networks.tokens(encoder, ["a" * 4_000], 128) == 128
    assert networks.tokens(encoder, ["a" * 40, "a" * 80], 128) == pytest.approx(17)
    assert networks.tokens(llm, ["a" * 4_000], 128) == 128 + networks.PROMPT_TOKENS
    assert networks.tokens(encoder, ["a" * 4_000], None) > 900


def test_a_tokenizer_that_cannot_be_read_is_estimated(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    network = networks.Network(1, 1, 8, 1, is_llm=False, folder=tmp_path)
    assert networks.tokens(network, ["a" * 40, "a" * 80], 128) == pytest.approx(17)


def test_a_damaged_folder_has_no_network(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert networks.find(str(tmp_path)) is None


def test_a_pointer_of_git_lfs_in_place_of_weights_has_no_network(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    pointer = "version https://git-lfs.github.com/spec/v1\n"  # as a length, more than memory has
    (tmp_path / "model.safetensors").write_text(pointer)
    assert networks.find(str(tmp_path)) is None


def test_a_gguf_file_that_is_not_converted_yet_has_its_sizes(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_embedding_length(8)
    writer.add_block_count(2)
    writer.add_tensor("token_embd.weight", np.zeros((32, 8), np.float32))
    for layer in range(2):
        writer.add_tensor(f"blk.{layer}.attn_q.weight", np.zeros((8, 8), np.float32))
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = networks.find(str(file))
    assert found == networks.Network(32 * 8 + 2 * 72, 2 * 64, 8, 2, is_llm=True, folder=None)


def test_a_damaged_gguf_file_has_no_network(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"no gguf at all")
    assert networks.find(str(file)) is None
