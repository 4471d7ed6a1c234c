"""Prints criterion's estimates as a table: nanoseconds a message, and the ratio to tokio-util."""

import json
import pathlib
import platform
import sys

SIZES = [("64", "64 B"), ("1024", "1 KiB"), ("65536", "64 KiB")]
ROWS = ["u32be", "LengthDelimitedCodec", "lines", "LinesCodec", "netstring", "mqtt", "memcpy"]
RIVALS = {"u32be": "LengthDelimitedCodec", "lines": "LinesCodec"}


def nanoseconds(folder):
    """The median of one benchmark, divided by the messages that one iteration handled."""
    estimate = json.loads((folder / "new/estimates.json").read_text())
    benchmark = json.loads((folder / "new/benchmark.json").read_text())
    return estimate["median"]["point_estimate"] / benchmark["throughput"]["Elements"]


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((l.split(":", 1)[1].strip() for l in lines if l.startswith("model name")), "?")


def main(folder):
    print(f"nanoseconds a message, median; {processor()}, {platform.system()}")
    for verb in ["decode", "encode"]:
        print(f"\n{verb:<22}" + "".join(f"{name:>22}" for _, name in SIZES))
        for row in ROWS:
            cells = []
            for size, _ in SIZES:
                group = folder / f"{verb} {size}"
                own = nanoseconds(group / row)
                cell = f"{own:.1f}"
                if row in RIVALS:
                    cell += f" ({nanoseconds(group / RIVALS[row]) / own:.1f} x)"
                cells.append(f"{cell:>22}")
            print(f"{row:<22}" + "".join(cells))
    print("\n(N x): tokio-util's codec for the same framing, the row below, takes N times as long")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
