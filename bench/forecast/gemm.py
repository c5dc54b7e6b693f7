"""The process that measures how fast this machine multiplies, in the precision that a model would use."""

from dataclasses import dataclass

import msgspec

from worthit.bench.cells import worker

_SIDES = (256, 2048)  # of square matrices: small ones measure the call, large ones take too long
_REPEATS = 3


@dataclass(frozen=True)
class Product:
    """A product of two square matrices of a model's width."""

    device: str
    precision: str
    width: int


@dataclass(frozen=True)
class Rate:
    flops_per_s: float
    bytes_per_number: int  # of the precision


class Gemm:
    def __init__(self, product: Product) -> None:
        self._product = product

    def setup(self) -> Rate:
        """The best of a few products, which take tens of milliseconds on most machines.

        Raises:
            DeviceError: the device is not available.
        """
        from worthit.models.hardware import devices  # torch: only for the process that measures

        product = self._product
        devices.require(product.device)
        dtype = devices.dtype_for(product.precision, product.device)
        side = min(max(product.width, _SIDES[0]), _SIDES[1])
        seconds = devices.gemm_seconds(product.device, dtype, side, _REPEATS)
        return Rate(2 * side**3 / seconds, dtype.itemsize)


if __name__ == "__main__":
    worker.serve(lambda product, progress: Gemm(msgspec.convert(product, Product)))
