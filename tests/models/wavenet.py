"""WaveNet: small ones that are held to every law, and faults that such a model really has."""

from dgmhelpers.autoregressive import WaveNet
from dgmhelpers.autoregressive.wavenet import Steps
from models import CONDITIONAL, ORDERED, Case, Mutant


class UnshiftedWaveNet(WaveNet):
    """Feeds sample t to predict sample t."""

    def before(self, x):
        return x.long() if x.shape[1] > 1 else super().before(x)


class ShortWaveNet(WaveNet):
    """Says that it sees further than it does: its dilations do not grow."""

    def __init__(self, **config):
        super().__init__(**config)
        for layer in self.layers:
            layer.dilated.dilation, layer.dilated.reach = (1,), layer.dilated.kernel_size[0] - 1


class LateSteps(Steps):
    """Writes to the queues before it reads them: the oldest input is lost."""

    def __call__(self, h, told):
        places = self.starts + (self.t + self.apart) % self.sizes
        self.memory[places[0, 0]] = h
        return super().__call__(h, told)


class LateWaveNet(WaveNet):
    """A cached sampler with such queues."""

    def walk(self, n, context=None):
        steps = LateSteps(self, n)
        return lambda last: self._head(steps(self.embedding(last), None))


class SilentWaveNet(WaveNet):
    """The cached sampler forgets what it is conditioned on."""

    def walk(self, n, context=None):
        steps = Steps(self, n)
        return lambda last: self._head(steps(self.embedding(last), None))


class StuckWaveNet(WaveNet):
    """The cached sampler reads the first value of the curve at all times."""

    def walk(self, n, context=None):
        return super().walk(n, context[:, :1].expand_as(context))


SMALL = dict(channels=6, skip=8)

CASES = [
    Case("WaveNet", lambda: WaveNet(length=5, levels=4, layers=3, **SMALL)),
    Case("WaveNet of factors", lambda: WaveNet(length=4, levels=3, layers=2, classes=(2, 3), **SMALL),
         (*ORDERED, *CONDITIONAL)),
    Case("WaveNet of a curve", lambda: WaveNet(length=4, levels=3, layers=2, curve=2, **SMALL),
         (*ORDERED, *CONDITIONAL)),
    Case("WaveNet of 3 taps", lambda: WaveNet(length=9, levels=2, layers=2, kernel=3, **SMALL), slow=True),
    Case("WaveNet out of reach", lambda: WaveNet(length=9, levels=2, layers=4, cycle=2, **SMALL), slow=True),
    Case("WaveNet of one", lambda: WaveNet(length=1, levels=5, layers=1, **SMALL), slow=True),
]
MUTANTS = [
    Mutant("no shift by one", lambda: UnshiftedWaveNet(length=8, levels=2, layers=3, **SMALL),
           "depends_on_exactly_its_past"),
    Mutant("dilations do not grow", lambda: ShortWaveNet(length=9, levels=2, layers=3, **SMALL),
           "depends_on_exactly_its_past"),
    Mutant("queue written too early", lambda: LateWaveNet(length=8, levels=2, layers=3, **SMALL),
           "cached_equals_naive"),
    Mutant("sampler forgets the class", lambda: SilentWaveNet(length=6, levels=3, layers=2, classes=3, **SMALL),
           "cached_equals_naive"),
    Mutant("sampler stuck on the curve", lambda: StuckWaveNet(length=6, levels=3, layers=2, curve=1, **SMALL),
           "cached_equals_naive"),
]
