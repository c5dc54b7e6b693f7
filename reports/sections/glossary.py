"""The glossary at the end of a report: each definition and method once, in one place.

Sections link to a term by `link`. A report prints only the terms that it links to.
"""

import re
from collections.abc import Callable, Iterable

from worthit.bench.saved.record import significant
from worthit.reports.analysis import bounds, decisions, error_costs, leads, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import Standing
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.text.format import percent

_LINK = re.compile(r"\]\(#(term-[a-z0-9-]+)\)")


def link(term: str, text: str = "") -> str:
    """A Markdown link to a term of the glossary.

    Args:
        text: shown instead of the term.

    Raises:
        LookupError: the glossary has no such term.
    """
    if term not in TERMS:
        raise LookupError(f"the glossary has no term {term!r}")
    return f"[{text or term}](#{_anchor(term)})"


def section(analysis: Analysis, paragraphs: Iterable[str]) -> list[str]:
    """The terms that paragraphs of a report link to, also through other definitions."""
    texts = {}
    for term, text in TERMS.items():
        texts[_anchor(term)] = f"**{term}**: {text if isinstance(text, str) else text(analysis)}"
    used: set[str] = set()
    open_ends = _links(paragraphs)
    while open_ends:
        used |= open_ends
        open_ends = _links(texts[anchor] for anchor in open_ends) - used
    lines = [f'- <a id="{anchor}"></a>{texts[anchor]}' for anchor in texts if anchor in used]
    return ["## Glossary", "\n".join(lines)] if lines else []


def _links(texts: Iterable[str]) -> set[str]:
    return {anchor for text in texts for anchor in _LINK.findall(text)}


def _anchor(term: str) -> str:
    """Differs from the anchors of headings, which GitHub derives from their text."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def _frontier(analysis: Analysis) -> str:
    """The standings that occur in the table."""
    ranking = task.ranking(analysis.run)
    figures = "Accuracies" if ranking == metrics.ACCURACY else "Figures of quality"
    occurring = {point.standing for one in analysis.frontiers for point in one.points}
    standings: dict[Standing, str] = {
        "dominated": "“dominated by X”: X is cheaper and more accurate.",
        "same accuracy": "“not shown to beat X”: X is cheaper, and the accuracies do not differ significantly.",
        "same cost": "“costs as better X”: X is more accurate, and the costs do not differ.",
    }
    seeds = (
        f"{figures} are means over the seeds of a model, costs those of the first."
        if any(len(cells) > 1 for cells in analysis.models.values())
        else ""
    )
    if ranking != metrics.ACCURACY:
        standings = {
            "dominated": f"“dominated by X”: X is cheaper and has a higher {ranking.heading}.",
            "same accuracy": "“not shown to beat X”: X is cheaper, and the figures do not differ significantly.",
            "same cost": f"“costs as better X”: X has a higher {ranking.heading}, and the costs do not differ.",
        }
    less = "is less accurate" if ranking == metrics.ACCURACY else f"has a lower {ranking.heading}"
    sentences = (
        f"a model is on the frontier of a cost if every cheaper model {less}, by a paired test on "
        "the same comments. The test is corrected for all pairs (Holm), so it may miss a difference that the "
        "verdict, which tests only the LLM, shows.",
        *(text for standing, text in standings.items() if standing in occurring),
        seeds,
    )
    return " ".join(filter(None, sentences))


def _cheaper(analysis: Analysis) -> str:
    noise_percent = bounds.noise(analysis.run) * 100
    times = (
        f"by more than the machine's noise, {noise_percent:.3g} %"
        if noise_percent
        else "at all, since the noise of this machine was not measured"
    )
    return (
        "the costs differ by more than their uncertainty. Median latencies differ if their 95 % intervals, "
        "widened by the machine's noise, do not overlap; other times, rates and energy, if they differ "
        f"{times}; memory, if it differs by "
        f"more than the {100 * bounds.MEMORY_OFF:g} % within which it repeats. A cost that contains an "
        f"estimate is not ranked. Compute is defined {link('compute', 'below')}."
    )


def _guessing(analysis: Analysis) -> str:
    run = analysis.run
    heading = leads.measure(run).heading
    if leads.measure(run) == metrics.SAVED_COST:
        return (
            "the cheaper one of the two constant answers. Its errors cost "
            f"{significant(error_costs.of_constant(run))} per 1,000 comments. “not shown to beat guessing”: "
            "the errors of the model are not shown to cost less."
        )
    answer = "the same answer to every comment"
    if analysis.decisions.objective.name == "recall":
        answer = "flagging every comment, the constant answer that reaches the recall"
    return (
        f"{answer}. Its {heading} is {percent(leads.guessing(run))}, and it costs "
        f"nothing. “not shown to beat guessing”: not shown to have a higher {heading}."
    )


def _borderline(analysis: Analysis) -> str:
    return (
        "the limit lies within the bounds of the figure. Accuracy and median latency have their 95 % interval, "
        "p99 has a lower and an upper limit of 95 % confidence each. Latency, other times, rates and measured energy "
        f"also vary by the noise of the machine, and memory by the {100 * bounds.MEMORY_OFF:g} % within which it "
        "repeats. An unknown or estimated figure never counts as within a limit."
    )


def _compute(analysis: Analysis) -> str:
    """How the costs of running models are compared in this run."""
    text = (
        f"what a comment occupies in batches of the best size: {link('CPU time')}, and on an accelerator also "
        "its time. On one device, models compare by what occupies "
        "it."
    )
    if all(cell.device == "cpu" for cell in analysis.run.cells):
        return text
    if analysis.options.prices_compute:
        return f"{text} A model on the CPU and one on the accelerator compare by `--machine-price`."
    least, most = bounds.CORES_PER_ACCELERATOR
    return (
        f"{text} Without prices, an accelerator-second is assumed to cost as much as {least:g} to {most:g} "
        "core-seconds (by cloud prices of 2025, an NVIDIA T4 costs 7 cores, an H100 50 to 250). A model on the "
        "CPU and one on the accelerator differ in cost only if they do so throughout; `--machine-price core=…` "
        "with that of the accelerator decides the rest."
    )


#: term → definition, in the order of the report
TERMS: dict[str, str | Callable[[Analysis], str]] = {
    # the frontier and cascades
    "frontier": _frontier,
    "cheaper": _cheaper,
    "guessing": _guessing,
    "cascade": "in X → Y, X answers if the score of its predicted class reaches the threshold, and "
    "passes the other comments on to Y. The threshold is the lowest from which on no threshold loses accuracy "
    "on the validation comments. For each Y, X is the most accurate there of the models that cost less than "
    "half of Y. Being selected is luck in part, which the test comments do not share: only they decide the "
    "standing. Both models have to be in memory. A comment that is passed on counts as long as the others. "
    "Of several seeds, a cascade has the first. With another objective than accuracy, scores are those shifted to "
    "the chosen answers, so that 0.5 is the threshold.",
    "in place of Y": "the cascade X → Y loses less than the smallest worthwhile lead (`--worthwhile`) against Y "
    "(lower end of the 95 % interval of accuracy), and is shown to be more accurate than X alone. “not shown to beat "
    "X”: it is not shown to be more accurate than X alone. “too little data against Y”: it may lose more than that.",
    "compute": _compute,
    "learning curve": "answers are the models' own, without a choice on validation comments, whose scores a run "
    "has for the whole training only. Each model is trained once on each of growing parts of the same "
    "comments, so that two neighbouring points also differ by the chance of a training. Accuracies are compared "
    "by McNemar's test, corrected for the number of comparisons (Holm).",
    "more labels": "the error is taken to fall as c + a n^-b in the number n of labels (Hestness et al. 2017). The "
    "95 % interval covers every such curve that fits the measured points by an F test, and so also that "
    "trainings differ; “not determined”: it contains 0, or its ends differ by more than a factor of ten. The "
    "labels are assumed to be like the present ones.",
    # quality
    "calibration": "log-probabilities times a scale (temperature scaling, Guo et al. 2017), plus a bias for each class "
    "(for two classes Platt scaling, Platt 1999). Each training has its own. Of raw scores, a temperature, and "
    "both, the simplest is used whose cross-validated log loss on the validation comments is within one "
    "standard error of the best. A scale is positive, so a model that ranks worse than chance is not turned "
    f"around. With fewer than {decisions.LEAST_COMMENTS} validation comments nothing is calibrated.",
    "cost of errors": "misses and false alarms per 1,000 comments times their prices. Each comment of the natural test "
    "set counts by the share of its class in the stream (Neyman 1938). The interval is over these comments, over "
    "the shares of the classes, and over trainings if there are several. The total cost adds what running the model "
    "costs (its part of the machine, or an endpoint's answers), if the machine has a price.",
    "95 % interval": f"the percentiles 2.5 and 97.5 of a figure over {bootstrap.RESAMPLES:,} bootstrap resamples "
    "of the comments. With several seeds the figure is their mean, and the interval is widened by the variance "
    "between trainings, with Student's t for their number (Satterthwaite 1946). "
    "Accuracy on the test set has a Wilson interval, widened in the same way. With one seed, an interval does not "
    "cover that trainings differ.",
    "statistically significant": f"p < {metrics.ALPHA:g} in a paired t test on the same comments, by the "
    "variance over comments (for ROC AUC, over bootstrap resamples) and between trainings. Intervals follow from the "
    "same variance. The p values are corrected for the number of pairs (Holm), the intervals are not.",
    "choosing settings": "the time to choose a prompt, and to search settings (`--tune`), on validation comments. It "
    "is not part of the training time.",
    "balanced accuracy": "the mean recall of the classes.",
    "precision": "the share of the comments predicted positive that are positive. It is lower if positive comments "
    "are rarer.",
    "recall": "the share of the positive comments that are predicted positive.",
    "F1": "the harmonic mean of precision and recall.",
    "micro F1": "F1 of all decisions on all labels together, so frequent labels count most.",
    "subset accuracy": "the share of comments on which all labels are correct.",
    "macro": "a mean over the classes, or labels, that occur in the test set, each with the same weight. Each class is "
    "compared with the rest. Precision is 0 for a class that is never predicted, and F1 for a label.",
    "ROC AUC": "the probability that a positive comment scores higher than a negative one; 0.5 is chance.",
    "average precision": "the mean precision over the thresholds of the positive comments. Chance raises its "
    "macro mean; the interval corrects for that.",
    "Brier score": "the mean squared difference of score and label; 0 is best, and 1 is worst. For more "
    "than two classes, the differences of all classes are summed, and 2 is worst; of several labels it is their mean.",
    "calibration error": f"the expected calibration error over {metrics.BINS} bins of equal width, for "
    "more than two classes that of the predicted class, and of several labels that of all their scores; 0 is best. "
    "Chance raises it; the interval "
    "corrects for a part of that, and is too narrow near 0.",
    "one rater": "how often one human rater agrees with the majority of the other raters of a comment; a tie of the "
    "others counts half. Models are compared with the majority of all raters. For a rater, the own vote is "
    "excluded, because it would count in the rater's favour.",
    "natural prevalence": "the share of positive comments in a random sample of a stream of comments, after "
    "the steps of the section Data. It holds for that stream in that time. Precision depends on it.",
    "the data's own share": "the share of positive comments in the data as they were given. Comments in use may "
    "have another share, and so another precision.",
    "weighted": "a comment counts as much as the share of its class in the population divided by that in the "
    "sample (stratified sampling, Neyman 1938). Resamples draw comments within each class, and the shares of "
    "the population. Intervals that rest on fewer than ten errors are too narrow.",
    "corrected scores": "calibrated scores hold at best for the validation comments' class shares, raw scores for "
    "the training comments'. The correction "
    "multiplies the odds of each class by the ratio of its odds in both sets; for two classes it adds the "
    "difference of their logits. It is right if each class has comments of the same kind in both (Saerens et al. "
    "2002). Choose a threshold, or to correct, on other comments than you test on.",
    "out-of-domain": "comments of another dataset than the training comments; none of them is in the training side or "
    "in an in-domain test set. A difference is out-of-domain minus in-domain. Its 95 % interval and p value follow "
    "from the variance of an unpaired bootstrap; p values are corrected for all models and sets (Holm). If the classes "
    "keep their own shares, balanced accuracy replaces accuracy.",
    # throughput, latency, memory, energy
    "throughput": "comments per second if all comments are available at once and scored in batches of the "
    "best size; they may be sorted by length. Batch sizes grow until two in a row gain less than 3 %, until "
    "memory is full, or to the largest of the preset. The throughput of the machine is that of one process "
    "per core, measured at the same time, if one process keeps a single core busy; each needs its own memory.",
    "latency": "one comment at a time, from text to score in host memory, over comments with the "
    "lengths of the test set. Cold start lasts from the start of the process to its first answer. The 95 % "
    "interval of the median is over comments and over time, as the machine's speed drifts. From five passes on, "
    "a measurement ends when the interval is within ±2 % (precision), when twice the passes narrowed it by "
    "less than a tenth (no gain), or at 20,000 samples; a time limit ends it earlier, for slow models within "
    "the first passes.",
    "serving": "simulated from the measured latencies: the highest rate of requests, arriving at random, of "
    "which 99 % are answered within the limit (`--p99-limit-ms`). There is one worker per core if the run "
    "measured one process per core, otherwise one worker; requests go to the workers in turn. A worker takes "
    "one request at a time, or all that wait in one call, whose time is measured. It is an upper limit: "
    "latencies are measured back to back, and a request that arrives after a pause took up to 1.5 times as "
    "long on one machine; the client and the network are left out.",
    "endpoint": "a model on a chat-completions server. Its latency is that of one request after the other, each "
    "sent once, from text to score, with the network and whatever else the server did. Its throughput is that of "
    "ever more requests at once, until two steps in a row gain less than 3 %, until the server limits the rate, "
    "or to 32. Only requests that were sent count for either. What the server computes "
    "with is unknown, so an endpoint compares with other models by price only (`--price-in` and `--price-out`, or "
    "`--api-price`, with `--machine-price`), and takes part in no cascade.",
    "peak memory": "of the process that loads the model and scores, and of the processes that it starts, "
    "libraries included. Anonymous and file-backed memory are what is resident after scoring; mapped weights "
    "count once they are used.",
    "CPU time": "in core-milliseconds per comment, of all threads and child processes, while comments are scored in "
    "batches of the best size at the throughput of the machine. One core that is busy for a millisecond is one.",
    "energy": "of scoring many comments at once, by component, as an energy counter reads it. Gross is all that "
    "the component used, also for other programs. Net is gross minus mean idle power, which is measured before "
    "and after with the model loaded. GPU is the card that the model uses; idle GPU is the power of all cards "
    "while a model scores on the CPU, and is not part of its energy.",
    # budgets and prices
    "borderline": _borderline,
    "break-even": "the number of comments from which the total cost of training and scoring is lower than "
    "that of another choice. In brackets: what the bounds of the figures allow.",
    "price of a gain": "each model is compared with the most expensive cheaper one that is worth its price. "
    "A model without a significant gain is skipped, and no other model is compared with it (incremental "
    "cost-effectiveness, Drummond et al. 2015).",
}
