"""Chapter 07's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
import torch.nn.functional as F
from exercise_cases import ExerciseCases


def is_blind(u, r, kernel):
    return u >= 1 and r > kernel // 2 * u


def blind_share(H, W, kernel, *, least=0, count=lambda n: n * (n - 1) / 2):
    s = kernel // 2
    blind = sum(max(least, W - 1 - j - s * u) for i in range(H) for j in range(W) for u in range(1, i + 1))
    return blind / count(H * W)


def layers_needed(H, W, kernel, shift=2, least=1):
    return max(least, math.ceil(max(W - 1, H - shift) / (kernel // 2)))


def stack_masks(kernel):
    c, masks = kernel // 2, torch.zeros(3, kernel, kernel, dtype=torch.bool)
    masks[0, :c], masks[1, c, :c], masks[2, c, : c + 1] = True, True, True
    return tuple(masks)


def changed(which, where, value=True):
    def answer(kernel):
        masks = stack_masks(kernel)
        masks[which][where(kernel // 2)] = value
        return masks

    return answer


def rows_above(x):
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


def posterior(log_p, prior):
    return (log_p + prior.log()).softmax(1)


def entropy(H, W, up, right, stay, kernel):
    noise = sum(-p * math.log(p) for p in (stay, 1 - stay) if p > 0)
    return H * W * math.log(2) - (H - up) * (W - right) * (math.log(2) - noise)


def best_nats(H, W, up, right, stay, kernel):
    if is_blind(up, right, kernel):
        return H * W * math.log(2)
    return entropy(H, W, up, right, stay, kernel)


WRONG = [
    ("07.1", lambda u, r, kernel: u >= 1 and r > u, "rule for 3 × 3"),
    ("07.1", lambda u, r, kernel: r > kernel // 2 * u or u == 0, "same row is never blind"),
    ("07.1", lambda u, r, kernel: u >= 1 and r >= kernel // 2 * u, "get exactly there"),
    ("07.1", lambda u, r, kernel: u >= 1 and abs(r) > kernel // 2 * u, "to the left every hop"),
    ("07.2", lambda H, W, k: blind_share(H, W, 3), "rule for 3 × 3"),
    ("07.2", lambda H, W, k: blind_share(H, W, 2 * k), "not k"),
    ("07.2", lambda *a: blind_share(*a, least=-100), "must not be negative"),
    ("07.2", lambda *a: blind_share(*a, count=lambda n: 1), "how many pairs are blind"),
    ("07.2", lambda *a: blind_share(*a, count=lambda n: n * n / 2), "no past in itself"),
    ("07.2", lambda *a: blind_share(*a) / 2, "counts once"),
    ("07.3", lambda *a: layers_needed(*a, shift=1), "one row for nothing"),
    ("07.3", lambda H, W, kernel: max(1, max(W - 1, H - 2) // (kernel // 2)), "round up"),
    ("07.3", lambda H, W, kernel: max(1, W - 1, H - 2), "not one"),
    ("07.3", lambda *a: layers_needed(*a, least=0), "at least one layer"),
    ("07.4", changed(0, lambda c: (c, 0)), "other stack's task"),
    ("07.4", changed(0, lambda c: (0, -1), False), "loses part of the rows above"),
    ("07.4", changed(1, lambda c: (c, c)), "must not keep the pixel itself"),
    ("07.4", changed(2, lambda c: (c, c), False), "own place"),
    ("07.4", changed(2, lambda c: (c, c + 1)), "the future"),
    ("07.4", changed(2, lambda c: (0, 0)), "vertical stack's task"),
    ("07.4", lambda kernel: stack_masks(kernel)[:2], "three masks"),
    ("07.5", lambda x: x.roll(1, 2), "see the future"),
    ("07.5", lambda x: x, "not moved"),
    ("07.5", lambda x: F.pad(x, (0, 0, 0, 1))[:, :, 1:], "moves the image up"),
    ("07.5", lambda x: F.pad(x, (1, 0))[..., :-1], "moves the columns"),
    ("07.5", lambda x: x[:, :, :-1], "shape"),
    ("07.6", lambda log_p, prior: log_p.softmax(1), "prior is missing"),
    ("07.6", lambda log_p, prior: log_p.exp() * prior / (log_p.exp() * prior).sum(1, keepdim=True), "underflows"),
    ("07.6", lambda log_p, prior: (log_p + prior.log()).softmax(0), "classes of each image"),
    ("07.6", lambda log_p, prior: posterior(log_p, prior).log(), "log of the posterior"),
    ("07.7", entropy, "this source is blind"),
    ("07.7", lambda H, W, *rest: H * W * math.log(2), "this source is seen"),
    ("07.7", lambda *a: best_nats(*a) / math.log(2), "bits"),
    ("07.7", lambda H, W, u, r, s, k: float(torch.tensor(0.0).log() * 0) if s == 1 and r <= k // 2 * u
     else best_nats(H, W, u, r, s, k), "is 0"),
]


class TestExercises(ExerciseCases):
    chapter = "07"
    wrong = WRONG
    double_only = ("07.6",)
