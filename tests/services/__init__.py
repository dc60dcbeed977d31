"""Real servers for the tests: started lazily, on loopback, stopped by PID whatever happens."""
