"""Sentences about the network: what it is, how it was trained, and what answers with it."""

from __future__ import annotations

from tasks.common.params.section import STEPS
from tasks.common.wording import count, number
from tasks.evidence.checklist import Facts
from tasks.evidence.data_facts import preprocessing

STARTS = {
    "imagenet": "The backbone starts from weights that were trained on ImageNet",
    "none": "The backbone starts at random",
}
POOLED = {
    "last": "the mean of its last maps",
    "stages": "the means of the maps of its last stages, side by side",
}
OPTIONS = {  # of a phase, where they are not left out
    "schedule": "a {} schedule of the rate",
    "batch_normalisation": "batch normalisation before the head",
    "l1": "an L1 penalty of {:g}",
    "l2": "an L2 penalty of {:g}",
    "label_smoothing": "label smoothing of {:g}",
}


def technology(facts: Facts) -> str:
    """Of what kind the method is."""
    about = facts["about"]
    return f"Deep learning: the network {about['backbone']} for {about['kind']} classification."


def study(facts: Facts) -> str:
    """Of what kind the study is."""
    return f"{technology(facts)} Its accuracy is given as AUROC, sensitivity and specificity."


def network(facts: Facts) -> str:
    """From pixels to scores."""
    parameters, training = facts["parameters"], facts["training"]
    height, width = parameters["preprocess"]["size"]
    pooled = POOLED[parameters["model"].get("pool", "last")]
    return (
        f"{facts['about']['backbone']} on {height} by {width} pixels, {pooled}, "
        f"dropout of {parameters['model']['dropout']:g} and one dense layer; "
        f"{count(training['parameters'], 'parameter')}."
    )


def software(facts: Facts) -> str:
    """With what it was computed."""
    return (
        f"Keras on {facts['training']['backend']}; environment.json of the run in MLflow lists "
        "every package with its version, and the processor."
    )


def start(facts: Facts) -> str:
    """What the weights were before training."""
    begun = facts["training"]["start"]
    if begun:
        return f"All starts from the weights of {begun['model_name']} version {begun['version']}."
    weights, seed = facts["parameters"]["model"]["weights"], facts["parameters"]["train"]["seed"]
    begins = STARTS.get(weights, f"The backbone starts from the weights file {weights}")
    return f"{begins}, the head at random (seed {seed})."


def training(facts: Facts) -> str:
    """How both phases were trained."""
    parameters = facts["parameters"]
    head, later, augment = (parameters[part] for part in ("train", "fine_tune", "augment"))
    weighed = "weighed inversely to their frequency" if head["class_weights"] else "not weighed"
    phases = f"The head on the frozen backbone, {_phase(head)}"
    if later["epochs"]:
        phases += f"; then all from the layer {facts['training']['cut_layer']} on, {_phase(later)}"
        phases += _averaged(later["average"])
    views = {"none": "No augmentation"}.get(
        augment["preset"], f"Random views of the preset {augment['preset']}"
    )
    return f"{phases}. {views}. Classes are {weighed}."


def looks(facts: Facts) -> str:
    """At which views of an image the network looks for a score; empty where at itself alone."""
    augment = facts["parameters"]["augment"]
    views = 0 if augment["preset"] == "none" else augment.get("test_views", 0)
    if not views:
        return ""
    seen = f"the image and {count(views, 'view')} of it, the same for every image"
    return f"A score is that of the mean of its logits of {seen} (test-time augmentation)."


def _averaged(share: float) -> str:
    if share == 1:
        return ""
    return f"; what counts is the mean of these weights ({share:g}) and those before"


def length(phase: Facts) -> str:
    """How long a phase trains, by its settings."""
    if phase["epochs"] == "auto":
        return f"up to about {STEPS} steps (an epoch at least)"
    return f"up to {count(phase['epochs'], 'epoch')}"


def _phase(settings: Facts) -> str:
    options = [told.format(settings[key]) for key, told in OPTIONS.items() if settings.get(key)]
    return (
        f"{length(settings)} of Adam at {settings['learning_rate']:g} in "
        f"batches of {settings['batch_size']}, with a patience of {settings['patience']}"
        + "".join(f", {option}" for option in options)
    )


def selection(facts: Facts) -> str:
    """What chose the weights that are kept."""
    kept = facts["training"]
    if kept["kept"] == "start":
        return (
            "No epoch lowered the loss on val, so the weights that training started from stay, "
            f"with an AUROC of {number(kept['val_auroc'])} on val. Test has chosen nothing."
        )
    phase = {"head": "head", "fine_tune": "fine-tune"}[kept["kept"]]
    return (
        f"The lowest calibrated loss on val: epoch {kept['best_epoch']} of the {phase} phase, with "
        f"an AUROC of {number(kept['val_auroc'])} on val. Test has chosen nothing."
    )


def no_ensemble(facts: Facts) -> str:
    """One network answers."""
    return f"No ensemble: one network answers. {looks(facts)}".strip()


def index_test(facts: Facts) -> str:
    """All between a file and its answer."""
    return " ".join(
        [
            network(facts),
            preprocessing(facts),
            *filter(None, [looks(facts)]),
            f"It serves as {facts['compression']['serves']}, from a file's bytes to calibrated "
            "scores and an answer.",
        ]
    )


def development(facts: Facts) -> str:
    """Which images did what."""
    sides = facts["receipt"]["splits"]
    train, val, test = (count(sides[name]["images"], "image") for name in ("train", "val", "test"))
    more = ""
    if "external" in facts["metrics"]:
        more = f", and on {count(facts['metrics']['external']['images'], 'image')} from elsewhere"
    return f"Trained on {train}, chosen on {val} of val, measured on {test} of test{more}."


def cutoff(facts: Facts) -> str:
    """From which score on an answer is positive, and who fixed it."""
    point = facts["point"]
    if not point["thresholds"]:
        return "The class with the highest score is the answer; there is no threshold."
    limits = ", ".join(f"{name} from {number(at)} on" for name, at in point["thresholds"].items())
    return (
        f"By score: {limits}. The rule, {point['rule']}, stood in the parameters before; the "
        "threshold was fitted on val and applied to test unchanged."
    )


def blinded(facts: Facts) -> str:
    """What the network knows when it answers."""
    return "The network is given pixels alone: no clinical information, and no label."


def auditable(facts: Facts) -> str:
    """What is kept of its answers."""
    return (
        "The scores that the gate judges by are kept in the run (gate/scores.parquet); verdicts "
        "and promotions stand in a ledger that is chained by hashes."
    )


def details(facts: Facts) -> str:
    """Where everything that a repetition needs stands."""
    return (
        "The parameters of this report, params.yaml, dvc.lock, the commit and the digests of the "
        "data are in the run; python -m tasks.reproduce VERSION makes a version once more."
    )
