"""Useful arithmetic: what a model must multiply for a comment, and how fast this machine multiplies.

Utilisation in the sense of Chowdhery et al. 2022, "PaLM: Scaling Language Modeling with Pathways"
(model FLOPs utilisation, appendix B): operations that the task needs, over those that the hardware
can do in the time. The numerator counts the comment's real tokens, prompt included, without
padding, and is the same for every implementation: 2 operations a token and weight forwards, 2 for
the gradients of activations, 2 for those of weights. LoRA leaves most weights as they are, and so
needs no gradients of them. Attention's products of activations, embeddings and the output head are
left out: small at these lengths, or needed once a comment. An implementation that does
less than that, such as reading a shared question once or ending the backward pass half-way, shows a
higher share; one that pads or computes logits nobody reads, a lower one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What decides how much work a contest is."""

    checkpoint: str  # as given, or our model's default
    precision: str  # fp32 or bf16
    max_length: int | None
    matmul_parameters: int  # weights that every token is multiplied by
    tokens_per_comment: float  # mean over the comments of the timed slices


def useful_flops(parameters: int, tokens: float, *, trains: bool, all_weights: bool) -> float:
    """Operations that a comment's tokens need.

    Args:
        parameters: by which every token is multiplied.
        trains: backwards too; else forwards only.
        all_weights: whether training changes them all, or adapters beside them.
    """
    passes = 1 + (1 + all_weights if trains else 0)
    return 2.0 * passes * parameters * tokens
