"""The agent in RLlib's terms (new API stack): module, learner, runner, algorithm."""
