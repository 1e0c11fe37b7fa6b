"""Data of your own, in whatever it comes, and what is done with it: trained, extended, measured, drawn, exported."""

import sys

import numpy as np
import pytest
import torch
from torch import nn
from training_cases import QUIET, weights

from dgmhelpers import data, evaluation, laws, viz
from dgmhelpers.autoregressive import MADE, NADE, CharRNN, GatedPixelCNN
from dgmhelpers.classical import Gaussian
from dgmhelpers.examples import as_examples
from dgmhelpers.standardised import Standardised
from dgmhelpers.training import CheckpointError, LogProb, Objective, checkpoints, fit

X = (np.arange(48).reshape(12, 4) * 7 % 5 > 2).astype(np.uint8)


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return torch.from_numpy(X[i]), 3


def kinds():
    pandas, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    return {"numpy": X, "bool": X.astype(bool), "float16": X.astype(np.float16), "list": X.tolist(),
            "pandas": pandas.DataFrame(X), "sparse": sparse.csr_matrix(X), "torch sparse": torch.tensor(X).to_sparse(),
            "big endian": X.astype(">i4"), "dataset": Pairs(),
            "loader": torch.utils.data.DataLoader(Pairs(), batch_size=5), "rows": [torch.tensor(row) for row in X]}


def test_every_kind_of_examples_trains_the_same_model():
    found = {}
    for name, x in kinds().items():
        torch.manual_seed(0)
        model = NADE(dim=4, hidden=3)
        fit(model, x, valid=x, steps=4, batch_size=4, **QUIET)
        found[name] = weights(model)
        assert abs(evaluation.nats(model, x).value - evaluation.nats(model, torch.tensor(X)).value) < 1e-6, name
    first = found.pop("numpy")
    for name, other in found.items():
        assert all(torch.equal(a, b) for a, b in zip(first.values(), other.values(), strict=True)), name


def test_what_is_no_example_is_refused_by_name():
    pandas = pytest.importorskip("pandas")
    for wrong, message in [
        (pandas.DataFrame({"a": [1.0], "city": ["x"]}), "city hold something else"),
        (np.array(["a"]), "must hold numbers"), ("text", "got str"), ([], "holds no example"),
        ([[1, 2], [1]], "number 1|must hold numbers"), (3, "got int"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            as_examples(wrong)


# ------------------------------------------------------------------------------------------------ files


def test_a_table_of_a_file(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text("width,height,kind\n1.5,2,rose\n2,,tulip\n3,4,rose\n4,5,aster\n", encoding="utf-8")
    with pytest.raises(ValueError, match="columns kind of flowers hold words"):
        data.from_table(path)
    with pytest.raises(ValueError, match=r"lacks values \(height 1\)"):
        data.from_table(path, label="kind")
    whole = {"label": "kind", "parts": (0.0, 0.0)}
    dropped = data.from_table(path, missing="drop", **whole)
    assert sorted(dropped.train[:, 0].tolist()) == [1.5, 3, 4] and dropped.levels is None
    by_width = dict(zip(dropped.train[:, 0].tolist(), dropped.labels["train"].tolist(), strict=True))
    assert by_width == {1.5: 1, 3.0: 1, 4.0: 0}
    filled = data.from_table(path, missing="mean", **whole)
    assert filled.train[filled.train[:, 0] == 2].tolist() == [[2, pytest.approx(11 / 3)]]
    with pytest.raises(ValueError, match="no column 'depth'"):
        data.from_table(path, columns=["depth"])


def test_a_folder_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.RandomState(0)
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for i in range(10):
            image.fromarray(rng.randint(0, 256, (6, 5)).astype(np.uint8)).save(tmp_path / kind / f"{i}.png")
    found = data.from_images(tmp_path)
    assert found.train.shape == (16, 1, 6, 5) and found.levels == 256 and len(found.labels["test"]) == 2
    grey = data.from_images(tmp_path, levels=4, size=(8, 8), colour=True)
    assert grey.train.shape[1:] == (3, 8, 8) and grey.train.max() <= 3
    image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(data.DataError, match=r"is \(2, 2\)|small.png"):
        data.from_images(tmp_path)


def test_a_text_and_its_unknown_symbols(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_text("to be or not to be\n" * 20 + "Zebra quiz\n", encoding="utf-8")
    found = data.from_text(path)
    assert "z" not in found.symbols and found.decode(found.encode("zero")) == "\N{REPLACEMENT CHARACTER}ero"
    assert found.train.tolist() == found.encode(path.read_text(encoding="utf-8"))[: len(found.train)].tolist()
    few = data.from_text(path.read_text(encoding="utf-8"), symbols=3)
    assert few.levels == 4 and sum(map(len, few.splits.values())) == len(path.read_text(encoding="utf-8"))


def test_own_sets_have_names(monkeypatch):
    monkeypatch.setattr(data, "OWN", {})
    data.register("mine", lambda: data.from_arrays(X, levels=2), "four bits")
    assert "mine" in data.names() and data.load("mine").levels == 2 and "four bits" in data.describe("mine")
    with pytest.raises(ValueError, match="mnist is a data set of this package"):
        data.register("mnist", lambda: None)
    with pytest.raises(ValueError, match="not whole numbers from 0 to 1"):
        data.from_arrays(X * 2, levels=2)


def test_standardised_data_keep_their_unit_and_their_jacobian(tmp_path):
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double() * torch.tensor([1e2, 1e-1]) + 7
    own = Gaussian(dim=2).fit(x)
    inner = Gaussian(dim=2)
    whole = Standardised.of(inner, x)
    inner.fit(whole.standardised(x))
    assert torch.allclose(whole.log_prob(x), own.log_prob(x), atol=1e-9)                 # in the same unit
    checkpoints.save(tmp_path / "whole.safetensors", whole)
    again = checkpoints.load(tmp_path / "whole.safetensors")
    assert torch.equal(again.log_prob(x), whole.log_prob(x))
    assert abs(again.sample(4000, generator=0).std(0)[0] / x.std(0)[0] - 1) < 0.1
    with pytest.raises(ValueError, match="do not vary"):
        Standardised.of(Gaussian(dim=2), torch.ones(4, 2))
    with pytest.raises(ValueError, match="only real values"):
        Standardised(NADE(dim=2))
    whole = Standardised.of(Gaussian(dim=2), torch.randn(50, 2).double() * 3)
    assert laws.audit(whole).held


# ------------------------------------------------------------------------------------------------ training


RUN = dict(batch_size=4, lr=1e-2, evaluate_every=4, **QUIET)


def test_a_run_is_made_longer_and_is_that_of_the_longer_plan(tmp_path):
    x = torch.tensor(X)

    def run(steps, name, **options):
        torch.manual_seed(0)
        model = NADE(dim=4, hidden=3)
        history = fit(model, x, steps=steps, checkpoint=tmp_path / name, decay=False, **RUN, **options)
        return weights(model), history.train_loss

    run(8, "short")
    with pytest.raises(CheckpointError, match="steps was 8 and is 16.*extend=True"):
        run(16, "short")
    (extended, losses), (planned, wanted) = run(16, "short", extend=True), run(16, "long")
    assert losses == wanted and all(torch.equal(extended[name], planned[name]) for name in planned)
    with pytest.raises(CheckpointError, match="has taken 16 steps already"):
        run(12, "short", extend=True)
    model = NADE(dim=4, hidden=3)
    loaded = checkpoints.load(tmp_path / "short", model=model)
    assert loaded is model and all(torch.equal(w, planned[name]) for name, w in weights(model).items())


def test_who_watches_is_given_the_history():
    seen = []
    fit(NADE(dim=4, hidden=3), X, steps=8, watch=lambda model, step, history: seen.append((step, len(history.steps))),
        **RUN)
    assert seen == [(0, 0), (4, 4), (8, 8)]


def test_a_foreign_signature_is_refused_before_a_step():
    class Foreign(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(1))

        def loss(self, x):
            raise AssertionError("not to be called")

    with pytest.raises(ValueError, match=r"Foreign.loss is called as loss\(x, context=None.*takes \(x\)"):
        fit(Foreign(), X, steps=2, **RUN)

    class Half(Foreign):
        def loss(self, x, context=None, *, generator=None):
            return self.a.square().sum()

        def log_prob(self, x):
            return -x

    fit(Half(), X, steps=2, **RUN)
    with pytest.raises(ValueError, match="Half.log_prob is called as"):
        fit(Half(), X, valid=X, steps=2, **RUN)


# ------------------------------------------------------------------------------------------------ small things


def test_a_seed_is_a_generator_and_a_number_a_context():
    model = NADE(dim=4, hidden=3)
    assert torch.equal(model.sample(5, generator=3), model.sample(5, generator=torch.Generator().manual_seed(3)))
    model = GatedPixelCNN(event_shape=(1, 3, 3), levels=2, channels=4, layers=1, classes=3)
    for given, rows in ((2, [2, 2]), ([0, 2], [0, 2])):
        assert torch.equal(model.sample(2, context=given, generator=0),
                           model.sample(2, context=torch.tensor(rows), generator=0))


def test_figures_of_a_model_and_its_config():
    model = MADE(dim=4, hidden=5)
    wanted = evaluation.bits_per_dim(evaluation.nats(model, X), 4)
    assert evaluation.bits_per_dim(model, X) == wanted and wanted.unit == "bits/dim"
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert evaluation.perplexity(model, X) == pytest.approx(2)
    assert repr(Gaussian(dim=3)) == "Gaussian(dim=3)"


def test_text_goes_on_from_a_prompt(tmp_path):
    torch.manual_seed(0)
    found = data.from_text("to be or not to be\n" * 20)
    model = CharRNN(length=8, levels=found.levels, hidden=6)
    text = model.generate("to b", 12, dataset=found, generator=0)
    assert len(text) == 12 and text == model.generate("to b", 12, dataset=found, generator=0)
    # the definition: each symbol from the conditional of all before it
    levels, generator = found.encode("to b").tolist(), torch.Generator().manual_seed(0)
    for _ in range(12):
        params = model.of_length(len(levels) + 1)(torch.tensor([[*levels, 0]]))[:, -1]
        levels.append(int(model.likelihood.sample(params, 1.0, generator)))
    assert found.decode(torch.tensor(levels[4:])) == text
    with pytest.raises(ValueError, match="give dataset="):
        model.generate("to", 3)
    checkpoints.save(tmp_path / "text.safetensors", model, {"symbols": list(found.symbols)})
    assert checkpoints.load(tmp_path / "text.safetensors").generate("to b", 12, generator=0) == text
    assert model.generate(torch.tensor([1, 2]), 3).shape == (3,) and model.generate("", 0, dataset=found) == ""


def test_pictures_are_saved(tmp_path):
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(1, 1))
    ax.plot([0, 1])
    picture = viz.show(figure, alt="a line")
    for ending, begins in ((".png", b"\x89PNG"), (".html", b"<"), (".svg", b"<svg")):
        picture.save(tmp_path / "deep" / f"a{ending}")
        assert (tmp_path / "deep" / f"a{ending}").read_bytes().startswith(begins)
    with pytest.raises(ValueError, match="should end in one of .png"):
        picture.save(tmp_path / "a.jpg")


def test_densities_are_mapped_exported_and_called_as_modules():
    x = torch.tensor(X).float()
    model = MADE(dim=4, hidden=5)
    wanted = model.log_prob(x)
    assert torch.allclose(Objective(model)(x), -wanted.mean())
    plain = LogProb(model)
    assert torch.allclose(torch.func.vmap(lambda row: plain(row[None])[0])(x), wanted, atol=1e-6)
    program = torch.export.export(plain, (x,))
    assert torch.allclose(program.module()(x), wanted, atol=1e-6)


def test_what_is_not_installed_is_named_with_what_brings_it(monkeypatch, tmp_path):
    """A wheel that was installed without its extras reads no images."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r"PIL is not installed: pip install 'dgmhelpers\[viz\]'"):
        data.from_images(tmp_path, size=(8, 8), levels=2)


def test_a_difference_says_which_way_it_goes():
    says = [str(evaluation.Difference(value, 0.5, 10, 0.4)) for value in (2.0, -2.0)]
    assert "A is better by 2.000 nats, 95 % interval 1.020 to 2.980" in says[0]
    assert "A is worse by 2.000 nats, 95 % interval 1.020 to 2.980, and better on 40% of 10" in says[1]
