"""What a user should know before the first cell: weights for another language, comments sent away."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from worthit.bench.instruments import server_requests
from worthit.bench.options import BenchmarkOptions
from worthit.datasets import prepare
from worthit.datasets.audit.audit import FOREIGN, Audit
from worthit.datasets.errors import OptionError
from worthit.datasets.splits.manifest import PARTS, OutOfDomainSet, Prepared
from worthit.models import registry
from worthit.models.weights.checkpoints import PACKAGED, PACKAGED_LANGUAGES

_LANGUAGES_NAMED = 3
#: (row of the table, device) -> the model's settings
_SettingsOf = Callable[[str, str], dict[str, Any]]


def lines(
    options: BenchmarkOptions,
    prepared: Prepared,
    out_of_domain: tuple[OutOfDomainSet, ...],
    audit: Audit,
    settings_of: _SettingsOf,
) -> Iterator[str]:
    """Yield the warnings about languages and about comments that an endpoint is sent.

    Raises:
        OptionError: comments would leave this machine, and the user has not permitted it.
    """
    yield from _unread_languages(options, audit, settings_of)
    yield from _sending(options, prepared, out_of_domain)


def _unread_languages(
    options: BenchmarkOptions, audit: Audit, settings_of: _SettingsOf
) -> Iterator[str]:
    """Which models start from weights that cannot read most comments."""
    unable = []
    for row, name in options.models.items():
        checkpoints = {settings_of(row, device).get("checkpoint") for device in options.devices}
        spoken = _languages(name, checkpoints)
        if spoken and audit.train.share_outside(spoken) >= FOREIGN:
            unable.append(row)
    if unable:
        known = list(audit.train.known_languages)[:_LANGUAGES_NAMED]
        yield (
            f"languages: {', '.join(known)}; {', '.join(unable)} start from weights for English, which read "
            "others poorly (--checkpoint MODEL=ID_OR_PATH gives others)"
        )


def _languages(name: str, checkpoints: set[str | None]) -> tuple[str, ...]:
    """The languages of a model's weights; empty if it has none, or they are not known."""
    if not checkpoints <= {None, *PACKAGED}:
        return ()
    return registry.entry(name).languages or (PACKAGED_LANGUAGES if checkpoints != {None} else ())


def _sending(
    options: BenchmarkOptions, prepared: Prepared, out_of_domain: tuple[OutOfDomainSet, ...]
) -> Iterator[str]:
    """How many comments go where, before the first one does."""
    server = options.endpoint
    if server is None:
        return
    names = [name for name in options.models.values() if registry.is_endpoint(name)]
    amount = f"{_amount(options, prepared, out_of_domain)}, for each of {', '.join(names)}"
    if server.is_this_machine:
        yield f"a server on this machine is sent {amount}"
    elif options.yes_send_comments:
        yield f"{server.host} is sent {amount}"
    else:
        raise OptionError(f"{server.host} would be sent {amount}; --yes-send-comments permits it")


def _amount(
    options: BenchmarkOptions, prepared: Prepared, out_of_domain: tuple[OutOfDomainSet, ...]
) -> str:
    """How many comments an endpoint is sent, and how often."""
    parts = {name: prepare.comments(prepared.key, name).texts for name in PARTS}
    parts["train"] = parts["train"][: len(parts["test"])]
    for other in out_of_domain:
        parts[f"out-of-domain {other.name}"] = prepare.comments(other.key, "test").texts
    distinct = len({*itertools.chain(*parts.values())})
    samples = min(options.preset.effort.latency_samples, len(parts["test"]))
    shots = options.shots
    return (
        f"up to {distinct:,} comments once, except those with a cached answer, and up to "
        f"{server_requests.most_requests(samples):,} of them again, to time the answers"
        f"{f', each with {shots:,} training comments as examples' * bool(shots)}"
    )
