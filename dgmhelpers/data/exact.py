"""Binary sources whose probabilities and entropy are known exactly."""
