"""Learning from somebody else's log: a history is learned into a snapshot, and logs of other systems are imported."""
