"""StandardNormal, the prior of latent models, as a density; its mutants are those of the models that take it."""

from dgmhelpers.latent import StandardNormal
from models import LOOKED_AT, Case

WITHOUT_PARAMETERS = (*LOOKED_AT, "draws_are_sound", "integrates_to_one", "sampler_matches_density",
                      "loss_matches_target", "starts_sane")  # fmt: skip
CASES = [Case("StandardNormal", lambda: StandardNormal(2), WITHOUT_PARAMETERS)]
