"""SpatialLSTM: small ones that are held to every law, and faults that such a model really has."""

from dgmhelpers.autoregressive import SpatialLSTM
from models import Case, Mutant


class WholeWindow(SpatialLSTM):
    """The window of the image is moved by one column: its last tap is the pixel itself."""

    def network(self, x):
        return super().network(x.roll(-1, 3))


class SpatialLSTMAllSeeing(SpatialLSTM):
    """Declares no blind spot, and has one."""

    blind_spot = None


class Rowless(SpatialLSTM):
    """The cached sampler forgets the states when a row begins."""

    def pixels(self, n):
        step, width = super().pixels(n), self.event_shape[2]
        z, count = next(step), 0
        while True:
            x = yield z
            count += 1
            if count % width == 0:
                step.close()
                step = super().pixels(n)
                z = next(step)
            else:
                z = step.send(x)


SMALL = dict(event_shape=(1, 3, 3), hidden=6, reach=1)
CASES = [
    Case("SpatialLSTM", lambda: SpatialLSTM(**SMALL)),
    Case("SpatialLSTM RGB of 4 levels",
         lambda: SpatialLSTM((3, 1, 2), levels=4, hidden=6, reach=1, components=2)),
    Case("SpatialLSTM wide", lambda: SpatialLSTM((1, 2, 5), hidden=6, reach=2), slow=True),
    Case("SpatialLSTM RGB", lambda: SpatialLSTM((3, 2, 2), hidden=6, reach=1, components=2), slow=True),
    Case("SpatialLSTM of one", lambda: SpatialLSTM((1, 1, 1), hidden=3), slow=True),
]  # fmt: skip
MUTANTS = [
    Mutant("a window on the pixel itself", lambda: WholeWindow(**SMALL), "depends_on_exactly_its_past"),
    Mutant("upper right not declared", lambda: SpatialLSTMAllSeeing((1, 2, 5), hidden=6, reach=1),
           "depends_on_exactly_its_past"),
    Mutant("states forgotten at each row", lambda: Rowless(**SMALL), "cached_equals_naive"),
]  # fmt: skip
