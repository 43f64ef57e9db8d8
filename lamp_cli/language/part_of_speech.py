"""``word/POS`` tokens of a caption by closed word lists and endings, without a language model.

The released HumanML3D texts were tagged with spaCy; these tags follow its names and the same
clean-up (letters only, verbs and nouns as lemmas except "left") and are meant for new captions,
where no tagger is installed. They are not spaCy's to the last word.
"""

from __future__ import annotations

import re

from .english import noun_lemma, verb_lemma

_CLOSED = {
    "DET": "a an the this that these those each every some any another no all both",
    "PRON": "he she it they him them himself herself itself themselves who someone somebody something "
    "anyone anything one i you we everything nothing everyone",
    "ADP": "in on at by with from of into onto over under around about across through up down off out "
    "forwards backwards above below behind between beside near against towards toward along during "
    "before after without within upon past as for",
    "CCONJ": "and or but nor then",
    "SCONJ": "while if because although though when whenever where until since like",
    "PART": "to not",
    "AUX": "is are was were be been being am has have had does do did can could will would may might "
    "must should",
    "NUM": "two three four five six seven eight nine ten once twice",
    "ADJ": "left right his her their its my your our small large big slow fast quick same other "
    "different several many few front straight upright standing high low low-key full half first second",
    "ADV": "forward backward backwards forwards back again very quite also together there here upwards "
    "downwards sideways clockwise counterclockwise slightly away too so just still twice apart",
    "NOUN": "person man woman figure someone hand hands arm arms leg legs foot feet head knee knees body "
    "step steps circle direction side ground floor air something place position front way time times "
    "motion movement shoulder shoulders chest waist hip hips elbow wrist object ball chair stairs kick "
    "jump walk-up turn-around guy human character individual",
}
_TAG_OF = {word: tag for tag, words in reversed(_CLOSED.items()) for word in words.split()}

# Words of grammar: they bind others together.
FUNCTION_WORDS = frozenset(
    word for tag in ("DET", "PRON", "ADP", "CCONJ", "SCONJ", "PART", "AUX") for word in _CLOSED[tag].split()
)

_VERBS = frozenset(
    """
    walk run jog jump hop skip step turn spin kick punch throw catch wave clap raise lift lower move
    stand sit kneel crawl squat bend lean reach pick place put push pull hold carry swing dance
    stretch shake nod bow climb stumble limp crouch lie roll rotate twist march sneak stagger sway
    point touch grab drop drink eat play swim wipe wash look face start stop continue begin go come
    take make do return pace stroll shuffle bring balance extend cross scratch rub salute shrug
    dribble bounce hit box block swipe bat perform pretend appear seem get use keep lay rise sprint
    strafe sidestep
    """.split()
)


def tagged_tokens(text: str) -> list[str]:
    """``word/POS`` tokens of a sentence, e.g. ``["a/DET", "man/NOUN", "walk/VERB"]``."""
    words = re.findall(r"[^\W\d_]+", text.lower().replace("-", ""))
    return [_tagged(word, previous) for previous, word in zip(["", *words], words, strict=False)]


def _tagged(word: str, previous: str) -> str:
    verb = verb_lemma(word, _VERBS)
    follows_noun_marker = _TAG_OF.get(previous) in ("DET", "ADJ", "NUM")
    if verb and not (follows_noun_marker and word in _VERBS):
        return f"{verb}/VERB"
    if word in _TAG_OF:
        tag = _TAG_OF[word]
        return f"{noun_lemma(word) if tag == 'NOUN' else word}/{tag}"
    if word.endswith("ly"):
        return f"{word}/ADV"
    return f"{noun_lemma(word)}/NOUN"
