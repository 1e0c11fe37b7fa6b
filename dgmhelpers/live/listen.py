"""Choose a digit, a speaker and a temperature, and hear what a WaveNet says."""

from __future__ import annotations

from dgmhelpers.live.cell import Live, button, ipywidgets, on_cpu, slider


def listen(model, speakers, *, digit: int = 7, length: int | None = None, rate: int = 8000, seed: int = 0) -> Live:
    """A word that the model draws, with its spectrogram, drawn again when a control moves.

    Args:
        model: a :class:`~dgmhelpers.autoregressive.WaveNet` of classes with two factors: digits, then speakers.
        speakers: their names.
        digit: the first digit.
        length: samples that are drawn; the model's own length if not given.
        rate: samples a second.
        seed: decides the first draw; each further one has the next seed.

    Raises:
        ValueError: if the model is not conditioned on so many speakers.
    """
    from dgmhelpers import viz

    if len(model.factors) != 2 or model.factors[1] != len(speakers):
        raise ValueError(f"the classes have the factors {model.factors}, and {len(speakers)} speakers were given")
    model = on_cpu(model)
    model = model if length is None else model.of_length(length)
    widgets = ipywidgets()

    def draw(digit: int, speaker: str, temperature: float, take: int):
        about = model.class_of(digit, list(speakers).index(speaker))
        x = model.sample(1, context=about, temperature=temperature, generator=take)[0]
        words = f"the digit {digit} by {speaker}, temperature {temperature:g}"
        return viz.sound({words: x}, rate=rate, levels=model.likelihood.levels,
                         alt=f"A drawn sound that should be {words}, with its spectrogram.")

    controls = {
        "digit": widgets.Dropdown(options=list(range(model.factors[0])), value=digit, description="digit"),
        "speaker": widgets.Dropdown(options=list(speakers), value=speakers[0], description="speaker"),
        "temperature": slider("temperature", 0.8, 0.2, 1.4, 0.1),
        "take": widgets.IntText(value=seed, description="take"),
    }
    again = button("Another take", lambda: live.set(take=controls["take"].value + 1))
    layout = widgets.HBox([*controls.values(), again], layout={"flex_flow": "row wrap"})
    live = Live(draw, controls, layout, can="choose a digit, a speaker and a temperature, and listen", slow=True)
    return live
