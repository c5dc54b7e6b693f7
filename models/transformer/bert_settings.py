"""The settings of `bert`, in a file of their own: scoring with ONNX Runtime must not import torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BertSettings:
    checkpoint: str = "all-MiniLM-L6-v2"  # packaged name, folder or hub id
    max_length: int | None = 128  # tokens per comment; None: as many as the encoder reads
    learning_rate: float | None = None  # None: 2e-4 below 50 M parameters, else 3e-5
    batch_size: int = 16
    micro_batch_size: int | None = None  # computed at once, on accelerators; None: what fits
    epochs: int | None = None  # None: more for few comments (`epochs`)
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    dropout: float | None = 0.0  # None: the checkpoint's, which is slower and no better here
    precision: str = "auto"  # auto: bf16 where it is faster; or fp32, bf16
    scoring_batch_size: int = 128  # at most, on CPUs; fewer for long comments
