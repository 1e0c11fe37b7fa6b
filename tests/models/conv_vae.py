"""ConvVAE: small ones that are held to every law."""

from dgmhelpers.latent import ConvVAE
from models import BOUND, Case

CASES = [
    Case("ConvVAE", lambda: ConvVAE((1, 3, 3), latent=2, channels=(3, 4), hidden=8), BOUND),
    Case("ConvVAE of levels", lambda: ConvVAE((2, 1, 2), latent=1, channels=(3, 4), hidden=8, levels=3), BOUND),
    Case("ConvVAE of one", lambda: ConvVAE((1, 1, 1), latent=1, channels=(2, 2), hidden=4), BOUND, slow=True),
]
