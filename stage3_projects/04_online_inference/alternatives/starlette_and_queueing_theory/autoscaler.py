"""Square-root staffing: enough servers for the load, and a safety margin that grows with its root."""

import math

state = {}


def start(config):
    state.clear()
    state.update(config=config, quick=None, slow=None, calm=0)


def decide(telemetry):
    config = state["config"]
    have = telemetry["replicas"] + telemetry["starting"]
    want = have
    if telemetry["requests"] == telemetry["requests"]:  # NaN is not equal to itself
        rate = telemetry["requests"] / config["seconds_per_step"]
        state["quick"] = max(rate, 0.6 * (state["quick"] or rate) + 0.4 * rate)
        state["slow"] = max(rate, 0.97 * (state["slow"] or rate) + 0.03 * rate)
        offered = state["quick"] / config["replica_rps"]
        want = math.ceil(1.42 * offered + 0.5 * math.sqrt(offered))
        roomy = math.ceil((1.42 * state["slow"] + 0.5 * math.sqrt(state["slow"])) / config["replica_rps"])
        if max(want, roomy) < have:
            state["calm"] += 1
            want = have
            if state["calm"] >= 16:  # eight quiet minutes, then a few every two minutes
                state["calm"] = 12
                want = have - max(1, have // 14)
        else:
            state["calm"] = 0
            want = max(want, have)
    return min(max(want, config["min_replicas"]), config["max_replicas"])
