"""A real Apache Kafka for tests and demonstrations: one throwaway node, from Maven's jars, without containers."""
