"""One message at a time: Switchboard's blocking conversation."""

import switchboard as sb
import timing

port, warm_up, seconds = timing.arguments()
with sb.connect(f"127.0.0.1:{port}", "u32be") as c:
    timing.measure(c.request, warm_up, seconds)
