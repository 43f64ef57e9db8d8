"""How often the checks agree with labelled takes, and which actions are answered because of it.

An action is answered when its check holds in at least 95 % of the takes labelled with it and in at most 5 %
of the real takes labelled with another action. The takes are real ones where there are ten or more; with
fewer, those and made-up clips must both agree. ``examples/judge/agreement.py`` prints such a table.

The real takes are 573 of CMU, ACCAD and Berkeley MHAD whose label names one action. Sides and counts were
compared with made-up clips only. The thresholds of the checks were chosen on made-up clips: those agree more
than real takes will.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_AGREEMENT, MOST_FALSE_ALARMS, LEAST_TAKES = 0.95, 0.05, 10


@dataclass(frozen=True)
class Evidence:
    """How often the check of an action held.

    action: as the checks name it.
    real, real_takes: in real takes labelled with it, and how many there are.
    made, made_clips: in made-up clips of it, and how many were asked.
    false_alarms, other_takes: in real takes labelled with another action, and how many there are.
    """

    action: str
    real: int
    real_takes: int
    made: int
    made_clips: int
    false_alarms: int
    other_takes: int

    @property
    def source(self) -> str:
        """What decides: ``real takes`` or ``made-up clips``."""
        return "real takes" if self.real_takes >= LEAST_TAKES else "made-up clips"

    @property
    def answered(self) -> bool:
        """Whether the agreement is high enough for a verdict."""
        if self.action in _DOUBTED:
            return False
        agrees = [(self.real, self.real_takes)] if self.real_takes else []
        if self.real_takes < LEAST_TAKES:
            agrees.append((self.made, self.made_clips))
        alarms = self.false_alarms <= MOST_FALSE_ALARMS * self.other_takes
        return alarms and all(yes >= LEAST_AGREEMENT * takes for yes, takes in agrees)


# The check of the other way fails in every real take of it ("climb 3 steps").
_DOUBTED = frozenset({"stairs down"})
# action: real takes of it, made-up clips of it, false alarms in real takes of other actions
_TABLE = """
stand: 0/0 20/20 5/573
walk: 42/43 20/20 2/507
walk backward: 1/1 20/20 2/572
sidestep: 4/4 20/20 0/569
jog: 24/25 20/20 10/552
run: 24/25 20/20 4/546
walk in a circle: 0/0 20/20 1/573
jog in a circle: 0/0 20/20 0/573
walk in a curve: 2/4 20/20 2/569
zigzag: 0/0 20/20 4/573
turn: 0/0 20/20 21/569
turn around and walk back: 0/0 20/20 6/573
tiptoe: 0/0 20/20 10/572
crouch walk: 0/1 20/20 2/572
march: 0/0 20/20 3/573
limp: 0/0 20/20 2/570
jump: 64/64 20/20 6/447
jump forward: 1/1 20/20 8/570
jump sideways: 0/0 20/20 0/571
jumping jacks: 28/58 20/20 1/515
squat: 0/0 20/20 24/505
sit down: 60/60 20/20 1/511
stand up: 60/60 20/20 1/511
pick up: 0/0 20/20 4/573
kick: 1/1 20/20 9/572
balance: 0/0 20/20 1/568
lunge: 0/0 20/20 0/573
wave: 21/99 20/20 6/474
raise arms: 0/0 20/20 15/412
arms out: 0/0 20/20 5/514
clap: 59/59 20/20 45/456
punch: 0/0 20/20 43/571
throw: 25/59 20/20 13/514
drink: 3/3 20/20 0/570
phone: 0/0 20/20 1/573
bow: 0/0 20/20 8/569
nod: 0/0 20/20 0/573
shake head: 0/0 19/20 0/573
look around: 0/0 20/20 20/573
stretch: 0/0 20/20 17/573
dance: 2/2 20/20 42/568
kneel: 0/0 20/20 0/569
lie down: 0/1 20/20 0/571
get up: 1/1 20/20 0/572
sit on the floor: 0/0 20/20 0/571
crawl: 2/2 20/20 1/571
push-ups: 0/0 20/20 1/573
spin: 0/0 20/20 1/573
jump turn: 0/0 18/20 0/573
hop: 0/0 20/20 15/569
jump backward: 0/0 20/20 3/571
stairs up: 0/7 20/20 0/566
stairs down: 0/0 20/20 0/573
salute: 0/0 20/20 4/573
cross arms: 0/0 20/20 30/573
hands on hips: 0/0 20/20 1/573
point: 0/1 19/20 18/572
"""


def _evidence(row: str) -> Evidence:
    action, _, rest = row.partition(": ")
    pairs = [pair.split("/") for pair in rest.split()]
    (real, of_real), (made, of_made), (alarms, others) = ((int(a), int(b)) for a, b in pairs)
    return Evidence(action, real, of_real, made, of_made, alarms, others)


EVIDENCE = {one.action: one for one in map(_evidence, _TABLE.strip().splitlines())}
ANSWERED = frozenset(action for action, one in EVIDENCE.items() if one.answered)
