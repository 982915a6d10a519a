"""The environment over a log: observations, rewards, worlds (simulated readers, replayed data), `StreamBanditEnv`.

This room imports no torch, ray, transformers, kafka or prometheus_client; what it needs of them is passed in
through the protocols of `envs.protocols`.
"""
