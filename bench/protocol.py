"""How a run's comments are drawn: its preset, and the options that replace parts of it."""

from worthit.bench.options import BenchmarkOptions
from worthit.datasets.splits.protocol import AtMost, Protocol


def of(options: BenchmarkOptions) -> Protocol:
    """With --test-size, the natural part is at most twice as large, the validation part at most as large."""
    preset, test_size = options.preset, options.test_size
    natural_size, validation_size = preset.natural_size, preset.validation_size
    if test_size:
        natural_size = AtMost(2 * test_size)
        validation_size = AtMost(min(validation_size.comments, test_size))
    return Protocol(
        train_size=options.train_size or preset.train_size,
        test_size=test_size or preset.test_size,
        natural_size=natural_size,
        validation_size=validation_size,
        language=options.language,
        balance=None if options.balance in (None, "weights") else options.balance == "yes",
        weights=options.balance == "weights",
        merge_rare=bool(options.merge_rare),
    )
