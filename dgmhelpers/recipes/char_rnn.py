"""A recurrent network on the characters of Shakespeare's plays."""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import NatsOfText
from dgmhelpers.recipes.sets import quick

EXPERIMENTS = (
    Experiment.of(
        name="char-rnn-shakespeare",
        description="LSTM over characters, tiny Shakespeare; measured on the validation part in one piece",
        model="autoregressive.CharRNN",
        source="tiny-shakespeare",
        config={"length": 128, "hidden": 256, "layers": 1, "cell": "lstm", "dropout": 0.2},
        training=dict(steps=3000, batch_size=32, lr=4e-3, warmup=100, clip=1.0, evaluate_every=250),
        measures=(NatsOfText(),),
        quick=quick(
            "text",
            steps=100,
            batch_size=32,
            config={"length": 64, "hidden": 64, "layers": 1, "cell": "gru", "dropout": 0.0},
        ),
    ),
)
