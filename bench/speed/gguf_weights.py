"""Write the weights of a Llama-family model as a GGUF file for llama.cpp.

llama.cpp's own converter is a script of its repository and no package has it. The file has no
vocabulary: the entry tokenizes as our model does. See
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from pathlib import Path
from typing import Any

import gguf
import torch
import transformers

from worthit.datasets.errors import CheckpointError
from worthit.models.weights import checkpoints

_ARCHITECTURE = gguf.MODEL_ARCH.LLAMA


def write(folder: Path, file: Path, quantization: str) -> None:
    """Convert a folder for `from_pretrained`.

    Args:
        quantization: of the matrices: F32, BF16 or Q8_0. Norms stay in fp32.

    Raises:
        CheckpointError: the model is not a Llama, has biases, or stretches its rotary positions.
    """
    config = checkpoints.config(folder)
    _require_plain_llama(config)
    model = checkpoints.network(transformers.AutoModelForCausalLM, folder, dtype=torch.float32)
    kind = gguf.GGMLQuantizationType[quantization]
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[_ARCHITECTURE])
    _add_settings(writer, config, kind)
    names = gguf.get_tensor_name_map(_ARCHITECTURE, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        target = str(names.get_name(name, try_suffixes=(".weight",)))
        weights = _reordered(name, tensor, config).contiguous().numpy()
        if weights.ndim == 1:
            writer.add_tensor(target, weights)
        else:
            writer.add_tensor(target, gguf.quants.quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _require_plain_llama(config: Any) -> None:
    rope = config.rope_parameters["rope_type"]
    biases = config.attention_bias or config.mlp_bias if config.model_type == "llama" else False
    if config.model_type != "llama" or rope != "default" or biases:
        raise CheckpointError(
            f"llama.cpp is compared with plain Llama models, but this one is {config.model_type} "
            f"with {rope} rotary positions{' and biases' if biases else ''}"
        )


def _add_settings(writer: Any, config: Any, kind: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[kind.name]])
    writer.add_tokenizer_model("none")


_FILE_TYPES = {"F32": "ALL_F32", "BF16": "MOSTLY_BF16", "Q8_0": "MOSTLY_Q8_0"}


def _reordered(name: str, weights: torch.Tensor, config: Any) -> torch.Tensor:
    """Queries and keys in llama.cpp's order: it rotates neighbouring rows, transformers the halves."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    count = heads.get(name.split(".")[-2])
    if count is None:
        return weights
    halves = weights.reshape(count, 2, -1, weights.shape[1])
    return halves.transpose(1, 2).reshape(weights.shape)
