"""What rules found that there are no more: a site took a rule of its own away, or a release has it no more."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from msgspec.structs import replace

from schemas.alerts import Alert
from services.monitor.alerts import lifecycle
from services.monitor.patient.bounds import MAX_EPISODES
from services.monitor.patient.state import PatientState


def without_others(state: PatientState, rules: Container[str], at: datetime) -> tuple[PatientState, list[Alert]]:
    """The state without what stands and is waited for by rules that are none of ``rules``, and their open alerts withdrawn."""
    gone = {key: alert for key, alert in state.open_alerts.items() if alert.rule not in rules}
    ended = [lifecycle.rule_gone(alert, state.clock, at) for alert in gone.values()]
    episodes = {key: id_ for key, id_ in state.episodes if key not in gone}
    episodes |= {key: alert.alert_id for key, alert in gone.items()}
    state = replace(
        state,
        open_alerts={key: alert for key, alert in state.open_alerts.items() if key not in gone},
        standing={key: each for key, each in state.standing.items() if each.rule in rules},
        obligations={key: each for key, each in state.obligations.items() if not each.of_rule or each.source in rules},
        again=tuple(each for each in state.again if each[0] in rules),
        episodes=tuple(episodes.items())[-MAX_EPISODES:],
    )
    return state, ended
