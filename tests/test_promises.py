"""What a model promises is what it is held to: every protocol, its laws, right models and faults of each kind."""

import pytest
import sketches
import torch

from dgmhelpers import laws, protocols
from dgmhelpers.protocols import LAWS

ALL_LAWS = {name for names in LAWS.values() for name in names} | {*protocols.ALWAYS, *protocols.LEARNING}


def seeded(make):
    torch.manual_seed(0)
    return make()


def broken(report):
    return [verdict.law for verdict in report.broken]


def test_every_law_belongs_to_a_promise():
    assert set(laws.LAWS) == ALL_LAWS


RIGHT = {
    "flow": (lambda: sketches.Flow(dim=4), {"inverts", "logdet_matches_jacobian", "loss_matches_target",
                                             "sampler_matches_density"}),
    "flow of five": (lambda: sketches.Flow(dim=5), {"inverts", "logdet_matches_jacobian"}),
    "flow in the plane": (lambda: sketches.Flow(dim=2), {"integrates_to_one", "sampler_matches_density"}),
    "RBM": (sketches.RBM, {"partition_is_the_sum", "gradient_is_data_minus_model", "chain_is_stationary",
                            "annealing_finds_the_partition", "draws_are_sound"}),
    "double well": (sketches.DoubleWell, {"chain_is_stationary"}),
    "Gaussian's score and field": (sketches.NoisyGaussian, {"score_is_the_gradient",
                                                             "velocity_is_the_conditional_mean"}),
    "labelled": (sketches.Labelled, {"refuses_wrong_contexts", "sums_to_one", "sampler_matches_density"}),
}


@pytest.mark.parametrize("dtype", [None, torch.double], ids=["its own", "double"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_model_keeps_what_it_promises(name, dtype):
    make, expected = RIGHT[name]
    report = laws.audit(seeded(make), dtype=dtype)
    assert report.held and not report.missing, str(report)
    assert {v.law for v in report.verdicts if v.held} >= expected


WRONG = {  # each would be passed by looking at shapes, and several by a test of samples
    "loss in bits, with a penalty": (sketches.BitsAndDecayFlow, "loss_matches_target", "bits called nats, and"),
    "sign of the inverse's log-determinant": (sketches.WrongSignFlow, "logdet_matches_jacobian", "the wrong sign"),
    "sign, odd": (lambda: sketches.WrongSignFlow(dim=5), "logdet_matches_jacobian", "the wrong sign"),
    "volume of one layer": (sketches.OneLayerForgottenFlow, "logdet_matches_jacobian", "not that of the map"),
    "comes back elsewhere": (sketches.LeftOverFlow, "inverts", "not the inverse"),
    "another map in training": (sketches.TrainingNoiseFlow, "logdet_matches_jacobian", "not that of the map"),
    "constant without biases": (sketches.NoBiasRBM, "partition_is_the_sum", "not that of this energy"),
    "constant without gradient": (sketches.FrozenConstantRBM, "gradient_is_data_minus_model", "does not follow"),
    "chain of a sigmoid doubled": (sketches.TwiceSigmoidRBM, "chain_is_stationary", "another distribution"),
    "annealing without its start": (sketches.UnnormalisedStartRBM, "annealing_finds_the_partition", "the constant"),
    "Langevin without correction": (lambda: sketches.DoubleWell(corrected=False), "chain_is_stationary", "another"),
    "score with a factor": (lambda: sketches.NoisyGaussian(factor=1.1), "score_is_the_gradient", "not the gradient"),
    "velocity with a factor": (lambda: sketches.NoisyGaussian(factor=1.1), "velocity_is_the_conditional_mean",
                               "elsewhere"),
    "a class wrapped around": (lambda: sketches.Labelled(careless=True), "refuses_wrong_contexts", "all the same"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_is_caught_by_the_law_that_names_it(name):
    make, law, words = WRONG[name]
    report = laws.audit(seeded(make), only=[law])
    assert broken(report) == [law] and not report.held, str(report)
    assert words in report[law].meaning and "Error" not in report[law].measured


def test_a_promise_is_known_by_methods_and_what_they_take():
    promised = protocols.promised(sketches.Flow())
    assert {protocols.Density, protocols.Bijection, protocols.Implicit} <= set(promised)
    assert protocols.Conditional not in promised and protocols.Ordered not in promised
    assert protocols.Conditional in protocols.promised(sketches.Labelled())
    assert {protocols.Partition, protocols.Chain, protocols.Annealed} <= set(protocols.promised(sketches.RBM()))


def test_a_required_law_that_cannot_run_is_a_failure():
    """A hundred uneven bits can be enumerated by nobody: what was offered could not be held to its promise."""
    from dgmhelpers.autoregressive import NADE

    model = NADE(dim=100, hidden=4)
    laws.redraw(model, torch.Generator().manual_seed(0))
    report = laws.audit(model)
    assert not report.broken and not report.held
    assert "sums_to_one" in [v.law for v in report.missing]
    assert "required but not run" in str(report) and "2^100" in str(report)


def test_what_needs_a_method_that_is_not_offered_is_not_required():
    bits = {"event_shape": (3,), "levels": 2}
    report = laws.audit(log_prob=lambda x: -3 * torch.log(torch.full((len(x),), 2.0, dtype=torch.double)), **bits)
    assert report.held and not report.missing
    assert report["sampler_matches_density"].held is None and not report["sampler_matches_density"].required


def test_laws_of_looking_alone_say_nothing_of_the_promises():
    """(4) A score that is no density is evaluated, and nothing that was promised is tested."""
    from dgmhelpers.latent import Autoencoder

    report = laws.audit(Autoencoder(dim=4, hidden=(4,)), only=protocols.ALWAYS)
    assert all(v.held for v in report.verdicts) and not report.held
    assert "no promise was tested" in str(report)


def test_state_is_looked_at_before_anything_else_and_given_back_to_every_law():
    class Decaying(sketches.Flow):
        """Writes to its weights in the forward pass."""

        def forward(self, x):
            with torch.no_grad():
                for p in self.parameters():
                    p.mul_(0.9)
            return super().forward(x)

    report = laws.audit(seeded(Decaying))
    assert report.verdicts[0].law == "forward_changes_nothing" and report.verdicts[0].held is False
    assert "Looking at the model changes it" in report.broken[0].meaning


def test_bijections_by_functions():
    flow = seeded(lambda: sketches.Flow(dim=3)).double()
    report = laws.audit(forward=flow.forward, inverse=flow.inverse, event_shape=(3,))
    assert report.held and report["inverts"].held and report["logdet_matches_jacobian"].held, str(report)
    wrong = seeded(lambda: sketches.WrongSignFlow(dim=3)).double()
    report = laws.audit(forward=lambda x: wrong.forward(x), inverse=lambda z: wrong.inverse(z), event_shape=(3,))
    assert broken(report) == ["logdet_matches_jacobian"]


def test_a_bijection_under_no_grad_is_differentiated_by_differences():
    flow = seeded(lambda: sketches.Flow(dim=3)).double()
    for kind, held in ((flow, True), (seeded(lambda: sketches.WrongSignFlow(dim=3)).double(), False)):
        report = laws.audit(forward=flow.forward, inverse=torch.no_grad()(lambda z, k=kind: k.inverse(z)),
                            event_shape=(3,))
        assert report["logdet_matches_jacobian"].held is held, str(report)


def test_unknown_laws_and_functions_are_told():
    with pytest.raises(ValueError, match="no law is called 'sums_to_two': did you mean sums_to_one"):
        laws.audit(sketches.Flow(), only="sums_to_two")
    with pytest.raises(ValueError, match="log_probs: no function that can be audited"):
        laws.audit(log_probs=len, event_shape=(2,))


def test_a_conditional_model_is_audited_at_several_contexts():
    class OneBadClass(sketches.Labelled):
        """Right for the first class alone."""

        def sample(self, n, *, context=None, generator=None):
            drawn = super().sample(n, context=context, generator=generator)
            return drawn if context[0] == 0 else 1 - drawn

    report = laws.audit(seeded(OneBadClass))
    assert broken(report) == ["sampler_matches_density"]
    assert "at context 1" in report["sampler_matches_density"].measured
    assert laws.audit(seeded(OneBadClass), context=0)["sampler_matches_density"].held


def bits_of(gap=0.1):
    """A bound without importance weights on three independent bits: log p less a gap that is drawn."""
    odds = torch.tensor([0.3, -0.5, 1.0], dtype=torch.double)

    def log_prob(x):
        return -torch.nn.functional.binary_cross_entropy_with_logits(odds.expand_as(x), x, reduction="none").sum(1)

    def elbo(x, *, generator):
        return log_prob(x) - gap - 0.01 * torch.randn(len(x), generator=generator, dtype=torch.double)

    return log_prob, elbo


def refusing(elbo, error):
    def call(x, k=1, *, generator):
        if k > 1:
            raise error
        return elbo(x, generator=generator)

    return call


@pytest.mark.parametrize("how", ["no k", AssertionError("1"), NotImplementedError("1"), ValueError("1")], ids=repr)
def test_a_bound_without_importance_weights_is_held_to_being_one(how):
    for gap, held in ((0.1, True), (-0.1, False)):
        log_prob, elbo = bits_of(gap)
        report = laws.audit(log_prob=log_prob, elbo=elbo if how == "no k" else refusing(elbo, how), event_shape=(3,),
                            levels=2)
        assert report["bound_is_below"].held is held and report.held is held, str(report)
        assert not report["weights_average_to_p"].required and not report["bound_rises_with_draws"].required
