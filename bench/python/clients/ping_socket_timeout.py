"""As `ping_socket.py`, by who does not want to wait for ever: Switchboard does not either."""

import ping_socket

ping_socket.measure(60.0)
