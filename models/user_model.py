"""Classifiers of the user's own, named `module:Class`: found, checked, and wrapped if need be.

Three kinds are taken: a subclass of `worthit.models.contract.Classifier`; a class with
`fit(texts, labels)` and `predict_proba(texts)` that is made without arguments; and a function
without arguments that makes such an object, or any scikit-learn pipeline over texts.

An object without `save(folder)` and `load(folder)` is kept by skops, which, unlike pickle, runs no
code but that of types it was told to trust (https://skops.readthedocs.io/en/stable/persistence.html).
"""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import ModelError, RunError, WorthitError
from worthit.models import contract
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size

_METHODS = "fit(texts, labels) and predict_proba(texts) or decision_function(texts)"
_SKOPS_FILE = "model.skops"


def entry(location: str, registered: Iterable[contract.Entry]) -> contract.Entry:
    """What to know of the user's model: what its class says, else what it inherits from a known one.

    Raises:
        ModelError: it cannot be used; says why.
    """
    found = classifier(location)
    known = {known.location: known for known in registered}
    ancestors = (f"{kind.__module__}:{kind.__qualname__}" for kind in found.__mro__)
    inherited = next((known[name] for name in ancestors if name in known), contract.Entry(location))
    says = getattr(found, "declared", found)
    return contract.Entry(
        location,
        getattr(says, "kind", inherited.kind),
        tuple(getattr(says, "devices", inherited.devices)),
        inherited.pretrained,
    )


@functools.cache
def classifier(location: str) -> type[Classifier[Any]]:
    """The user's model as a `Classifier`, whose name is where it is.

    Args:
        location: `module:Class` or `module:function`, installed or in the folder one stands in.

    Raises:
        ModelError: there is no such thing, or it is no classifier; says which.
    """
    found = _imported(location)
    if inspect.isclass(found) and issubclass(found, Classifier):
        _require_whole(found, location)
        return type(found.__name__, (found,), {"name": location, "__module__": found.__module__})
    if not callable(found):
        raise ModelError(
            f"{location} is a {type(found).__name__}, no class; give a class or a function that makes a "
            "classifier"
        )
    sample = _made(found, location, 0)
    if not _is_classifier(sample):
        raise ModelError(f"{location} makes a {type(sample).__name__} without {_METHODS}")
    parts = {"name": location, "make": staticmethod(found), "declared": found}
    return type("Wrapped", (Wrapped,), parts)


def source_files(location: str) -> list[Path]:
    """The user's code that a model is made by: its package's, and what else is in the folder it is in.

    Of modules outside of a package only those imported by now.
    """
    module = sys.modules[location.partition(":")[0]]
    top = sys.modules[module.__name__.partition(".")[0]]
    files = set()
    for folder in getattr(top, "__path__", ()):
        # Some editors lock a file by a link to nowhere beside it.
        files |= {file for file in Path(folder).rglob("*.py") if file.is_file()}
    for name in (module.__name__, *_Here.found):
        file = getattr(sys.modules.get(name), "__file__", None)
        files |= {Path(file)} if file else set()
    return sorted(files)


class _Here:
    """Finds modules in the folder one stands in, after all that are installed.

    That folder is not put on the path: any folder in it would become a package, and one that is
    called `datasets` is in transformers' way. Bare folders are packages to nobody but to who names
    them.
    """

    wanted: ClassVar[set[str]] = set()
    found: ClassVar[dict[str, None]] = {}

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, [str(Path.cwd())]) if path is None else None
        if spec is None or (spec.origin is None and name not in cls.wanted):
            return None
        cls.found[name] = None
        return spec


def _imported(location: str) -> Any:
    name, _, attribute = location.partition(":")
    if _Here not in sys.meta_path:
        sys.meta_path.append(_Here)
    _Here.wanted.add(name.partition(".")[0])
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ModelError(
                f"there is no module {error.name} for {location}, neither installed nor in {Path.cwd()}"
            ) from error
        raise ModelError(
            f"{location} cannot be imported: it needs {error.name}; pip install it"
        ) from error
    except WorthitError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{location} cannot be imported: {_one_line(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        names = [
            known
            for known, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise ModelError(
            f"the module {name} has no {attribute}; it has: {', '.join(names) or 'no class of its own'}"
        ) from error


def _require_whole(found: type[Classifier[Any]], location: str) -> None:
    missing = sorted(found.__abstractmethods__)
    missing += [] if hasattr(found, "Settings") else ["Settings"]
    if missing:
        raise ModelError(f"{location} is a Classifier but lacks {', '.join(missing)}")


def _made(make: Callable[..., Any], location: str, seed: int) -> Any:
    """One untrained object; who takes a `seed` or `random_state`, or has such a parameter, gets it."""
    try:
        takes = inspect.signature(make).parameters
        names = [name for name in ("seed", "random_state") if name in takes][:1]
        made = make(**dict.fromkeys(names, seed))
        if hasattr(made, "get_params") and hasattr(made, "set_params"):
            known = [name for name in made.get_params() if name.endswith("random_state")]
            made.set_params(**dict.fromkeys(known, seed))
    except WorthitError:
        raise
    except Exception as error:
        raise ModelError(
            f"{location} cannot be made without arguments: {_one_line(error)}"
        ) from error
    return made


def _is_classifier(made: Any) -> bool:
    # A pipeline has such methods only if its last step has.
    scores = any(callable(getattr(made, name, None)) for name in _SCORING)
    return callable(getattr(made, "fit", None)) and scores


_SCORING = ("predict_proba", "decision_function")


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".removesuffix(": ")


@dataclass(frozen=True)
class NoSettings:
    """The user's own code has its settings in itself."""


class Wrapped(Classifier[NoSettings]):
    """An object with scikit-learn's methods, held to the contract."""

    Settings = NoSettings
    make: ClassVar[Callable[..., Any]]
    #: what says `kind` or `devices`, if anything does
    declared: ClassVar[Any]

    def prepare(self) -> None:
        if not _saves_itself(_made(self.make, self.name, self.seed)):
            _skops(self.name)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._made = _made(self.make, self.name, self.seed)
        self._made.fit(list(texts), np.asarray(labels, dtype=np.int64))
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        """Probabilities as they are; of a decision function the softmax, uncalibrated.

        Of two classes that is the logistic function: scikit-learn gives the second one's margin.
        """
        method = next(name for name in _SCORING if callable(getattr(self._made, name, None)))
        scores = np.asarray(getattr(self._made, method)(list(texts)), dtype=np.float64)
        classes = len(self.classes)
        one_margin = method == "decision_function" and classes == 2
        wanted = (len(texts),) if one_margin else (len(texts), classes)
        if scores.shape != wanted:
            raise ModelError(
                f"{self.name}: {method} gave shape {scores.shape} for {len(texts)} comments of "
                f"{classes} classes; {wanted} is expected"
            )
        if method == "predict_proba":
            return scores
        margins = np.column_stack([np.zeros(len(texts)), scores]) if one_margin else scores
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        found: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return found

    def _save(self, folder: Path) -> None:
        if _saves_itself(self._made):
            self._made.save(folder)
            return
        io = _skops(self.name)
        try:
            io.dump(self._made, folder / _SKOPS_FILE)
            trusted = io.get_untrusted_types(file=folder / _SKOPS_FILE)
            io.load(folder / _SKOPS_FILE, trusted=trusted)  # of a lambda it keeps but the name
        except Exception as error:
            raise ModelError(
                f"skops cannot save {self.name} ({_one_line(error)}); give it save(folder) and load(folder)"
            ) from error
        if trusted:
            print(f"{self.name}: besides its own types skops loads {', '.join(trusted)}")

    def _load(self, folder: Path) -> None:
        made = _made(self.make, self.name, self.seed)
        if _saves_itself(made):
            # A class method, as scikit-learn's users write it, or one that fills the object.
            loaded = made.load(folder)
            self._made = made if loaded is None else loaded
            return
        file = folder / _SKOPS_FILE
        if not file.is_file():
            raise RunError(f"{folder} holds no {_SKOPS_FILE} of {self.name}; copy it again whole")
        self._made = _skops(self.name).load(file, trusted=self.trusted_types(folder))

    def trusted_types(self, folder: Path) -> list[str]:
        """The types beyond skops' own that are loaded from a saved model.

        Raises:
            RunError: it was trained elsewhere, and needs types that the user has not named.
        """
        found: list[str] = _skops(self.name).get_untrusted_types(file=folder / _SKOPS_FILE)
        named = self.name.partition(":")[0].partition(".")[0]
        foreign = [kind for kind in found if not _is_defined_in(named, kind)]
        if foreign and not folder.resolve().is_relative_to(cache_folder("artifacts").resolve()):
            raise RunError(
                f"{folder} was trained elsewhere and would run {', '.join(foreign)}, which is not "
                f"defined in {named}; train it here (pytest bench/ --models {self.name})"
            )
        return found

    def size(self) -> Size:
        return Size(None, None)


def _is_defined_in(package: str, name: str) -> bool:
    """Whether what is called so is the package's own, and not what it imports from elsewhere."""
    module, _, attribute = name.rpartition(".")
    if name.partition(".")[0] != package:
        return False
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return str(getattr(found, "__module__", "")).partition(".")[0] == package


def _saves_itself(made: Any) -> bool:
    return all(callable(getattr(made, name, None)) for name in ("save", "load"))


def _skops(name: str) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ModelError(
            f"{name} has no save(folder) and load(folder), so skops has to keep it: "
            "pip install 'worthit[sklearn]'"
        ) from error
    return skops.io
