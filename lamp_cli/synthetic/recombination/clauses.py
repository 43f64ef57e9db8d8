"""People's captions taken apart into subject and predicate, and put together again.

Sentences that do not follow a known pattern are left alone (None): better no caption than a wrong one.
Knows words, not motion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...language.english import gerund_of_third_person, is_past, past
from ...language.part_of_speech import tagged_tokens

MOST_WORDS = 40


def _forms(verbs: str) -> str:
    """Alternatives of a pattern: what begins like one of the verbs, and their pasts, which do not."""
    return "|".join(rf"{verb}\w*|{past(verb)}" for verb in verbs.split())


_NOUNS = (
    "person|man|woman|figure|stick ?figure|stick ?man|human|individual|guy|character|sim|male|female|dude|"
    "boy|girl|lady|subject|someone|somebody|he|she|they"
)
_SUBJECT = re.compile(rf"^((?:(?:a|an|the|this|that|one) )?(?:\w+ )?(?:{_NOUNS}))\b (?!who\b|that\b|'s)(.+)$")
_VERB_LEMMA = re.compile(r"^(.+)/VERB$")

# Words that tell which way the camera looks: false once a clip is turned.
VIEW = re.compile(
    r"\b(camera|screen|viewer|viewpoint|video|front of the|room|north|south|east|west|"
    r"diagonal\w*|diangial|downward\w*|upward\w*|o'?clock|us|me|you)\b"
)
SLOW = re.compile(r"\b(slow\w*|gentl[ey]\w*|leisure\w*|calm\w*|unhurried\w*|stroll\w*|saunter\w*)\b")
FAST = re.compile(
    r"\b(fast\w*|quick\w*|rapid\w*|swift\w*|brisk\w*|speed\w*|sprint\w*|hurr\w+|rush\w*|dash\w*)\b"
)
EVEN = re.compile(
    r"\b(medium|moderate\w*|normal\w*|average|steady|regular|usual|casual\w*|natural\w*|mid|constant)\b"
)
WALKING = frozenset("walk stroll stride pace step tiptoe shuffle saunter take move go come proceed".split())
GAITS = frozenset("walk run jog stroll stride march pace sprint step tiptoe sneak shuffle saunter".split())
STEADY = GAITS | frozenset(
    "dance sway skip dribble wave clap direct box punch wash wipe laugh climb swim".split()
)
_EVENTS = re.compile(
    r"[,;:.]|\b(and|then|while|before|after|until|when|as|once|twice|times?|turn\w*|stop\w*|start\w*|begin\w*|"
    r"half|full|\d+|one|two|three|four|five|six|few|several|couple|end\w*|back to|into|from|to|finally|"
    r"first|circle|pauses?|takes?|up|down|over|onto|under\w*|duck\w*|dodg\w*)\b"
)
ARMS = re.compile(
    r"\b(arms?|hands?|wrists?|elbows?|fists?|fingers?|shoulders?|wav\w+|clap\w*|punch\w*|box\w*|throw\w*|"
    rf"catch\w*|carr\w+|balls?|dribbl\w*|{_forms('hold drink swing')}|phone|point\w*|reach\w*|"
    r"grab\w*|pick\w*|lift\w*|rais\w+|object|box|push\w*|pull\w*|wip\w+|wash\w*|stretch\w*|gestur\w*|"
    r"rail\w*|something|zombie|robot|monster|superhero|chicken|airplane|bird|injur\w*|danc\w*|sword|chest|"
    r"motions?|directing|signal\w*)\b"
)
_ARM_WORDS = re.compile(r"\b(arms?|hands?|wrists?|elbows?|wav\w+|clap\w*|drink\w*|punch\w*|traffic)\b")
_NOT_ARMS = re.compile(
    rf"\b({_forms('run spin sit stand bend')}|walk\w*|jog\w*|steps?|stepp\w+|legs?|foot|feet|knees?|jump\w*|"
    r"hop\w*|kick\w*|turn\w*|danc\w*|salsa|bow\w*|crouch\w*|squat\w*|lean\w*|"
    r"lung\w*|skip\w*|body|waist|floor|ground|side to side|sideways|rotat\w*|twist\w*|stretch\w*|climb\w*|"
    r"crawl\w*|lie\w*|laying|kneel\w*|cartwheel\w*|ballet|balanc\w*|position|pose\w*|dribbl\w*|toes?|hips?|"
    r"ladder|chair|stool|laugh\w*|ball)\b"
)
_HIS, _HER = (
    re.compile(r"\b(he|him|his|himself|man|guy|male|boy)\b"),
    re.compile(r"\b(she|her|hers|herself|woman|female|girl|lady)\b"),
)


@dataclass(frozen=True)
class Clause:
    """``subject`` (may be empty) and ``predicate`` of a sentence; ``verb`` is the first verb's base form.

    ``form`` is present ("walks"), progressive ("is walking", the predicate without "is"), gerund, past or
    base ("walk forward").
    """

    subject: str
    predicate: str
    verb: str
    form: str


def parse(sentence: str) -> Clause | None:
    """The clause of a sentence, None for one that has another build or is too long."""
    text = " ".join(sentence.lower().split()).rstrip(" .,!")
    if not text or len(text.split()) > MOST_WORDS or re.search(r"[.;:/#()\"]| - |\bunknown\b", text):
        return None
    found = _SUBJECT.match(text)
    subject, rest = (found[1], found[2]) if found else ("", text)
    auxiliary = re.match(r"^(?:is|was|are) (.+)$", rest)
    rest = auxiliary[1] if auxiliary else rest
    word = next((w for w in rest.split()[:3] if not w.endswith("ly")), "")
    lemma = _lemma(word)
    form = _form(word, lemma, bool(subject), bool(auxiliary))
    return Clause(subject, rest, lemma, form) if lemma and form else None


def is_steady(clause: Clause) -> bool:
    """True when a sentence tells of one thing that goes on, so that it is true of any part of its clip."""
    return clause.verb in STEADY and not _EVENTS.search(clause.predicate)


def is_plain_gait(clause: Clause) -> bool:
    """True when a sentence tells of walking or running, steadily, and of no arms."""
    if not is_steady(clause) or clause.verb not in GAITS or ARMS.search(clause.predicate):
        return False
    others = (_lemma(word) for word in clause.predicate.split())
    return not any(other and other != clause.verb for other in others)


def speaks_of_arms(sentence: str) -> bool:
    """True when a sentence names arms or hands, or something that is done with them."""
    return bool(ARMS.search(sentence.lower()))


def is_arms_alone(clause: Clause) -> bool:
    """True when a sentence tells of arms and of nothing else, in one clause."""
    predicate = clause.predicate
    links = r"[,;]|\b(then|while|before|after|until|when|and (?!right|left|down|forth|wrist))"
    if clause.form == "base" or re.search(links, predicate):
        return False
    return bool(_ARM_WORDS.search(predicate) and not _NOT_ARMS.search(predicate))


def sequence(first: Clause, second: Clause, link: str) -> str | None:
    """One sentence that tells of two clauses one after the other; None when their forms do not agree."""
    if first.form != second.form or _manner(first) == _manner(second):
        return None
    predicate = with_pronouns_of(first, second.predicate)
    if predicate is None:
        return None
    text = _as_text(first) + link + predicate
    return text if len(text.split()) <= MOST_WORDS else None


def holds_for_pieces(clause: Clause) -> bool:
    """False for labels such as "jump": of a take cut into pieces, nobody knows which piece shows it."""
    return not VIEW.search(clause.predicate) and (clause.form != "base" or is_steady(clause))


def simultaneous(legs: Clause, arms: str) -> str | None:
    """One sentence that tells of a clause and, with "while", of an action of the arms ("waving ...").

    None where its pronouns cannot suit the clause's subject.
    """
    predicate = with_pronouns_of(legs, arms)
    return f"{_as_text(legs)} while {predicate}" if predicate else None


def as_gerund(clause: Clause) -> str | None:
    """The predicate beginning with a gerund ("waving his hand"); None where its form does not allow that."""
    if clause.form in ("progressive", "gerund"):
        return clause.predicate
    if clause.form != "present":
        return None
    words = clause.predicate.split()
    at = next(n for n, word in enumerate(words) if not word.endswith("ly"))
    words[at] = gerund_of_third_person(words[at])
    return with_coordinated_gerunds(" ".join(words))


def with_coordinated_gerunds(predicate: str) -> str:
    """Verbs that follow the first by "and", as gerunds too: "raising it and lowers it" is heard wrong."""

    def changed(match: re.Match[str]) -> str:
        link, word = match.groups()
        return link + (gerund_of_third_person(word) if _lemma(word) else word)

    return re.sub(r"\b(and (?:then )?)(\w+s)\b", changed, predicate)


def true_at(sentence: str, speed: float) -> bool:
    """Whether a sentence still holds when its clip is played at ``speed`` times its pace."""
    text = sentence.lower()
    if EVEN.search(text) and not 0.9 <= speed <= 1.1:
        return False
    return not (speed > 1.06 and SLOW.search(text)) and not (speed < 0.94 and FAST.search(text))


def _manner(clause: Clause) -> str:
    """The kind of motion: nobody says that a person walks and then strides."""
    if re.search(r"\b(backwards?|sideways|side)\b", clause.predicate):
        return clause.verb
    if clause.verb in WALKING:
        return "walk"
    return "run" if clause.verb in ("jog", "run", "sprint") else clause.verb


def _as_text(clause: Clause) -> str:
    is_word = "is " if clause.form == "progressive" else ""
    return f"{clause.subject} {is_word}{clause.predicate}".strip()


def with_pronouns_of(first: Clause, predicate: str) -> str | None:
    """``said`` so that its pronouns suit the subject of ``first``; None where that cannot be done."""
    context = f"{first.subject} {first.predicate}"
    clash = (_HIS.search(context) and _HER.search(predicate)) or (
        _HER.search(context) and _HIS.search(predicate)
    )
    if not clash:
        return predicate
    neutral = re.sub(r"\b(his|her)\b", "their", predicate)
    return None if _HIS.search(neutral) or _HER.search(neutral) else neutral


def _lemma(word: str) -> str:
    tags = tagged_tokens(word)
    found = _VERB_LEMMA.match(tags[0]) if len(tags) == 1 else None
    return found[1] if found else ""


def _form(word: str, lemma: str, subject: bool, auxiliary: bool) -> str:
    if word.endswith("ing"):
        return "progressive" if auxiliary and subject else "gerund"
    if auxiliary:
        return ""
    if is_past(word):
        return "past"
    if word.endswith("s") and word != lemma:
        return "present"
    return "" if subject else "base"
