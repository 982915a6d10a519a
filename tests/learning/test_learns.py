"""The whole loop learns, on worlds whose optimum is known: 0 is a uniform choice, 1 the best one for every impression.

Bounds are from 20 seeds of this configuration (mean and standard deviation of the lift in the last quarter):
LEARNED_MEAN ± LEARNED_SD with feedback, SHUFFLED_MEAN ± SHUFFLED_SD with the same rewards dealt out anew.
"""
