"""Compute devices: availability, names, synchronisation, and the fastest precision and attention."""

import functools
import time
from pathlib import Path

import torch

from worthit.datasets.cache import cache_folder, new_folder, sha256_of, short_hash, write_whole
from worthit.datasets.errors import DeviceError, UnknownNameError
from worthit.models.contract import DEVICES
from worthit.models.hardware import malloc, processor

#: up to this length plain attention is faster on CPUs than torch's fused one, in both directions;
#: its memory grows with the square of the length
SHORT_TOKENS = 512
# bf16 must be clearly faster to justify its 8 bits of mantissa.
_WORTHWHILE_SPEEDUP = 1.5
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_DECISION = "precision"


def require(device: str) -> None:
    """Raise UnknownNameError or DeviceError unless torch can compute on `device` here."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if device == "cuda" and not torch.cuda.is_available():
        build = "no CUDA device answers" if torch.version.cuda else "this torch build has no CUDA"
        raise DeviceError(f"device cuda is not available: {build} (torch {torch.__version__})")
    if device == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(f"device mps is not available: no Apple GPU (torch {torch.__version__})")


def places(device: str) -> int:
    """How many processes can train at once: one per visible CUDA GPU or physical core, one on MPS."""
    if device == "cuda":
        return int(torch.cuda.device_count())
    return processor.allowed_cores() if device == "cpu" else 1


def choose(device: str, number: int) -> None:
    """Let `cuda` mean that visible card from now on; other devices are one."""
    if device == "cuda" and number:
        torch.cuda.set_device(number)


def use(device: str) -> None:
    """Prepare to load a model on `device`; raises like `require`.

    On a CPU, the process keeps the memory that it frees from now on.
    """
    require(device)
    if device == "cpu":
        malloc.keep_freed()


def synchronize(device: str) -> None:
    """Wait until the device has finished its work; on a CPU, calls return when they are done."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


@functools.cache
def worthwhile_dtype(device: str) -> torch.dtype:
    """bf16 if it multiplies matrices at least 1.5 times as fast as fp32 here, else fp32.

    Measured once per machine and saved in the cache folder. Repeated measurements could differ on a
    busy machine, and the precision changes the trained model.

    Raises:
        CacheError: the decision cannot be saved.
    """
    cores = str(processor.allowed_cores())
    kind = name(device) or processor.cpu_name()
    key = short_hash(device, kind, cores, torch.__version__, sha256_of(Path(__file__)))
    folder = cache_folder("precision", key)
    if (saved := _saved_decision(folder)) is not None:
        return saved
    damaged, measured = folder.exists(), _measure_worthwhile(device)
    with new_folder(folder, replace=damaged) as scratch:
        write_whole(scratch / _DECISION, measured.encode())
    return _saved_decision(folder) or _DTYPES[measured]  # the first of two processes decides


def _saved_decision(folder: Path) -> torch.dtype | None:
    try:
        return _DTYPES.get((folder / _DECISION).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _measure_worthwhile(device: str) -> str:
    if device == "mps" and not _can_multiply_bf16(device):
        return "fp32"
    speedup = gemm_seconds(device, torch.float32) / gemm_seconds(device, torch.bfloat16)
    return "bf16" if speedup >= _WORTHWHILE_SPEEDUP else "fp32"


def _can_multiply_bf16(device: str) -> bool:
    try:
        matrix = torch.ones(2, 2, dtype=torch.bfloat16, device=device)
        matrix @ matrix
    except (RuntimeError, TypeError):  # macOS before 14
        return False
    return True


def gemm_seconds(device: str, dtype: torch.dtype, side: int = 768, repeats: int = 5) -> float:
    """Seconds of the fastest of a few products of two square matrices.

    Of random numbers: accelerators multiply equal ones up to 13 % faster.
    """
    generator = torch.Generator(device).manual_seed(0)  # leaves the seed of a training alone
    a, b = (torch.randn(side, side, generator=generator, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):  # the first one sets up kernels
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def name(device: str) -> str | None:
    """The accelerator's name; None for the CPU, which `processor` names."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return "Apple GPU" if device == "mps" else None


def dtype_for(precision: str, device: str) -> torch.dtype:
    """The dtype of a model's `precision` setting on this device.

    Raises:
        UnknownNameError: the precision is not auto, fp32 or bf16.
    """
    if precision == "auto":
        return worthwhile_dtype(device)
    if precision not in _DTYPES:
        raise UnknownNameError("precision", precision, ("auto", *_DTYPES))
    return _DTYPES[precision]


def attention(device: str, longest: int | None) -> str:
    """The fastest attention implementation of transformers.

    On CPUs torch's fused one takes about twice the time of plain products at a hundred tokens, in
    both directions.

    Args:
        longest: the most tokens of a comment; None for no limit.
    """
    short = longest is not None and longest <= SHORT_TOKENS
    return "eager" if device == "cpu" and short else "sdpa"


def fuse_norms(model: torch.nn.Module) -> None:
    """Use torch's fused RMS norm in place of a model's own steps, where the result is the same."""
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
