"""Links out of the book as syntax, and the tool that asks them where there is network. No test asks anybody."""

import sys
import urllib.error
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import links  # noqa: E402


def test_every_address_is_well_formed():
    found = links.addresses()
    assert len(found) > 20
    faults = {address: links.fault(address) for address in found if links.fault(address)}
    assert faults == {}


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("https://exa mple.org/", "no host"),
        ("https:///path", "no host"),
        ("https://nodot/path", "no host"),
        ("https://arxiv.org:8080/abs/1", "a port"),
        ("https://arxiv.org/ä", "encode"),
        ("https://arxiv.org/50%", "per cent"),
    ],
)
def test_faults_are_named(address, what):
    assert what in links.fault(address)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://a.org/x).", "https://a.org/x"),
        ("https://a.org/x_(y)", "https://a.org/x_(y)"),
        ("https://a.org/x,", "https://a.org/x"),
    ],
)
def test_the_sentence_s_punctuation_is_not_the_address_s(written, meant):
    assert links.cleaned(written) == meant


def answers(monkeypatch, reply):
    def urlopen(request, timeout):
        return reply(request)

    monkeypatch.setattr(links.urllib.request, "urlopen", urlopen)


def refusal(code):
    def reply(request):
        raise urllib.error.HTTPError(request.full_url, code, "no", None, None)

    return reply


def test_gone_is_gone_and_a_refusal_is_not(monkeypatch):
    answers(monkeypatch, refusal(404))
    assert links.ask("https://a.org/") == "gone: 404"
    answers(monkeypatch, refusal(403))
    assert links.ask("https://a.org/") == "unsure: 403"


def test_without_network_it_says_that_nothing_was_checked(monkeypatch, capsys):
    def silent(request):
        raise urllib.error.URLError("no route")

    answers(monkeypatch, silent)
    assert links.main([]) == 0
    assert "no network" in capsys.readouterr().out


def test_one_dead_link_fails(monkeypatch, capsys):
    from contextlib import nullcontext

    dead = sorted(links.addresses())[0]
    answers(monkeypatch, lambda request: refusal(410)(request) if request.full_url == dead else nullcontext())
    assert links.main([]) == 1
    assert dead in capsys.readouterr().out
