"""What an audit says of forty models from elsewhere, and how long it takes: a table in Markdown.

    python benchmarks/audits.py

The models are those of ``tests/foreign_suite.py``: twenty that are right, twenty with one fault each.
"""

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from foreign_suite import CASES  # noqa: E402

from dgmhelpers import laws  # noqa: E402


def main() -> int:
    """Print the table; 1 if a right model was convicted, or a fault was not caught by the law that names it."""
    warnings.simplefilter("ignore")
    print("| family | model | right | caught by | named | seconds |\n|---|---|---|---|---|---|")
    wrong, total = 0, 0.0
    for case in CASES:
        begun = time.perf_counter()
        report = laws.audit(**case.make())
        seconds = time.perf_counter() - begun
        total += seconds
        broken = [verdict.law for verdict in report.broken]
        named = case.law in broken and case.word in f"{report[case.law].meaning} {report[case.law].measured}"
        wrong += not (report.held if case.law is None else named)
        right, name = ("yes", "held") if case.law is None else ("no", "yes")
        if not (report.held if case.law is None else named):
            name = "**no**"
        row = (case.family, case.name, right, ", ".join(broken) or "–", name, f"{seconds:.1f}")
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{len(CASES) - wrong} of {len(CASES)} judged rightly, in {total:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
