"""Live cells without a browser: called, moved, seen to change, closed; and what they compute, against another way."""

import ast
import math
import subprocess
import sys
import threading
import time

import matplotlib.pyplot as plt
import pytest
import torch
from live_cells import CELLS, IDS, MOVES

from dgmhelpers import classical, data, flows, live
from dgmhelpers.autoregressive import NADE, CharRNN, DeepNADE
from dgmhelpers.latent import VAE
from dgmhelpers.live import cell as live_cell
from dgmhelpers.live.bend import Hand as BendingHand
from dgmhelpers.live.bend import best_hand
from dgmhelpers.live.canvas import bits
from dgmhelpers.live.complete import REGIONS, nats_of, places
from dgmhelpers.live.game import Match
from dgmhelpers.live.latent import grid, smoothed
from dgmhelpers.live.mixture import Hand, clouds
from dgmhelpers.live.push_forward import Bent, best_map

STILL = 40 * 1024       # bytes of a still's markup and PNG together, at most


def run(source: str, names: dict):
    """What a cell shows: the value of its last statement."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.slow
@pytest.mark.parametrize("case", CELLS, ids=IDS)
def test_a_cell_runs_moves_and_closes(case):
    names: dict = {}
    exec(case.setup, names)
    shown = run(case.source, names)
    threads = threading.active_count()      # a cell may train a model first, and training leaves a thread of its own
    state = torch.random.get_rng_state()
    bundle, (name, value) = shown._repr_mimebundle_(), MOVES[case.name]
    assert live_cell.VIEW in bundle and "Run this cell in a notebook to" in bundle["text/html"]
    assert len(bundle["text/html"]) + len(bundle.get("image/png", "")) < STILL
    before = shown.picture.markup
    shown.controls[name].value = value
    assert shown.picture.markup != before and not shown.message
    assert shown.still.to_html() in bundle["text/html"]                            # the still stays what it was
    shown.close()
    after = shown.picture
    shown.controls[name].value = shown.controls[name].value
    assert shown.picture is after and threading.active_count() == threads and not plt.get_fignums()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert shown.box.comm is None and all(control.comm is None for control in shown.controls.values())


@pytest.mark.parametrize("case", CELLS, ids=IDS)
def test_a_chapter_stores_the_still_alone(case):
    (output,) = case.stored
    assert live_cell.VIEW not in output.data and "This is a still" in output.data["text/html"]


def test_nothing_is_imported_before_a_call():
    asked = "import sys, dgmhelpers.live; print({'ipywidgets', 'anywidget', 'matplotlib'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "set()"


def test_what_goes_wrong_is_said_and_the_picture_stays():
    rnn = CharRNN(length=8, levels=3, hidden=4)
    shown = live.next_symbol(rnn, "ab ", start="ab")
    before = shown.picture
    shown.controls["text"].value = "abc"
    assert "never seen 'c'" in shown.message and shown.picture is before
    shown.controls["text"].value = ""
    assert not shown.message and shown.picture is not before


def test_several_controls_are_set_with_one_drawing(monkeypatch):
    shown, drawn = live.mixture(components=2), []
    draw = shown._draw
    monkeypatch.setattr(shown, "_draw", lambda **values: drawn.append(values) or draw(**values))
    shown.set(across=1.0, up=-1.0, width=0.5)
    assert len(drawn) == 1 and (drawn[0]["across"], drawn[0]["up"], drawn[0]["width"]) == (1.0, -1.0, 0.5)
    shown.controls["which"].value = 1       # the sliders follow the component, and one picture follows them
    assert len(drawn) == 2 and drawn[1]["across"] != 1.0


def test_a_slider_that_a_browser_rounds_is_not_moved(monkeypatch):
    """The values that the kernel sets need not be on a slider's steps; a browser sends the nearest that is."""
    shown, drawn = live.mixture(components=2), []
    draw = shown._draw
    monkeypatch.setattr(shown, "_draw", lambda **values: drawn.append(values) or draw(**values))
    shown.set(across=1.234)
    shown.controls["across"].value = 1.25
    assert len(drawn) == 1
    shown.controls["across"].value = 1.3
    assert len(drawn) == 2
    bent = live.push_forward()
    before, slope = bent.picture, bent.controls["s2"]
    slope.value *= 10 ** (0.4 * slope.step)
    assert bent.picture is before
    slope.value *= 10**slope.step
    assert bent.picture is not before


def test_cells_draw_one_at_a_time(monkeypatch):
    """Kernels may call back in threads of their own."""
    inside, most = [], []

    def slow(**_):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return shown.picture

    shown = live.mixture(components=2)
    monkeypatch.setattr(shown, "_draw", slow)
    callers = [threading.Thread(target=shown.update) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert most == [1] * 4


def test_an_interrupt_is_no_error(monkeypatch):
    shown = live.mixture(components=2)
    before = shown.picture

    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shown, "_draw", interrupted)
    shown.update()
    assert shown.message.startswith("Interrupted") and shown.picture is before


def test_the_same_cell_run_again_closes_what_it_made(monkeypatch):
    monkeypatch.setattr(live_cell, "_cell_id", lambda: "a-cell")
    first = live.mixture(components=2)
    before = first.picture
    live.mixture(components=2)
    first.controls["across"].value = 1.0
    assert first.picture is before
    live_cell._open.clear()


def test_bent_is_a_density_and_its_samples_come_from_it():
    f = Bent(torch.tensor([0.3, 1.0, 4.0, 2.0, 0.2, 0.1]).double(), -0.5)
    x = torch.linspace(-4, 12, 400_001, dtype=torch.double)
    density = f.log_prob(x).exp()
    assert density.sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-4)             # jumps cost a grid step each
    edges = torch.linspace(-1, 8, 10, dtype=torch.double)
    drawn = f(torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.double))
    for low, high in zip(edges, edges[1:], strict=False):
        p = (density[(x >= low) & (x < high)].sum() * (x[1] - x[0])).item()
        share = ((drawn >= low) & (drawn < high)).double().mean().item()
        assert abs(share - p) < 5 * math.sqrt(max(p, 1e-4) / 100_000) + 1e-4       # five standard errors


def test_no_map_nearby_is_better_than_the_best():
    x = data.toys.shot_chart().sample(500, torch.Generator().manual_seed(0), dtype=torch.double).norm(dim=1)
    best = best_map(x)
    most, even = best.log_prob(x).mean(), Bent(torch.full((6,), 1.7).double(), -1.0).log_prob(x).mean()
    assert most > even
    for k in range(6):
        for factor in (0.97, 1.03):
            slopes = best.slopes.clone()
            slopes[k] *= factor
            assert Bent(slopes, best.heights[0]).log_prob(x).mean() <= most + 1e-9


def test_a_plane_bent_by_hand_keeps_its_density():
    """Against the theorem with autograd's Jacobian, and against its own best neighbours."""
    g = torch.Generator().manual_seed(0)
    hand = BendingHand(torch.randn(6, generator=g, dtype=torch.double) / 2, torch.tensor([0.3, -0.2]).double())
    z = torch.randn(20, 2, generator=g, dtype=torch.double)
    J = torch.autograd.functional.jacobian(lambda z: hand(z).sum(0), z).transpose(0, 1)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) - torch.linalg.slogdet(J)[1]
    torch.testing.assert_close(hand.log_prob(hand(z)), expected)
    x = data.toys.two_moons().sample(300, g, dtype=torch.double)
    best = best_hand(x)
    most = BendingHand(best, x.mean(0)).log_prob(x).mean()
    for move in torch.cat([torch.eye(6), -torch.eye(6)]).double() * 0.03:
        assert BendingHand(best + move, x.mean(0)).log_prob(x).mean() <= most + 1e-9


def test_a_flow_is_shown_next_to_the_hand():
    shown = live.bend(data.toys.banana(), flows.RealNVP(dim=2, layers=2, hidden=(8,)))
    assert "A trained flow has" in shown.picture.alt
    with pytest.raises(ValueError, match="over the plane"):
        live.bend(data.toys.banana(), flows.RealNVP(dim=3))


def test_the_hand_and_the_package_score_and_step_alike():
    x, hand = clouds(), Hand(3, 5.0)
    hand.put(1, across=-1.0, up=0.5, width=0.8, height=1.2, tilt=0.4, share=0.5)
    assert hand.sliders(1) == pytest.approx(dict(across=-1, up=0.5, width=0.8, height=1.2, tilt=0.4, share=0.5))
    assert hand.weights.sum() == pytest.approx(1)
    fit = classical.GaussianMixture(2, 3, ridge=1e-3)
    from dgmhelpers.classical.gaussian import raw_factor

    raw = torch.stack([raw_factor(c) for c in hand.covariances])
    fit._set(means=hand.means, raw=raw, logits=hand.weights.log())
    torch.testing.assert_close(hand.log_joint(x).logsumexp(1), fit.log_prob(x).detach())
    hand.em_step(x)
    fit.em_step(x)
    torch.testing.assert_close(hand.means, fit.means.detach())
    torch.testing.assert_close(hand.covariances, fit.covariances.detach())


def test_what_is_given_costs_its_marginal():
    """−log p(known) against the sum over everything that is not known."""
    torch.manual_seed(0)
    nade = NADE(dim=9, hidden=5).double()
    nade.reset_parameters() if hasattr(nade, "reset_parameters") else None
    known = REGIONS["the top third"](*places(3, 3)).flatten()
    x = torch.tensor([1.0, 0, 1, 0, 0, 0, 0, 0, 0]).double()
    rest = torch.cartesian_prod(*[torch.tensor([0.0, 1]).double()] * 6)
    whole = torch.cat([x[:3].expand(64, 3), rest], 1)
    exact = -nade.log_prob(whole).logsumexp(0).item()
    assert nats_of(nade, x, known) == pytest.approx(exact, abs=1e-9)
    assert nats_of(nade, x, ~known) is None
    deep = DeepNADE(dim=9, hidden=5, orders=1).double()
    assert nats_of(deep, x, ~known) is not None


def test_a_canvas_keeps_what_is_painted_and_the_model_the_rest():
    nade = NADE(dim=16, hidden=4)
    shown = live.complete(nade, torch.zeros(1, 4, 4), n=2)
    canvas = shown.controls["painting"]
    assert canvas.yours == "1" * 8 + "0" * 8
    before = shown.picture.markup
    canvas.value = "1" * 8 + "0" * 8
    assert shown.picture.markup != before and bits(canvas.image) == canvas.value
    shown.controls["given"].value = "the left half"
    assert canvas.yours == "1100" * 4 and "before it has seen" in shown.picture.alt


def test_smoothing_is_a_gaussian_expectation():
    """E of a quadratic form under N(m, s² I), in closed form: the form at m, and s² times its trace."""
    at, std = grid().double(), 0.4
    values = at[:, None].square() + 3 * at + 0 * at[:, None]
    middle = at.abs() < 2
    expected = (values + std**2)[middle][:, middle]
    torch.testing.assert_close(smoothed(values, std)[middle][:, middle], expected, atol=1e-3, rtol=0)


def test_the_map_and_the_encoder_agree_on_the_bound():
    torch.manual_seed(0)
    vae = VAE(dim=16, latent=2, hidden=(8,))
    shown = live.latent(vae, torch.bernoulli(torch.full((3, 16), 0.5)))
    before = shown.picture.markup
    shown.controls["beta"].value = 5.0
    assert shown.picture.markup != before and not shown.message
    with pytest.raises(ValueError, match="two latents"):
        live.latent(VAE(dim=16, latent=3, hidden=(8,)), torch.zeros(1, 16))


def test_a_match_plays_algorithm_1_and_stops_at_a_loss_that_is_not_finite():
    one, two = (Match(data.toys.ring_of_8(), seed=1, hidden=8) for _ in range(2))
    rates = {"lr_d": 1e-3, "lr_g": 1e-3, "k": 2}
    one.play(6, **rates)
    two.play(2, **rates)
    two.play(4, **rates)
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(a, b)                                                   # a pause changes nothing
    with torch.no_grad():
        next(two.model.discriminator.parameters()).fill_(math.nan)
    kept = [p.clone() for p in two.model.generator.parameters()]
    with pytest.raises(FloatingPointError, match="discriminator"):
        two.play(1, **rates)
    assert all(torch.equal(a, b) for a, b in zip(kept, two.model.generator.parameters(), strict=True))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: live.push_forward(torch.zeros(3)), "ten finite numbers"),
        (lambda: live.mixture(torch.zeros(20, 3)), r"\(N, 2\)"),
        (lambda: live.mixture(components=9), "1 to 5, got 9"),
        (lambda: live.next_symbol(CharRNN(length=4, levels=3, hidden=4), "abcd"), "3 symbols, and 4"),
        (lambda: live.complete(NADE(dim=16, hidden=4), torch.zeros(1, 3, 3)), "3 × 3"),
        (lambda: live.game(lr=(1.0, 1e-3)), "1e-5"),
        (lambda: live.game(k=0), "1 to 10, got 0"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
