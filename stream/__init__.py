"""Events and the logs they live in: types, codec, `EventLog`, event-time join, dead letters.

This room knows nothing of learning. It imports no torch, ray, transformers or gymnasium, and Kafka only inside
`stream.kafka`, which this file does not import.
"""
