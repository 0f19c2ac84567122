"""The only register of blueprints: `module:Class`, below this package, with one sentence each.

Listing the catalogue imports no blueprint.
"""

CATALOGUE = {
    "crud_api:CrudApi": "Store, read and delete documents over HTTP, without a server.",
    "deep_learning_cluster:DeepLearningCluster": "A master and GPU workers that train one model together.",
}


def names() -> dict[str, str]:
    """Catalogue name, which is the folder -> `package.module:Class` as a stack file spells it."""
    return {entry.partition(":")[0]: f"{__package__}.{entry}" for entry in CATALOGUE}
