"""Recipes: everything that makes a trained result, under one name.

``python -m dgmhelpers train NAME`` trains it, stores the weights, measures what was stored and writes
``results/NAME.json``.
"""

from dgmhelpers.recipes import char_rnn, fvbn, made, mixture, nade, nade_family, pixel_rnn, pixels, vae
from dgmhelpers.recipes.base import Published, Recipe, UnknownRecipe, lookup, registry

__all__ = ["Published", "Recipe", "UnknownRecipe", "get", "names", "studies"]

FAMILIES = (mixture, fvbn, nade, made, nade_family, pixels, pixel_rnn, char_rnn, vae)
RECIPES = registry(recipe for family in FAMILIES for recipe in family.RECIPES)


def names() -> list[str]:
    """All recipes, by name."""
    return sorted(RECIPES)


def get(name: str) -> Recipe:
    """The recipe of that name, or an :class:`UnknownRecipe` error with the names that are close."""
    return lookup(RECIPES, name)


def studies() -> dict:
    """All studies (variants × seeds, rather than one model), by name."""
    from dgmhelpers.recipes import collapse, listing, sensitivity, stacked

    families = (listing, collapse, sensitivity, stacked)
    return {study.name: study for family in families for study in family.STUDIES}
