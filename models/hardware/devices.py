"""What a device can do: whether it is there, its name, waiting for it, the precision worth using."""

import functools
import time
from pathlib import Path

import torch

from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash, write_whole
from worthit.datasets.errors import DeviceError, UnknownNameError
from worthit.models.contract import DEVICES
from worthit.models.hardware import malloc, processor

#: up to here plain attention is faster on CPUs than torch's fused one, forwards and backwards; it
#: needs memory by the square of the length
SHORT_TOKENS = 512
# bf16 must be clearly faster to be worth its 8 bits of mantissa.
_WORTHWHILE_SPEEDUP = 1.5
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_DECISION = "precision"


def require(device: str) -> None:
    """Raises UnknownNameError or DeviceError unless torch can compute on `device` here."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if device == "cuda" and not torch.cuda.is_available():
        build = "no CUDA device answers" if torch.version.cuda else "this torch build has no CUDA"
        raise DeviceError(f"device cuda is not available: {build} (torch {torch.__version__})")
    if device == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(f"device mps is not available: no Apple GPU (torch {torch.__version__})")


def use(device: str) -> None:
    """What a model calls before it opens on `device`; raises as `require` does.

    On a CPU the process keeps the memory it frees from then on.
    """
    require(device)
    if device == "cpu":
        malloc.keep_freed()


def synchronize(device: str) -> None:
    """Wait until the device has finished all it was given; on a CPU calls return finished."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


@functools.cache
def worthwhile_dtype(device: str) -> torch.dtype:
    """bf16 where it is measured to multiply matrices at least 1.5 times as fast, else fp32.

    Measured once on a machine, and kept in the cache folder: a busy machine can change its mind,
    and a model trained in one precision is another one than that trained in the other.

    Raises:
        CacheError: the decision cannot be kept.
    """
    cores = str(processor.allowed_cores())
    kind = name(device) or processor.cpu_name()
    key = short_hash(device, kind, cores, torch.__version__, sha256_of(Path(__file__)))
    folder = cache_folder("precision", key)
    if (decided := _decided(folder)) is not None:
        return decided
    damaged, measured = folder.exists(), _worthwhile(device)
    with new_folder(folder, replace=damaged) as scratch:
        write_whole(scratch / _DECISION, measured.encode())
    return _decided(folder) or _DTYPES[measured]  # of two processes at once the first one decides


def _decided(folder: Path) -> torch.dtype | None:
    try:
        return _DTYPES.get((folder / _DECISION).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _worthwhile(device: str) -> str:
    if device == "mps" and not _can_multiply_bf16(device):
        return "fp32"
    speedup = gemm_seconds(device, torch.float32) / gemm_seconds(device, torch.bfloat16)
    return "bf16" if speedup >= _WORTHWHILE_SPEEDUP else "fp32"


def _can_multiply_bf16(device: str) -> bool:
    try:
        torch.ones(2, 2, dtype=torch.bfloat16, device=device) @ torch.ones(
            2, 2, dtype=torch.bfloat16, device=device
        )
    except (RuntimeError, TypeError):  # macOS before 14
        return False
    return True


def gemm_seconds(device: str, dtype: torch.dtype, side: int = 768, repeats: int = 5) -> float:
    """The fastest of a few products of two square matrices, in seconds."""
    a, b = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):  # the first one sets kernels up and is rarely the fastest
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def name(device: str) -> str | None:
    """The accelerator's name; None for the CPU, whose name torch does not know."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return "Apple GPU" if device == "mps" else None


def chosen_dtype(precision: str, device: str) -> torch.dtype:
    """The dtype that a model's `precision` setting stands for on this device.

    Raises:
        UnknownNameError: it is neither auto, fp32 nor bf16.
    """
    if precision == "auto":
        return worthwhile_dtype(device)
    if precision not in _DTYPES:
        raise UnknownNameError("precision", precision, ("auto", *_DTYPES))
    return _DTYPES[precision]


def attention(device: str, longest: int | None) -> str:
    """The transformers implementation of attention that is fastest here.

    On CPUs torch's fused one takes about twice the time of plain products at a hundred tokens,
    forwards and backwards.

    Args:
        longest: tokens of a comment at most; None for no limit.
    """
    short = longest is not None and longest <= SHORT_TOKENS
    return "eager" if device == "cpu" and short else "sdpa"


def fuse_norms(model: torch.nn.Module) -> None:
    """Have torch's fused RMS norm take the place of a model's own steps, where it computes the same."""
    for module in model.modules():
        weight, epsilon = (getattr(module, name, None) for name in ("weight", "variance_epsilon"))
        if isinstance(weight, torch.nn.Parameter) and isinstance(epsilon, float):
            fused = functools.partial(_rms_norm, weight, epsilon)
            sample = torch.randn(2, len(weight), dtype=weight.dtype, device=weight.device)
            with torch.no_grad():
                if torch.allclose(module(sample), fused(sample), rtol=0.02, atol=1e-4):
                    module.forward = fused


def _rms_norm(weight: torch.Tensor, epsilon: float, hidden: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.rms_norm(hidden, weight.shape, weight, epsilon)
