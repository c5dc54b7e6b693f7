"""Chat-completions servers: their address, requests, answers, and the cache of answers."""
