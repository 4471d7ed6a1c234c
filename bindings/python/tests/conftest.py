"""What holds for all tests."""

import signal

# Whoever runs the tests in the background may have set Ctrl-C to be ignored, and so would they and
# every program that they start: some send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
