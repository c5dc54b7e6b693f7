"""The user's own classifiers, named `module:Class`: imported, checked, and wrapped if necessary.

Three kinds are accepted: a subclass of `worthit.models.contract.Classifier`; a class without
constructor arguments that has `fit(texts, labels)` and `predict_proba(texts)`; and a function without
arguments that returns such an object, or any scikit-learn pipeline over texts.

An object without `save(folder)` and `load(folder)` is saved by skops. Unlike pickle, skops runs code
of trusted types only (https://skops.readthedocs.io/en/stable/persistence.html).
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
from worthit.datasets.errors import ModelError, RunError, WorthitError, described
from worthit.models.contract import (
    DEVICES,
    Classifier,
    Labels,
    ModelEntry,
    Probabilities,
    Progress,
    Size,
    Weights,
)

_METHODS = "fit(texts, labels) and predict_proba(texts) or decision_function(texts)"
_SCORING = ("predict_proba", "decision_function")
_SKOPS_FILE = "model.skops"


def entry(location: str, registered: Iterable[ModelEntry]) -> ModelEntry:
    """What the user's class declares, or else inherits from a registered model.

    Raises:
        ModelError: the model cannot be used.
    """
    user_class = classifier(location)
    known = {entry.location: entry for entry in registered}
    ancestors = (f"{kind.__module__}:{kind.__qualname__}" for kind in user_class.__mro__)
    inherited = next((known[name] for name in ancestors if name in known), ModelEntry(location))
    declared = getattr(user_class, "declared", user_class)
    return ModelEntry(
        location,
        _declared_kind(location, getattr(declared, "kind", inherited.kind)),
        _declared_devices(location, getattr(declared, "devices", inherited.devices)),
        inherited.pretrained,
        multilabel=getattr(declared, "takes_multilabel", False),
    )


def _declared_kind(location: str, kind: Any) -> Any:
    """Raises ModelError unless a class says its kind in a word."""
    if isinstance(kind, str):
        return kind
    raise ModelError(
        f"{location} has a `kind` that is not a text; give one, such as 'llm', or omit it"
    )


def _declared_devices(location: str, devices: Any) -> tuple[str, ...]:
    """Raises ModelError unless a class lists the names of devices."""
    if isinstance(devices, tuple | list) and devices and all(each in DEVICES for each in devices):
        return tuple(devices)
    raise ModelError(
        f"{location} has `devices` that are not a tuple of {', '.join(DEVICES)}; give one, such as "
        "('cpu', 'cuda'), or omit it"
    )


@functools.cache
def classifier(location: str) -> type[Classifier[Any]]:
    """The user's model as a `Classifier` whose name is its location.

    Args:
        location: `module:Class` or `module:function`, installed or in the current folder.

    Raises:
        ModelError: there is no such object, or it is not a classifier.
    """
    named = _import(location)
    if inspect.isclass(named) and issubclass(named, Classifier):
        _require_complete(named, location)
        return type(named.__name__, (named,), {"name": location, "__module__": named.__module__})
    if not callable(named):
        raise ModelError(
            f"{location} is a {type(named).__name__}; give a class, or a function that returns a "
            "classifier"
        )
    sample = make(named, location, 0)
    if not _is_classifier(sample):
        raise ModelError(f"{location} makes a {type(sample).__name__} without {_METHODS}")
    attributes = {"name": location, "make": staticmethod(named), "declared": named}
    return type("Wrapped", (Wrapped,), attributes)


def source_files(location: str) -> list[Path]:
    """The user's code behind a model: its package, and other code of the current folder.

    Modules outside of its package count if they are imported by now, packages with all their files.
    """
    module = location.partition(":")[0]
    files = set()
    for name in (module.partition(".")[0], *_CurrentFolder.imported):
        for folder in getattr(sys.modules.get(name), "__path__", ()):
            # Some editors leave a dangling link beside a file as a lock.
            files |= {file for file in Path(folder).rglob("*.py") if file.is_file()}
    for name in (module, *_CurrentFolder.imported):
        file = getattr(sys.modules.get(name), "__file__", None)
        files |= {Path(file)} if file else set()
    return sorted(files)


class _CurrentFolder:
    """Finds modules in the current folder, after all installed ones.

    The folder is not added to `sys.path`: every folder in it would become a package, and one named
    `datasets` breaks transformers. Folders without `__init__.py` are packages only if named.
    """

    named: ClassVar[set[str]] = set()
    imported: ClassVar[dict[str, None]] = {}

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, [str(Path.cwd())]) if path is None else None
        if spec is None or (spec.origin is None and name not in cls.named):
            return None
        cls.imported[name] = None
        return spec


def _import(location: str) -> Any:
    name, _, attribute = location.partition(":")
    if _CurrentFolder not in sys.meta_path:
        sys.meta_path.append(_CurrentFolder)
    _CurrentFolder.named.add(name.partition(".")[0])
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
        raise ModelError(f"{location} cannot be imported: {described(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        hidden = Path.cwd() / f"{name}.py"
        found = Path(getattr(module, "__file__", None) or "").resolve()
        if hidden.is_file() and found != hidden.resolve():
            raise ModelError(
                f"{location} is looked for in an installed module {name}, not in {hidden.name} of the current "
                "folder; rename that file"
            ) from error
        names = [
            known
            for known, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise ModelError(
            f"the module {name} has no {attribute}; it has: {', '.join(names) or 'no class of its own'}"
        ) from error


def _require_complete(user_class: type[Classifier[Any]], location: str) -> None:
    missing = sorted(user_class.__abstractmethods__)
    missing += [] if hasattr(user_class, "Settings") else ["Settings"]
    if missing:
        raise ModelError(f"{location} is a Classifier but lacks {', '.join(missing)}")


def make(maker: Callable[..., Any], location: str, seed: int) -> Any:
    """An untrained object. `seed` or `random_state` get the seed, as arguments or as parameters."""
    try:
        accepted = inspect.signature(maker).parameters
        names = [name for name in ("seed", "random_state") if name in accepted][:1]
        made = maker(**dict.fromkeys(names, seed))
        if hasattr(made, "get_params") and hasattr(made, "set_params"):
            known = [name for name in made.get_params() if name.endswith("random_state")]
            made.set_params(**dict.fromkeys(known, seed))
    except WorthitError:
        raise
    except Exception as error:
        raise ModelError(
            f"{location} cannot be made without arguments: {described(error)}"
        ) from error
    return made


def _is_classifier(made: Any) -> bool:
    # A pipeline has such methods only if its last step has them.
    scores = any(callable(getattr(made, name, None)) for name in _SCORING)
    return callable(getattr(made, "fit", None)) and scores


def weighting(made: Any) -> str | None:
    """How an object takes class weights: by a parameter `class_weight`, or by its `fit`; None: not at all.

    Of a pipeline, only the last step counts, since scores are its own. scikit-learn's `Pipeline.fit` hands
    an argument `step__sample_weight` to that step.
    """
    prefix, last = "", made
    if steps := getattr(made, "steps", None):
        name, last = steps[-1]
        prefix = f"{name}__"
    settings = last.get_params() if hasattr(last, "get_params") else ()
    if hasattr(last, "set_params") and "class_weight" in settings:
        return f"{prefix}class_weight"
    try:
        parameters = inspect.signature(last.fit).parameters
    except (TypeError, ValueError):  # of compiled code
        return None
    return f"{prefix}sample_weight" if "sample_weight" in parameters else None


@dataclass(frozen=True)
class NoSettings:
    """The user's code holds its settings."""


class Wrapped(Classifier[NoSettings]):
    """An object with scikit-learn's methods, as a `Classifier`."""

    Settings = NoSettings
    make: ClassVar[Callable[..., Any]]
    #: the class or function that may declare `kind` or `devices`
    declared: ClassVar[Any]

    def prepare(self) -> None:
        if not _saves_itself(make(self.make, self.name, self.seed)):
            _skops(self.name)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._made = make(self.make, self.name, self.seed)
        numbers = np.asarray(labels, dtype=np.int64)
        self._made.fit(list(texts), numbers, **self._weighting(labels))
        progress(len(texts), len(texts))

    @functools.cached_property
    def takes_weights(self) -> bool:  # type: ignore[override]
        # Of several labels each would need weights of its own.
        known = weighting(make(self.make, self.name, self.seed))
        return known is not None and not self.multilabel

    @functools.cached_property
    def takes_multilabel(self) -> bool:  # type: ignore[override]
        return bool(getattr(self.declared, "takes_multilabel", False))

    def _weighting(self, labels: Labels) -> dict[str, Weights]:
        """Weigh classes equally if wanted: by a parameter of the object, or arguments for its `fit`."""
        weights = self._comment_weights(labels)
        if weights is None:
            return {}
        name = weighting(self._made)
        assert name is not None
        if name.endswith("class_weight"):
            self._made.set_params(**{name: "balanced"})
            return {}
        return {name: weights}

    def _score(self, texts: Sequence[str]) -> Probabilities:
        """Return probabilities unchanged; convert a decision function by softmax, uncalibrated.

        For two classes scikit-learn gives the second one's margin, and the softmax is the logistic
        function.
        """
        method = next(name for name in _SCORING if callable(getattr(self._made, name, None)))
        scores = np.asarray(getattr(self._made, method)(list(texts)), dtype=np.float64)
        classes = len(self.classes)
        one_margin = method == "decision_function" and classes == 2 and not self.multilabel
        wanted = (len(texts),) if one_margin else (len(texts), classes)
        if scores.shape != wanted:
            raise ModelError(
                f"{self.name}: {method} gave shape {scores.shape} for {len(texts)} comments of "
                f"{classes} classes; {wanted} is expected"
            )
        if method == "predict_proba":
            return scores
        if self.multilabel:
            from scipy.special import expit

            of_labels: Probabilities = expit(scores)
            return of_labels
        from scipy.special import softmax  # scikit-learn has imported it

        margins = np.column_stack([np.zeros(len(texts)), scores]) if one_margin else scores
        probabilities: Probabilities = softmax(margins, axis=1)
        return probabilities

    def _save(self, folder: Path) -> None:
        if _saves_itself(self._made):
            self._made.save(folder)
            return
        io = _skops(self.name)
        try:
            io.dump(self._made, folder / _SKOPS_FILE)
            trusted = io.get_untrusted_types(file=folder / _SKOPS_FILE)
            # Fails for a lambda: only its name is saved.
            io.load(folder / _SKOPS_FILE, trusted=trusted)
        except Exception as error:
            raise ModelError(
                f"skops cannot save {self.name} ({described(error)}); add save(folder) and load(folder)"
            ) from error
        if trusted:
            print(f"{self.name}: in addition to its own types, skops loads {', '.join(trusted)}")

    def _load(self, folder: Path) -> None:
        made = make(self.make, self.name, self.seed)
        if _saves_itself(made):
            # `load` is a class method, or fills the object and returns None.
            loaded = made.load(folder)
            self._made = made if loaded is None else loaded
            return
        file = folder / _SKOPS_FILE
        if not file.is_file():
            raise RunError(
                f"{folder} holds no {_SKOPS_FILE} of {self.name}; copy the whole folder again"
            )
        self._made = _skops(self.name).load(file, trusted=self._trusted_types(folder))

    def _trusted_types(self, folder: Path) -> list[str]:
        """The types to load from a saved model in addition to skops' own.

        Raises:
            RunError: the model was trained elsewhere, and needs types outside the user's package.
        """
        types: list[str] = _skops(self.name).get_untrusted_types(file=folder / _SKOPS_FILE)
        package = self.name.partition(":")[0].partition(".")[0]
        foreign = [name for name in types if not _is_defined_in(package, name)]
        if foreign and not folder.resolve().is_relative_to(cache_folder("artifacts").resolve()):
            raise RunError(
                f"{folder} was trained elsewhere and would run {', '.join(foreign)}, which is not "
                f"defined in {package}; train it here (pytest bench/ --models {self.name})"
            )
        return types

    def size(self) -> Size:
        return Size(None, None)


def _is_defined_in(package: str, name: str) -> bool:
    """True if the package defines that object itself, and does not import it from elsewhere."""
    module, _, attribute = name.rpartition(".")
    if name.partition(".")[0] != package:
        return False
    try:
        named = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return str(getattr(named, "__module__", "")).partition(".")[0] == package


def _saves_itself(made: Any) -> bool:
    return all(callable(getattr(made, name, None)) for name in ("save", "load"))


def _skops(name: str) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ModelError(
            f"{name} has no save(folder) and load(folder), and saving it otherwise needs skops: "
            "pip install 'worthit[sklearn]'"
        ) from error
    return skops.io
