"""TCN and FrameRNN: small ones that are held to every law, and faults that such a model really has."""

import torch.nn.functional as F

from dgmhelpers.autoregressive import TCN, FrameRNN
from dgmhelpers.layers import CausalConv1d
from models import Case, Mutant


class CentredConv1d(CausalConv1d):
    """Zeros on both sides, as nn.Conv1d pads: half of the kernel looks ahead."""

    def forward(self, x):
        left = self.reach // 2
        return F.conv1d(F.pad(x, (left, self.reach - left)), self.kernel, self.bias, dilation=self.dilation)


class PeekingTCN(TCN):
    """Keys of one frame see each other: the frame is not shifted."""

    def before(self, x):
        return x.to(self.dtype) if x.shape[1] > 1 else super().before(x)


class ForgetfulTCN(TCN):
    """The cached sampler's queues are too short: the oldest tap reads the wrong step."""

    def walk(self, n, context=None):
        twin = TCN(**self.config).to(self.dtype)
        twin.load_state_dict(self.state_dict())
        for block in twin.blocks:
            for conv in (block.first, block.second):
                conv.dilation, conv.reach = (1,), conv.reach // conv.dilation[0]
        return twin.walk(n, context)


class DroppedStateRNN(FrameRNN):
    """The sampler starts each frame from an empty state."""

    def walk(self, n, context=None):
        return lambda last: self.output(self.cell(last[:, None])[0][:, 0])


def centred():
    model = TCN(length=6, levels=3, channels=8, layers=1, kernel=3)
    for block in model.blocks:
        for name in ("first", "second"):
            old = getattr(block, name)
            new = CentredConv1d(old.in_channels, old.out_channels, 3, old.dilation[0], norm=True)
            new.load_state_dict(old.state_dict())
            setattr(block, name, new)
    return model


CASES = [
    Case("TCN of keys", lambda: TCN(length=3, keys=3, channels=8, layers=2, kernel=2, dropout=0.2)),
    Case("TCN of levels", lambda: TCN(length=5, levels=4, channels=12, layers=2, kernel=2)),
    Case("TCN out of reach", lambda: TCN(length=6, levels=2, channels=8, layers=1, kernel=2, norm=False), slow=True),
    Case("FrameRNN GRU", lambda: FrameRNN(length=3, keys=3, hidden=10)),
    Case("FrameRNN LSTM", lambda: FrameRNN(length=4, keys=2, hidden=10, layers=2, cell="lstm", dropout=0.2)),
]
MUTANTS = [
    Mutant("padded on both sides", centred, "depends_on_exactly_its_past"),
    Mutant("frame not shifted", lambda: PeekingTCN(length=3, keys=3, channels=8, layers=1),
           "depends_on_exactly_its_past"),
    Mutant("queues without dilation", lambda: ForgetfulTCN(length=8, levels=2, channels=8, layers=2, kernel=2),
           "cached_equals_naive"),
    Mutant("state dropped in the walk", lambda: DroppedStateRNN(length=4, keys=2, hidden=8), "cached_equals_naive"),
]
