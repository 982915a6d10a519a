"""A world drives the world's side of a log: it emits impressions in event time, sees what was shown, and clicks.

The loop of a world, in full (one thread, with a `MemoryLog`):

    while world.advance(32):        # reads recommendations, emits due clicks and up to 32 impressions
        ...                         # the agent polls, decides, commits
    world.finish()                  # the clicks still outstanding
"""
