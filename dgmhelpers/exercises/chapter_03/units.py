"""03.5, from nats to bits per character and perplexity."""

import math

from dgmhelpers.exercises.compare import close, number, parts
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "03.5",
    minutes=10,
    asks="a function per_character(nats, length) that returns bits per character and perplexity",
    hints=[
        "First nats per character. Then: how many nats is one bit?",
        "Per character: divide by the length. In bits: divide by the nats of a bit.",
        "If all of P symbols are equally likely, how many nats does one of them cost?",
    ],
    praise="1.5 nats a character are 2.16 bits, or a choice among 4.5 equally likely symbols",
)
def check_units(answer):
    """Several lengths, so that windows and characters, bits and nats cannot be mistaken for each other."""
    for nats, length in ((math.log(2), 1), (96.0, 64), (300.0, 128), (10.0, 50)):
        found = answer(nats, length)
        if found is None:
            return nothing("two numbers: bits per character and perplexity")
        bits, perplexity = map(number, parts(found, 2, "two numbers: bits per character, perplexity"))
        each = nats / length
        if close(bits, each * math.log(2)) and not close(bits, each / math.log(2)):
            return (
                "there are more bits than nats, since a bit is the smaller unit (0.693 nats): divide by ln 2"
            )
        if length > 1 and (close(bits, nats / math.log(2)) or close(perplexity, math.exp(min(nats, 700)))):
            return "per character, please: the nats are those of a whole window of `length` symbols"
        if close(bits, each):
            return "these are nats per character; a bit is ln 2 nats"
        if not close(bits, each / math.log(2)):
            return (
                f"bits per character of {nats:.4g} nats in {length} symbols: you give {bits:.4g}, it is "
                f"{each / math.log(2):.4g}"
            )
        if close(perplexity, 2**each) and not close(perplexity, math.exp(each)):
            return (
                "the perplexity is 2 to the power of the *bits*, or e to the power of the nats: you took 2 "
                "to the power of the nats"
            )
        if not close(perplexity, math.exp(each)):
            return (
                f"perplexity of {each:.4g} nats per character: you give {perplexity:.4g}, it is "
                f"{math.exp(each):.4g}"
            )
    return None
