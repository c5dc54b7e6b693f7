"""What the shares of the classes in the natural test set are, in words."""

from worthit.bench.saved.data import Data


def at_share(data: Data) -> str:
    """Only a random sample of a stream has natural shares."""
    if data.stream:
        return "at natural prevalence"
    return f"at the data's own share{'s' * (len(data.classes) > 2)}"
