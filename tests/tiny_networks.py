"""Networks of two layers with random weights, of architectures other than those in `conftest`."""

from pathlib import Path

import torch


def make_causal_lm(tokenizer_from: Path, folder: Path, kind: str, **config: object) -> Path:
    """A causal LM of another architecture with random weights; the head's are large enough to matter."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_from)
    tokenizer.save_pretrained(folder)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 128,
        "max_position_embeddings": 512, "head_dim": 32, "pad_token_id": 0,
    }  # fmt: skip
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, **sizes | config)
    )
    for parameter in made.get_output_embeddings().parameters():  # a bias begins as 0
        torch.nn.init.normal_(parameter, std=0.2)
    made.save_pretrained(folder)
    return folder


def make_encoder(tokenizer_from: Path, folder: Path, kind: str, **config: object) -> Path:
    """An encoder of another architecture with random weights."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_from)
    tokenizer.save_pretrained(folder)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 66,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    torch.manual_seed(0)
    made = transformers.AutoModel.from_config(
        transformers.AutoConfig.for_model(kind, **sizes | config)
    )
    made.save_pretrained(folder)
    return folder
