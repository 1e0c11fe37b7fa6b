"""Samples of a trained recipe as a picture, as text, or as rows of numbers."""

from pathlib import Path

import torch
from torch import Tensor

from dgmhelpers import devices
from dgmhelpers.arguments import local_path
from dgmhelpers.recipes import get, studies
from dgmhelpers.recipes.run import Folders
from dgmhelpers.training import checkpoints


def draw(name: str, *, n: int | None = None, out: Path | None = None, temperature: float = 1.0, seed: int = 0,
         profile: str = "full", device=None) -> str:
    """Draw ``n`` samples and write them to ``out``, whose ending says how; gives what to print.

    Raises:
        ValueError: if they cannot be written that way, or the name is of a study that keeps no weights.
    """
    out = None if out is None else local_path(out)
    study, where = studies().get(name), devices.device(device)
    recipe = (study or get(name)).for_profile(profile)
    if study and not study.keep:
        raise ValueError(f"{name} is a study that keeps no weights: there is nothing to draw from")
    if study and temperature != 1:
        raise ValueError(f"temperature is for models with a density, and {name} has none: leave it at 1")
    config = {} if study else recipe.config
    is_text = "length" in config
    n = n if n is not None else 64 if recipe.size else 4
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    ending = out.suffix if out is not None else ".txt"
    if ending not in (".png", ".txt"):
        raise ValueError(f"{out} should end in .png or .txt")
    if ending == ".png" and recipe.size is None:
        raise ValueError(f"the samples of {name} are not pictures: write them to FILE.txt")
    path = Folders.standard(profile).checkpoints / f"{name}.safetensors"
    model = checkpoints.load(path, where) if profile == "quick" else checkpoints.load_named(name, where)
    options, classes = {} if study else {"temperature": temperature}, config.get("classes")
    if classes:
        options["context"] = torch.arange(n, device=where) % classes                       # each class in turn
    x = model.sample(n, **options, generator=torch.Generator(where).manual_seed(seed)).cpu()
    levels = getattr(getattr(model, "likelihood", model), "levels", None)
    if ending == ".png":
        from matplotlib import pyplot

        out.parent.mkdir(parents=True, exist_ok=True)
        grey = (x.float() + 1) / 2 if levels is None else x.float() / (levels - 1)         # a GAN draws from −1 to 1
        pyplot.imsave(out, grid(grey.reshape(n, *recipe.size)).numpy(), cmap="gray", vmin=0, vmax=1)
        return f"wrote {out}: {n} samples"
    if is_text:
        symbols = checkpoints.read_metadata(path)["symbols"]
        text = "\n\n".join("".join(symbols[i] for i in row.tolist()) for row in x)
    elif recipe.size and levels == 2:
        pictures = x.reshape(n, *recipe.size).tolist()
        text = "\n\n".join("\n".join("".join(".#"[int(v)] for v in row) for row in picture) for picture in pictures)
    elif levels is None:
        text = "\n".join(" ".join(f"{v:.4g}" for v in row) for row in x.tolist())
    else:
        space = "" if levels <= 10 else " "
        text = "\n".join(space.join(str(int(v)) for v in row) for row in x.flatten(1).tolist())
    if out is None:
        return text
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    return f"wrote {out}: {n} samples"


def grid(pictures: Tensor, gap: int = 2, scale: int = 3) -> Tensor:
    """Pictures ``(n, H, W)`` side by side in a near-square, on grey, each pixel ``scale`` wide."""
    n, height, width = pictures.shape
    columns = int(n**0.5 + 0.999)
    rows = -(-n // columns)
    sheet = torch.full((rows * (height + gap) + gap, columns * (width + gap) + gap), 0.5)
    for i, picture in enumerate(pictures):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
