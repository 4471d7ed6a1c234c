"""The command `bench/run`."""
