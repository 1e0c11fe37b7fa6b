"""HMM and CRF against enumeration over all paths."""

import itertools
import math

import pytest
import torch
from randomness import seeded

from dgmhelpers import classical, laws

DOUBLE = torch.double
K, L, T = 3, 4, 5


def paths(states=K, length=T):
    return torch.tensor(list(itertools.product(range(states), repeat=length)))     # (K^T, T)


@pytest.fixture
def hmm():
    torch.manual_seed(1)
    model = classical.HMM(length=T, states=K, levels=L)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    return model


def joint_by_hand(model, x):
    """``log p(x, z)`` of every path z, ``(B, K^T)``: the definition, with no recursion."""
    start, A, B = model.tables()
    z = paths(model.states, x.shape[1])
    value = start[z[:, 0]] + A[z[:, :-1], z[:, 1:]].sum(1)                             # (K^T,)
    return value + B[z[None], x[:, None]].sum(2)                                       # (B, K^T)


@pytest.fixture
def x():
    return torch.randint(L, (8, T), generator=seeded())


def test_forward_is_the_sum_over_all_paths(hmm, x):
    torch.testing.assert_close(hmm.log_prob(x), joint_by_hand(hmm, x).logsumexp(1), rtol=0, atol=1e-12)


def test_viterbi_is_the_maximum_over_all_paths(hmm, x):
    path, value = hmm.viterbi(x)
    best, which = joint_by_hand(hmm, x).max(1)
    torch.testing.assert_close(value, best, rtol=0, atol=1e-12)
    assert torch.equal(path, paths()[which])


def test_posterior_is_the_share_of_all_paths(hmm, x):
    share = joint_by_hand(hmm, x).softmax(1)                                           # (B, K^T)
    visits = torch.nn.functional.one_hot(paths(), K).double()                          # (K^T, T, K)
    torch.testing.assert_close(hmm.posterior(x), torch.einsum("bp,ptk->btk", share, visits), rtol=0, atol=1e-12)


def test_messages_from_both_ends_agree_at_every_step(hmm, x):
    everywhere = (hmm.forward_messages(x) + hmm.backward_messages(x)).logsumexp(2)     # (B, T)
    torch.testing.assert_close(everywhere, hmm.log_prob(x)[:, None].expand(-1, T), rtol=0, atol=1e-12)


def test_expected_counts_are_shares_of_all_paths_and_gradients_of_log_p(hmm, x):
    first, moves, emitted, _ = hmm.expected_counts(x)
    share, z = joint_by_hand(hmm, x).softmax(1), paths()
    pairs = torch.nn.functional.one_hot(z[:, :-1] * K + z[:, 1:], K * K).sum(1).double()
    torch.testing.assert_close(moves, (share.sum(0) @ pairs).reshape(K, K), rtol=0, atol=1e-12)
    # the gradient by a row's logits is counts − visits · probabilities
    hmm.log_prob(x).sum().backward()
    for count, parameter in ((first, hmm.start), (moves, hmm.transition), (emitted, hmm.emission)):
        expected = count - count.sum(-1, keepdim=True) * parameter.softmax(-1)
        torch.testing.assert_close(parameter.grad, expected, rtol=0, atol=1e-11)


def test_the_law_of_a_shorter_sequence_is_a_marginal(hmm, x):
    longer = [torch.cat([x[:, :-1], torch.full((8, 1), s)], 1) for s in range(L)]
    total = torch.stack([hmm.log_prob(each) for each in longer]).logsumexp(0)
    torch.testing.assert_close(hmm.log_prob(x[:, :-1]), total, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_baum_welch_never_lowers_the_likelihood(seed, smoothing):
    torch.manual_seed(seed)
    x = torch.randint(L, (12, 9), generator=seeded(seed))
    model = classical.HMM(length=9, states=3, levels=L).fit(x, steps=60, smoothing=smoothing)
    steps = torch.tensor(model.trace, dtype=DOUBLE).diff()
    assert len(steps) > 5 and steps.min() > -1e-11
    assert smoothing or abs(model.trace[-1] - model.log_prob(x).mean()) < 0.5


def test_sequences_of_several_lengths():
    torch.manual_seed(0)
    model = classical.HMM(states=2, levels=L)
    twin = classical.HMM(states=2, levels=L)
    twin.load_state_dict(model.state_dict())
    several = [torch.randint(L, (n,), generator=seeded(n)) for n in (3, 7, 3, 1, 12)]
    before = sum(model.log_prob(s[None]).item() for s in several) / 5
    model.fit(several, steps=40)
    assert abs(model.trace[0] - before) < 1e-12
    assert torch.tensor(model.trace, dtype=DOUBLE).diff().min() > -1e-11
    same = torch.stack([several[0], several[2]])
    a, b = twin.fit(same, steps=5), classical.HMM(states=2, levels=L)
    assert len(a.trace) <= 5
    with pytest.raises(ValueError, match="no sequence"):
        b.fit([])
    with pytest.raises(ValueError, match="sequence 1 must be a vector"):
        b.fit([several[0], same])


def test_baum_welch_finds_a_chain_that_is_there():
    true = classical.HMM(length=40, states=2, levels=3, start=[0.5, 0.5], transition=[[0.95, 0.05], [0.1, 0.9]],
                         emission=[[0.8, 0.15, 0.05], [0.05, 0.15, 0.8]])  # fmt: skip
    x, z = true.sample_joint(200, generator=seeded())
    torch.manual_seed(2)  # not every start gets there: from seed 0 it stays on a plateau, 8 nats below
    model = classical.HMM(length=40, states=2, levels=3).fit(x, steps=200)
    assert model.log_prob(x).mean() > true.log_prob(x).mean()  # the maximum is at least as likely as the truth
    agree = (model.viterbi(x)[0] == z).double().mean().item()
    assert max(agree, 1 - agree) > 0.9


def test_a_state_never_visited_keeps_its_rows():
    model = classical.HMM(length=6, states=3, levels=2, start=[0.5, 0.5, 0.0],
                          transition=[[0.7, 0.3, 0.0], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]],
                          emission=[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])  # fmt: skip
    kept = model.transition[2].clone(), model.emission[2].clone()
    x = torch.randint(2, (10, 6), generator=seeded())
    model.fit(x, steps=20)
    assert torch.equal(model.transition[2], kept[0]) and torch.equal(model.emission[2], kept[1])
    assert all(p.isnan().sum() == 0 for p in model.parameters())
    assert torch.tensor(model.trace, dtype=DOUBLE).diff().min() > -1e-11
    assert (model.tables()[0].exp()[2] == 0) and (model.posterior(x)[..., 2] == 0).all()


def test_a_sequence_of_probability_zero_is_refused():
    model = classical.HMM(length=3, states=1, levels=2, emission=[[1.0, 0.0]])
    assert model.log_prob(torch.tensor([[0, 1, 0]])).item() == -math.inf
    for call in (model.fit, model.posterior):
        with pytest.raises(ValueError, match="sequence 1 has probability zero"):
            call(torch.tensor([[0, 0, 0], [0, 1, 0]]))


# ---------------------------------------------------------------------------------------------- CRF


@pytest.fixture
def crf():
    torch.manual_seed(2)
    model = classical.CRF(length=T, levels=K, features=2)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_()
    return model


@pytest.fixture
def seen():
    return torch.randn(6, T, 2, generator=seeded(3), dtype=DOUBLE)


def scores_by_hand(model, seen):
    """``s(y, x)`` of every label sequence, ``(B, K^T)``."""
    y = paths()
    single = seen @ model.weight.T + model.bias                                        # (B, T, K)
    value = torch.stack([single[:, t, y[:, t]] for t in range(T)]).sum(0)
    return value + model.first[y[:, 0]] + model.transition[y[:, :-1], y[:, 1:]].sum(1)


def test_partition_function_is_the_sum_over_all_labellings(crf, seen):
    torch.testing.assert_close(crf.log_partition(seen), scores_by_hand(crf, seen).logsumexp(1), rtol=0, atol=1e-12)


def test_gradients_are_those_of_the_sum_over_all_labellings(crf, seen):
    y = torch.randint(K, (6, T), generator=seeded())
    ours = torch.autograd.grad(crf.log_prob(y, seen).sum(), crf.parameters())
    by_hand = (crf.score(y, seen) - scores_by_hand(crf, seen).logsumexp(1)).sum()
    for got, expected in zip(ours, torch.autograd.grad(by_hand, crf.parameters()), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)


def test_labels_by_enumeration(crf, seen):
    scores = scores_by_hand(crf, seen)
    assert torch.equal(crf.viterbi(seen), paths()[scores.argmax(1)])
    visits = torch.nn.functional.one_hot(paths(), K).double()
    expected = torch.einsum("bp,ptk->btk", scores.softmax(1), visits)
    torch.testing.assert_close(crf.posterior(seen), expected, rtol=0, atol=1e-12)


def test_a_crf_is_a_density_given_what_it_sees(crf, seen):
    report = laws.audit(
        log_prob=lambda y: crf.log_prob(y, seen[:1].expand(len(y), -1, -1)),
        sample=lambda n, generator: crf.sample(n, context=seen[0], generator=generator),
        event_shape=(T,),
        levels=K,
    )
    assert report.held and report["sums_to_one"].held and report["sampler_matches_density"].held, str(report)


def test_crf_fit_is_the_maximum(crf, seen):
    y = crf.sample(6, context=seen, generator=seeded())
    model = classical.CRF(length=T, levels=K, features=2).fit(y, seen, penalty=0.01)
    loss = -model.log_prob(y, seen).mean() + 0.01 * sum(p.square().sum() for p in model.parameters())
    assert all(g.abs().max() < 1e-5 for g in torch.autograd.grad(loss, model.parameters()))


def test_hmm_posterior_is_a_crf(hmm, x):
    """The conditional of an HMM's path given its symbols is the CRF with logs of its tables for scores."""
    start, A, B = hmm.tables()
    model = classical.CRF(length=T, levels=K, features=L)
    model._set(first=start, transition=A, weight=B)
    seen = torch.nn.functional.one_hot(x, L).double()
    torch.testing.assert_close(model.log_partition(seen), hmm.log_prob(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(model.posterior(seen), hmm.posterior(x), rtol=0, atol=1e-12)


def test_crf_refuses_what_does_not_fit(crf, seen):
    y = torch.zeros(6, T, dtype=torch.long)
    for context in (None, seen[:5], seen[..., :1], seen[0]):
        with pytest.raises(ValueError, match="context must be observations"):
            crf.log_prob(y, context)
    with pytest.raises(ValueError, match="within 0 … 2"):
        crf.log_prob(y + 5, seen)
    with pytest.raises(ValueError, match="finite"):
        crf.log_prob(y, seen * math.inf)
